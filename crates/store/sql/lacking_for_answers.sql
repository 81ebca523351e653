-- What the login lacks of what an answer takes: four tables to read, an audit log to add to, a server that takes writes.
-- Grain: one row; null when nothing is lacking. Contract: serving 5 and 6.
SELECT string_agg(needed.lacking, ', ' ORDER BY needed.lacking) AS lacking
FROM (
    SELECT privilege || ' on bo.' || name AS lacking, has_any_column_privilege('bo.' || name, privilege) AS granted
    FROM (
        VALUES
            ('SELECT', 'ledger_entries'),
            ('SELECT', 'payment_orders'),
            ('SELECT', 'payment_ledger_pairs'),
            ('SELECT', 'moved_halves'),
            ('INSERT', 'admin_audit_logs')
    ) AS tables (privilege, name)
    UNION ALL
    SELECT 'a server that is not read-only', current_setting('transaction_read_only') = 'off'
) AS needed
WHERE NOT needed.granted
