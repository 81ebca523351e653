-- The version of the schema, the newest migration that took something away, and what the set-up must have.
-- Grain: one row. Contract: serving 5.
-- A migration that takes away what older programs use says so at the end of its name.
SELECT
    max(version) AS version,
    max(version) FILTER (WHERE description LIKE '%(contract)') AS contracted,
    current_setting('server_encoding') AS encoding,
    current_setting('plan_cache_mode') = 'force_generic_plan' AS settings_arrived
FROM bo.schema_migrations
WHERE success
