-- Sets the version of one stored entry, so that what was refused as older is taken again.
-- Grain: the entry of $1; gives its former version, and the order whose pair it is leg of. Contract: serving 2.
-- The hash, last level of the order, becomes the lowest: an event of this very version is newer too.
UPDATE bo.ledger_entries AS stored SET
    updated_at = $2::timestamptz,
    source_version = $3::bigint,
    payload_hash = decode(repeat('00', 16), 'hex')
FROM (
    SELECT e.tx_id, e.updated_at, e.source_version
    FROM bo.ledger_entries AS e
    WHERE e.tx_id = $1::text
    FOR UPDATE
) AS former
WHERE stored.tx_id = $1::text
RETURNING
    former.updated_at,
    former.source_version,
    CASE
        WHEN stored.entry_type IN ('PAYMENT', 'RECEIVE')
            AND (stored.related_type IS NULL OR stored.related_type = 'PAYMENT_ORDER')
            THEN stored.related_id
    END AS payment_order_id
