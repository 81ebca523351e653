-- positions: the carried state strictly before the day's end, the next day's input.
-- Grain: one row per wallet ever seen before the end. Key: user_id.
-- Input: wallet_day. Contract: lakehouse 4, B-1 "the days chain without a gap".
SELECT
    user_id,
    coalesce(inner_ts, carried_ts) AS snapshot_ts,
    CASE WHEN inner_ts IS NULL THEN carried_balance ELSE inner_balance END AS balance_total,
    CASE
        WHEN inner_ts IS NULL THEN nsc_exact(carried_flow + flow)
        ELSE nsc_exact(flow - flow_before_inner)
    END AS flow_after
FROM wallet_day
-- a wallet whose only trace is a snapshot exactly at the end is first seen tomorrow
WHERE is_carried OR entry_cnt > 0 OR inner_ts IS NOT NULL
