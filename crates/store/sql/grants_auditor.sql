-- What the auditor may do: read who looked, and nothing of what they looked at. Run at the end of every migration, where
-- there is the role; says the same each time.
-- Grain: one statement per table. Contract: serving 5, least privilege. {auditor} stands for the role's name.
REVOKE ALL ON ALL TABLES IN SCHEMA bo FROM {auditor};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA bo FROM {auditor};
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA bo FROM {auditor};
GRANT USAGE ON SCHEMA bo TO {auditor};
GRANT SELECT ON bo.schema_migrations, bo.admin_audit_logs TO {auditor};
GRANT EXECUTE ON FUNCTION bo.audit_row_hash(bytea, bo.admin_audit_logs) TO {auditor};
