-- gold.ledger_supply_balance_daily (B-2): issued supply against the sum of all wallets, with the roll-forward.
-- Grain: one row per day, always. Key: date_kst.
-- Inputs: entries (the day), wallet_day. Contract: lakehouse 4, B-2.
WITH moved AS (
    SELECT
        coalesce(nsc_sum_money(amount) FILTER (WHERE entry_type = 'MINT'), CAST(0 AS DECIMAL(38, 2))) AS minted,
        coalesce(nsc_sum_money(amount) FILTER (WHERE entry_type = 'CHARGE'), CAST(0 AS DECIMAL(38, 2))) AS charged,
        coalesce(nsc_sum_money(amount) FILTER (WHERE entry_type = 'BURN'), CAST(0 AS DECIMAL(38, 2))) AS burned,
        coalesce(nsc_sum_money(amount) FILTER (WHERE entry_type = 'WITHDRAW'), CAST(0 AS DECIMAL(38, 2))) AS withdrawn
    FROM entries
),
held AS (
    -- every wallet with a snapshot at or before the end, idle ones included
    SELECT
        coalesce(nsc_sum_money(CASE WHEN last_ts IS NULL THEN carried_balance ELSE last_balance END), CAST(0 AS DECIMAL(38, 2)))
            AS wallet_total_balance,
        coalesce(
            nsc_sum_money(CASE WHEN last_ts IS NULL THEN nsc_exact(carried_flow + flow) ELSE nsc_exact(flow - flow_before_last) END),
            CAST(0 AS DECIMAL(38, 2))
        ) AS pending_flow_total,
        count(*) AS wallet_cnt
    FROM wallet_day
    WHERE last_ts IS NOT NULL OR carried_ts IS NOT NULL
),
reconciled AS (
    -- the wallets B-1 has a row of
    SELECT count(*) AS reconciled_cnt FROM wallet_day WHERE entry_cnt > 0 OR last_ts > $start
),
issued AS (
    -- each step is checked, so that no partial sum leaves 38 digits unseen
    SELECT
        m.minted, m.charged, m.burned, m.withdrawn, h.wallet_total_balance, h.pending_flow_total, h.wallet_cnt, r.reconciled_cnt,
        CAST($opening_supply AS DECIMAL(38, 2)) AS opening_supply,
        nsc_exact(nsc_exact(nsc_exact(nsc_exact(CAST($opening_supply AS DECIMAL(38, 2)) + m.minted) + m.charged) - m.burned) - m.withdrawn)
            AS issued_supply
    FROM moved m
    CROSS JOIN held h
    CROSS JOIN reconciled r
),
compared AS (
    SELECT *, nsc_exact(nsc_exact(issued_supply - wallet_total_balance) - pending_flow_total) AS diff_amount FROM issued
)
SELECT
    issued_supply,
    wallet_total_balance,
    diff_amount,
    nsc_abs(diff_amount) <= $threshold AS is_ok,
    pending_flow_total,
    opening_supply,
    minted,
    charged,
    burned,
    withdrawn,
    wallet_cnt,
    reconciled_cnt,
    CASE
        -- no money issued and no wallet that could hold any: equal, and nobody has looked
        WHEN wallet_cnt = 0 AND issued_supply = CAST(0 AS DECIMAL(38, 2)) THEN 'no_data'
        WHEN $suppressed = true THEN 'suppressed'
        WHEN nsc_abs(diff_amount) <= $threshold THEN 'ok'
        WHEN nsc_abs(diff_amount) > $critical THEN 'CRITICAL'
        ELSE 'WARN'
    END AS verdict
FROM compared
