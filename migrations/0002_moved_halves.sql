-- Halves of pairs that a later version moved elsewhere (contract: serving 3).
--
-- A pair never falls back from complete to incomplete and does not depend on the order of arrival. So what an entry
-- was once, for an order, stays a candidate for that order, although the entry's row says something else now. An
-- append-only ledger never moves an entry; then this table is empty.

CREATE TABLE bo.moved_halves (
    payment_order_id varchar(255) COLLATE "C",
    entry_type varchar(16) COLLATE "C",
    tx_id varchar(255) COLLATE "C",
    wallet_id varchar(255) COLLATE "C" NOT NULL,
    amount numeric(18, 2) NOT NULL,
    event_time timestamptz NOT NULL,
    updated_at timestamptz,
    source_version bigint,
    payload_hash bytea NOT NULL,
    PRIMARY KEY (payment_order_id, entry_type, tx_id)
);

-- The row that is replaced is newer than whatever is kept for the same half: it was the newest until now.
CREATE FUNCTION bo.keep_moved_half() RETURNS trigger
LANGUAGE plpgsql
SET search_path = ''
AS $$
BEGIN
    INSERT INTO bo.moved_halves (
        payment_order_id, entry_type, tx_id, wallet_id, amount, event_time, updated_at, source_version, payload_hash
    )
    VALUES (
        OLD.related_id, OLD.entry_type, OLD.tx_id, OLD.wallet_id, OLD.amount, OLD.event_time, OLD.updated_at,
        OLD.source_version, OLD.payload_hash
    )
    ON CONFLICT (payment_order_id, entry_type, tx_id) DO UPDATE SET
        wallet_id = EXCLUDED.wallet_id,
        amount = EXCLUDED.amount,
        event_time = EXCLUDED.event_time,
        updated_at = EXCLUDED.updated_at,
        source_version = EXCLUDED.source_version,
        payload_hash = EXCLUDED.payload_hash;
    RETURN NULL;
END
$$;

CREATE TRIGGER keep_moved_half
AFTER UPDATE ON bo.ledger_entries
FOR EACH ROW
WHEN (
    OLD.related_id IS NOT NULL
    AND OLD.entry_type IN ('PAYMENT', 'RECEIVE')
    AND (OLD.related_type IS NULL OR OLD.related_type = 'PAYMENT_ORDER')
    AND (OLD.related_id, OLD.entry_type, coalesce(OLD.related_type, 'PAYMENT_ORDER'))
        IS DISTINCT FROM (NEW.related_id, NEW.entry_type, coalesce(NEW.related_type, 'PAYMENT_ORDER'))
)
EXECUTE FUNCTION bo.keep_moved_half();
