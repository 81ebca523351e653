-- Audit rows that hold one another (contract: serving 7), and what the tables say of themselves.
--
-- Each new row carries the hash of the row before it and its own. Who removes or changes a row, the owner of the schema
-- included, breaks the chain from there on: nsc audit verify names the first row that does not fit. Rows of before have
-- no hash and are not covered.
--
-- Expand and contract: the columns are filled by a trigger, so a program that knows only version 4 adds rows as it did.
ALTER TABLE bo.admin_audit_logs
    ADD COLUMN prev_hash bytea,
    ADD COLUMN row_hash bytea;

-- What a row says, with what went before it, as one hash. The time as the server sends it: no setting of a session may
-- count.
CREATE FUNCTION bo.audit_row_hash(previous bytea, looked bo.admin_audit_logs) RETURNS bytea
LANGUAGE sql
IMMUTABLE
SET search_path = ''
AS $$
    SELECT pg_catalog.sha256(previous || pg_catalog.convert_to(pg_catalog.jsonb_build_array(
        looked.audit_id, looked.actor_id, looked.actor_roles, looked.action, looked.resource_type, looked.resource_id,
        looked.result, looked.status_code, looked.request_method, looked.request_path, looked.request_query,
        looked.client_ip, looked.user_agent, looked.correlation_id, looked.duration_ms, looked.result_count,
        encode(timestamptz_send(looked.requested_at), 'hex')
    )::text, 'UTF8'))
$$;

-- Writers take turns, so that the order of the ids is the order of the chain. The lock ends with the transaction, which is
-- one statement of the API.
CREATE FUNCTION bo.chain_audit_row() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = ''
AS $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(7959390396463244641);
    NEW.audit_id := pg_catalog.nextval('bo.admin_audit_logs_audit_id_seq');
    NEW.prev_hash := (SELECT l.row_hash FROM bo.admin_audit_logs AS l ORDER BY l.audit_id DESC LIMIT 1);
    NEW.prev_hash := coalesce(NEW.prev_hash, pg_catalog.decode(pg_catalog.repeat('00', 32), 'hex'));
    NEW.row_hash := bo.audit_row_hash(NEW.prev_hash, NEW);
    RETURN NEW;
END
$$;

CREATE TRIGGER chain_audit_row
BEFORE INSERT ON bo.admin_audit_logs
FOR EACH ROW
EXECUTE FUNCTION bo.chain_audit_row();

COMMENT ON TABLE bo.ledger_entries IS 'One row per ledger entry: its newest version.';
COMMENT ON COLUMN bo.ledger_entries.amount_signed IS 'amount with the sign of the entry type; null for a type without one';
COMMENT ON COLUMN bo.ledger_entries.related_id IS 'Order, hold or transfer the entry belongs to';
COMMENT ON COLUMN bo.ledger_entries.related_type IS 'What related_id names; null counts as PAYMENT_ORDER';
COMMENT ON COLUMN bo.ledger_entries.updated_at IS 'First level of the version: the latest wins';
COMMENT ON COLUMN bo.ledger_entries.source_version IS 'Second level of the version';
COMMENT ON COLUMN bo.ledger_entries.payload_hash IS 'Last level of the version: 16 bytes over what the event says';
COMMENT ON COLUMN bo.ledger_entries.ingested_at IS 'When the row was last written here';
COMMENT ON TABLE bo.payment_orders IS 'One row per payment order: its newest version.';
COMMENT ON TABLE bo.payment_ledger_pairs IS 'One row per payment order with a leg: the PAYMENT and the RECEIVE entry of it.';
COMMENT ON COLUMN bo.payment_ledger_pairs.payment_tx_id IS 'The entry that pays; null while it is not known';
COMMENT ON COLUMN bo.payment_ledger_pairs.receive_tx_id IS 'The entry that receives; null while it is not known';
COMMENT ON COLUMN bo.payment_ledger_pairs.amount IS 'Amount of the order, else of the paying entry';
COMMENT ON TABLE bo.moved_halves IS 'What entries were once, for orders that a later version moved them away from.';
COMMENT ON TABLE bo.consumer_dlq_events IS 'One row per event that could not be stored, as it came.';
COMMENT ON TABLE bo.admin_audit_logs IS 'One row per attempt to look something up, committed before the answer.';
COMMENT ON COLUMN bo.admin_audit_logs.prev_hash IS 'row_hash of the row before; null in rows of before the chain';
COMMENT ON COLUMN bo.admin_audit_logs.row_hash IS 'Hash of prev_hash and of what the row says';
