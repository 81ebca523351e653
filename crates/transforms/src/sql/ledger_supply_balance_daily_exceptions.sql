-- gold.exception_ledger rows of B-2.
-- Grain: at most one row per day. Identity: date_kst, domain, exception_type, source_table, window.
-- Input: ledger_supply_balance_daily (its row of the day). Contract: lakehouse 4, B-2; dropped when $suppressed.
SELECT
    'SUPPLY_MISMATCH' AS exception_type,
    CASE WHEN nsc_abs(diff_amount) > $critical THEN 'CRITICAL' ELSE 'WARN' END AS severity,
    'supply_diff_abs' AS metric,
    TRY_CAST(nsc_abs(diff_amount) AS DECIMAL(38, 6)) AS metric_value,
    nsc_json(
        'issued_supply', issued_supply, 'wallet_total_balance', wallet_total_balance,
        'pending_flow_total', pending_flow_total, 'diff_amount', diff_amount, 'opening_supply', opening_supply,
        'minted', minted, 'charged', charged, 'burned', burned, 'withdrawn', withdrawn,
        'threshold', CAST($threshold_text AS VARCHAR)
    ) AS message,
    CAST($rule_id AS VARCHAR) AS rule_id,
    CAST(NULL AS VARCHAR) AS subject
FROM ledger_supply_balance_daily
WHERE $suppressed = false AND nsc_abs(diff_amount) > $threshold
