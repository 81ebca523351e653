-- What an entry was, for an order, according to an event that is not the newest of its tx_id.
-- Grain: one row per order, side and tx_id, folded by the caller. Contract: serving 3.
-- Only where the stored row is another leg or none: else the stored row is the newer version of this very leg. The
-- stored rows are locked by this transaction, so that nobody moves them meanwhile.
INSERT INTO bo.moved_halves AS kept (
    payment_order_id, entry_type, tx_id, wallet_id, amount, event_time, updated_at, source_version, payload_hash
)
SELECT
    former.payment_order_id,
    former.entry_type,
    former.tx_id,
    former.wallet_id,
    former.amount,
    former.event_time,
    former.updated_at,
    former.source_version,
    former.payload_hash
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::numeric[], $6::timestamptz[], $7::timestamptz[], $8::bigint[],
    $9::bytea[]
) AS former (
    payment_order_id, entry_type, tx_id, wallet_id, amount, event_time, updated_at, source_version, payload_hash
)
CROSS JOIN LATERAL (
    SELECT
        e.related_id = former.payment_order_id
        AND e.entry_type = former.entry_type
        AND bo.is_leg(e.related_id, e.entry_type, e.related_type) AS is_this_leg
    FROM bo.ledger_entries AS e
    WHERE e.tx_id = former.tx_id
    LIMIT 1
) AS entry
WHERE entry.is_this_leg IS NOT TRUE
ORDER BY former.tx_id COLLATE "C", former.payment_order_id COLLATE "C", former.entry_type COLLATE "C"
ON CONFLICT (payment_order_id, entry_type, tx_id) DO UPDATE SET
    wallet_id = EXCLUDED.wallet_id,
    amount = EXCLUDED.amount,
    event_time = EXCLUDED.event_time,
    updated_at = EXCLUDED.updated_at,
    source_version = EXCLUDED.source_version,
    payload_hash = EXCLUDED.payload_hash
WHERE CASE
    WHEN EXCLUDED.updated_at IS NULL AND EXCLUDED.source_version IS NULL
        THEN kept.updated_at IS NULL AND kept.source_version IS NULL
    ELSE (
        coalesce(EXCLUDED.updated_at, '-infinity'),
        EXCLUDED.source_version IS NOT NULL,
        coalesce(EXCLUDED.source_version, 0),
        EXCLUDED.payload_hash
    ) > (
        coalesce(kept.updated_at, '-infinity'),
        kept.source_version IS NOT NULL,
        coalesce(kept.source_version, 0),
        kept.payload_hash
    )
END
