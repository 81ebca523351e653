-- Ledger entries of a batch; the latest version wins.
-- Grain: one row per tx_id, folded and sorted by the caller. Contract: serving 2.
-- Rows are taken in the order of their keys, or two writers would lock each other out. A row that is not newer than the
-- stored one is locked and left as it is. So is, unless $14, one that would take its entry out of a pair: which pairs are
-- left must be known first.
INSERT INTO bo.ledger_entries AS stored (
    tx_id, wallet_id, entry_type, amount, amount_signed, related_id, related_type, event_time, created_at, updated_at,
    source_version, payload_hash, ingested_at, source_partition, source_offset, source_taken_at
)
SELECT
    incoming.tx_id,
    incoming.wallet_id,
    incoming.entry_type,
    incoming.amount,
    incoming.amount_signed,
    incoming.related_id,
    incoming.related_type,
    incoming.event_time,
    incoming.created_at,
    incoming.updated_at,
    incoming.source_version,
    incoming.payload_hash,
    $13::timestamptz,
    incoming.source_partition,
    incoming.source_offset,
    incoming.source_taken_at
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::numeric[], $5::numeric[], $6::text[], $7::text[], $8::timestamptz[],
    $9::timestamptz[], $10::timestamptz[], $11::bigint[], $12::bytea[],
    $15::integer[], $16::bigint[], $17::timestamptz[]
) AS incoming (
    tx_id, wallet_id, entry_type, amount, amount_signed, related_id, related_type, event_time, created_at, updated_at,
    source_version, payload_hash, source_partition, source_offset, source_taken_at
)
ORDER BY incoming.tx_id COLLATE "C"
ON CONFLICT (tx_id) DO UPDATE SET
    wallet_id = EXCLUDED.wallet_id,
    entry_type = EXCLUDED.entry_type,
    amount = EXCLUDED.amount,
    amount_signed = EXCLUDED.amount_signed,
    related_id = EXCLUDED.related_id,
    related_type = EXCLUDED.related_type,
    event_time = EXCLUDED.event_time,
    created_at = EXCLUDED.created_at,
    updated_at = EXCLUDED.updated_at,
    source_version = EXCLUDED.source_version,
    payload_hash = EXCLUDED.payload_hash,
    ingested_at = EXCLUDED.ingested_at,
    source_partition = EXCLUDED.source_partition,
    source_offset = EXCLUDED.source_offset,
    source_taken_at = EXCLUDED.source_taken_at
WHERE (
    $14::boolean
    OR NOT bo.is_leg(stored.related_id, stored.entry_type, stored.related_type)
    OR (
        bo.is_leg(EXCLUDED.related_id, EXCLUDED.entry_type, EXCLUDED.related_type)
        AND (EXCLUDED.related_id, EXCLUDED.entry_type) = (stored.related_id, stored.entry_type)
    )
)
AND CASE
    -- neither version: by arrival, never over a row that has one, and no write when nothing changed
    WHEN EXCLUDED.updated_at IS NULL AND EXCLUDED.source_version IS NULL
        THEN stored.updated_at IS NULL
            AND stored.source_version IS NULL
            AND stored.payload_hash <> EXCLUDED.payload_hash
            -- one that stood before the stored one in its partition, and was taken before that was stored, is older,
            -- whoever brings it and when; in a topic that was made anew offsets begin again, and nothing was taken yet
            AND (
                EXCLUDED.source_partition = stored.source_partition
                AND EXCLUDED.source_offset < stored.source_offset
                AND EXCLUDED.source_taken_at <= stored.ingested_at
            ) IS NOT TRUE
    -- a total order, missing below everything; version 0 is a version
    ELSE (
        coalesce(EXCLUDED.updated_at, '-infinity'),
        EXCLUDED.source_version IS NOT NULL,
        coalesce(EXCLUDED.source_version, 0),
        EXCLUDED.payload_hash
    ) > (
        coalesce(stored.updated_at, '-infinity'),
        stored.source_version IS NOT NULL,
        coalesce(stored.source_version, 0),
        stored.payload_hash
    )
END
