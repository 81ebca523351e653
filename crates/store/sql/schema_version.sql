-- The version of the schema.
-- Grain: one row. Contract: serving 5.
SELECT max(version) AS version FROM bo.schema_migrations WHERE success
