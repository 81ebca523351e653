-- What each role may do, and nothing else. Run at the end of every migration; says the same each time.
-- Grain: one statement per table. Contract: serving 5, least privilege.
-- {consumer} and {api} stand for the roles' names.
REVOKE ALL ON SCHEMA bo FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA bo FROM PUBLIC, {consumer}, {api};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA bo FROM PUBLIC, {consumer}, {api};
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA bo FROM PUBLIC, {consumer}, {api};
GRANT USAGE ON SCHEMA bo TO {consumer}, {api};
GRANT SELECT ON bo.schema_migrations TO {consumer}, {api};

GRANT SELECT, INSERT, UPDATE
    ON bo.ledger_entries, bo.payment_orders, bo.payment_ledger_pairs, bo.moved_halves
    TO {consumer};
GRANT EXECUTE ON FUNCTION bo.is_leg(varchar, varchar, varchar) TO {consumer};
GRANT SELECT, INSERT, DELETE ON bo.consumer_dlq_events TO {consumer};
GRANT UPDATE (replayed_at) ON bo.consumer_dlq_events TO {consumer};

GRANT SELECT ON bo.ledger_entries, bo.payment_orders, bo.payment_ledger_pairs, bo.moved_halves TO {api};
-- added, never read back, changed or removed; audit_id is the database's to give
GRANT INSERT (
    actor_id, actor_roles, action, resource_type, resource_id, result, status_code, request_method, request_path,
    request_query, client_ip, user_agent, correlation_id, duration_ms, result_count, requested_at
) ON bo.admin_audit_logs TO {api};
