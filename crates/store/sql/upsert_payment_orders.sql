-- Payment orders of a batch; the latest version wins.
-- Grain: one row per order_id, folded and sorted by the caller. Contract: serving 2.
-- As upsert_ledger_entries.sql, whose comments hold here too.
INSERT INTO bo.payment_orders AS stored (
    order_id, user_id, merchant_name, amount, status, created_at, updated_at, source_version, payload_hash, ingested_at,
    source_partition, source_offset, source_taken_at
)
SELECT
    incoming.order_id,
    incoming.user_id,
    incoming.merchant_name,
    incoming.amount,
    incoming.status,
    incoming.created_at,
    incoming.updated_at,
    incoming.source_version,
    incoming.payload_hash,
    $10::timestamptz,
    incoming.source_partition,
    incoming.source_offset,
    incoming.source_taken_at
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::numeric[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::bigint[],
    $9::bytea[],
    $11::integer[], $12::bigint[], $13::timestamptz[]
) AS incoming (
    order_id, user_id, merchant_name, amount, status, created_at, updated_at, source_version, payload_hash,
    source_partition, source_offset, source_taken_at
)
ORDER BY incoming.order_id COLLATE "C"
ON CONFLICT (order_id) DO UPDATE SET
    user_id = EXCLUDED.user_id,
    merchant_name = EXCLUDED.merchant_name,
    amount = EXCLUDED.amount,
    status = EXCLUDED.status,
    created_at = EXCLUDED.created_at,
    updated_at = EXCLUDED.updated_at,
    source_version = EXCLUDED.source_version,
    payload_hash = EXCLUDED.payload_hash,
    ingested_at = EXCLUDED.ingested_at,
    source_partition = EXCLUDED.source_partition,
    source_offset = EXCLUDED.source_offset,
    source_taken_at = EXCLUDED.source_taken_at
WHERE CASE
    WHEN EXCLUDED.updated_at IS NULL AND EXCLUDED.source_version IS NULL
        THEN stored.updated_at IS NULL
            AND stored.source_version IS NULL
            AND stored.payload_hash <> EXCLUDED.payload_hash
            AND (
                EXCLUDED.source_partition = stored.source_partition
                AND EXCLUDED.source_offset < stored.source_offset
                AND EXCLUDED.source_taken_at <= stored.ingested_at
            ) IS NOT TRUE
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
