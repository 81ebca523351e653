-- gold.exception_ledger rows of B-1.
-- Grain: one row per breach and wallet. Identity: date_kst, domain, exception_type, source_table, window, subject.
-- Input: recon_daily_snapshot_flow (its rows of the day). Contract: lakehouse 4, B-1 and the soft gate:
-- with $suppressed only RECON_WALLET_UNKNOWN stays. A wallet is unknown when it has no closing snapshot, and its day
-- has no snapshot when the closing one is not after the start.
WITH found AS (
    SELECT
        'RECON_DRIFT_HIGH' AS exception_type,
        CASE WHEN drift_abs > $critical THEN 'CRITICAL' ELSE 'WARN' END AS severity,
        'drift_abs' AS metric,
        drift_abs AS value,
        true AS is_ruled,
        *
    FROM recon_daily_snapshot_flow
    WHERE $suppressed = false AND closing_ts IS NOT NULL AND drift_abs > $threshold
    UNION ALL
    SELECT
        'RECON_SNAPSHOT_MISSING' AS exception_type, 'WARN' AS severity, 'pending_flow' AS metric, pending_flow AS value,
        false AS is_ruled, *
    FROM recon_daily_snapshot_flow
    WHERE $suppressed = false AND closing_ts <= $start
    UNION ALL
    SELECT
        'RECON_WALLET_UNKNOWN' AS exception_type, 'CRITICAL' AS severity, 'pending_flow' AS metric, pending_flow AS value,
        false AS is_ruled, *
    FROM recon_daily_snapshot_flow
    WHERE closing_ts IS NULL
)
SELECT
    exception_type,
    severity,
    metric,
    TRY_CAST(value AS DECIMAL(38, 6)) AS metric_value,
    nsc_json(
        'wallet', user_id, 'delta_balance_total', delta_balance_total, 'net_flow_total', net_flow_total,
        'drift_abs', drift_abs, 'drift_pct', drift_pct, 'pending_flow', pending_flow,
        'opening_ts', opening_ts, 'closing_ts', closing_ts,
        'threshold', CASE WHEN is_ruled THEN CAST($threshold_text AS VARCHAR) END
    ) AS message,
    CASE WHEN is_ruled THEN CAST($rule_id AS VARCHAR) END AS rule_id,
    user_id AS subject
FROM found
