-- A group of audit rows, in one transaction.
-- Grain: one row per attempt. Contract: serving 5 and 7.
INSERT INTO bo.admin_audit_logs (
    actor_id, actor_roles, action, resource_type, resource_id, result, status_code, request_method, request_path,
    request_query, client_ip, user_agent, correlation_id, duration_ms, result_count, requested_at
)
SELECT *
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::integer[], $16::timestamptz[]
)
