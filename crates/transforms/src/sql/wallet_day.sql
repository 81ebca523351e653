-- wallet_day: what B-1, B-2 and the next day's positions need to know of each wallet (not stored).
-- Grain: one row per wallet seen before the day's end. Key: user_id.
-- Inputs: positions (carried state strictly before $start), snapshots ([$start, $end], both edges), entries (the day).
-- Contract: lakehouse 4, B-1 "One cut-off on both sides" - a snapshot at instant t holds every entry before t.
WITH bounds AS (
    SELECT
        user_id,
        min(snapshot_ts) AS first_ts,
        first_value(balance_total ORDER BY snapshot_ts) AS first_balance,
        max(snapshot_ts) AS last_ts,
        last_value(balance_total ORDER BY snapshot_ts) AS last_balance,
        -- the newest before the end: a snapshot exactly at the end belongs to the next day's opening
        max(snapshot_ts) FILTER (WHERE snapshot_ts < $end) AS inner_ts,
        last_value(balance_total ORDER BY snapshot_ts) FILTER (WHERE snapshot_ts < $end) AS inner_balance
    FROM snapshots
    GROUP BY user_id
),
flows AS (
    -- the small side first: it is the one held in memory
    SELECT
        e.wallet_id,
        count(*) AS entry_cnt,
        nsc_sum_money(e.amount_signed) AS flow,
        nsc_sum_money(e.amount_signed) FILTER (WHERE e.event_time < b.first_ts) AS flow_before_first,
        nsc_sum_money(e.amount_signed) FILTER (WHERE e.event_time < b.last_ts) AS flow_before_last,
        nsc_sum_money(e.amount_signed) FILTER (WHERE e.event_time < b.inner_ts) AS flow_before_inner
    FROM bounds b
    RIGHT JOIN entries e ON b.user_id = e.wallet_id
    GROUP BY e.wallet_id
),
moved AS (
    SELECT
        coalesce(b.user_id, f.wallet_id) AS user_id,
        b.first_ts, b.first_balance, b.last_ts, b.last_balance, b.inner_ts, b.inner_balance,
        f.entry_cnt, f.flow, f.flow_before_first, f.flow_before_last, f.flow_before_inner
    FROM bounds b
    FULL JOIN flows f ON b.user_id = f.wallet_id
)
SELECT
    coalesce(p.user_id, m.user_id) AS user_id,
    p.user_id IS NOT NULL AS is_carried,
    p.snapshot_ts AS carried_ts,
    p.balance_total AS carried_balance,
    coalesce(p.flow_after, CAST(0 AS DECIMAL(38, 2))) AS carried_flow,
    m.first_ts, m.first_balance, m.last_ts, m.last_balance, m.inner_ts, m.inner_balance,
    coalesce(m.entry_cnt, 0) AS entry_cnt,
    coalesce(m.flow, CAST(0 AS DECIMAL(38, 2))) AS flow,
    coalesce(m.flow_before_first, CAST(0 AS DECIMAL(38, 2))) AS flow_before_first,
    coalesce(m.flow_before_last, CAST(0 AS DECIMAL(38, 2))) AS flow_before_last,
    coalesce(m.flow_before_inner, CAST(0 AS DECIMAL(38, 2))) AS flow_before_inner
FROM positions p
FULL JOIN moved m ON p.user_id = m.user_id
