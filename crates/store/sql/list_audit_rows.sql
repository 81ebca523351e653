-- Looks on record by id, oldest first.
-- Grain: one row per attempt. Contract: serving 7.
SELECT
    audit_id, actor_id, actor_roles, action, resource_type, resource_id, result, status_code, request_method, request_path,
    request_query, client_ip, user_agent, correlation_id, duration_ms, result_count, requested_at
FROM bo.admin_audit_logs
WHERE audit_id > $1::bigint
    AND ($2::text IS NULL OR actor_id = $2)
    AND ($3::text IS NULL OR resource_id = $3)
    AND ($4::text IS NULL OR action = $4)
    AND requested_at >= $5::timestamptz
    AND requested_at < $6::timestamptz
ORDER BY audit_id
LIMIT $7::bigint
