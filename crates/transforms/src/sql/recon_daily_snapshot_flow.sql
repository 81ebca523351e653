-- gold.recon_daily_snapshot_flow (B-1): balance change against net flow.
-- Grain: one row per wallet with a snapshot in ($start, end] or an entry of the day. Key: date_kst, user_id.
-- Input: wallet_day. Contract: lakehouse 4, B-1.
WITH chosen AS (
    SELECT
        *,
        -- opening: newest at or before the start, else the first one of the day
        CASE WHEN carried_ts IS NULL OR first_ts = $start THEN first_ts ELSE carried_ts END AS opening_ts,
        CASE WHEN carried_ts IS NULL OR first_ts = $start THEN first_balance ELSE carried_balance END AS opening_balance,
        -- closing: newest at or before the end; it may be the opening itself
        coalesce(last_ts, carried_ts) AS closing_ts,
        CASE WHEN last_ts IS NULL THEN carried_balance ELSE last_balance END AS closing_balance
    FROM wallet_day
    WHERE entry_cnt > 0 OR last_ts > $start
),
compared AS (
    SELECT
        *,
        CASE WHEN closing_ts IS NULL THEN CAST(0 AS DECIMAL(38, 2)) ELSE nsc_exact(closing_balance - opening_balance) END AS delta,
        -- entries in [opening, closing): a carried opening brings its own flow up to the start
        CASE
            WHEN closing_ts IS NULL OR closing_ts = opening_ts THEN CAST(0 AS DECIMAL(38, 2))
            WHEN opening_ts < $start THEN nsc_exact(carried_flow + flow_before_last)
            ELSE nsc_exact(flow_before_last - flow_before_first)
        END AS net_flow,
        -- entries in [closing, end); with no snapshot at all, every entry of the wallet
        CASE
            WHEN last_ts IS NULL THEN nsc_exact(carried_flow + flow)
            ELSE nsc_exact(flow - flow_before_last)
        END AS pending_flow
    FROM chosen
),
judged AS (
    SELECT *, nsc_exact(nsc_abs(delta - net_flow)) AS drift_abs FROM compared
)
SELECT
    user_id,
    delta AS delta_balance_total,
    net_flow AS net_flow_total,
    drift_abs,
    nsc_ratio(drift_abs, net_flow) AS drift_pct,
    opening_ts,
    closing_ts,
    pending_flow
FROM judged
-- a wallet that issues and burns has no snapshot to be compared with
WHERE NOT (closing_ts IS NULL AND array_has($system_wallets, user_id))
