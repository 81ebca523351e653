-- The links of the audit rows after an id: what a row says came before it, its own hash, and whether that is the hash of what it
-- says.
-- Grain: one row per attempt. Contract: serving 7. Rows of before the chain have no hash.
SELECT
    l.audit_id, l.prev_hash, l.row_hash,
    l.row_hash IS NOT DISTINCT FROM bo.audit_row_hash(l.prev_hash, l) AS is_whole
FROM bo.admin_audit_logs AS l
WHERE l.audit_id > $1::bigint
ORDER BY l.audit_id
LIMIT $2::bigint
