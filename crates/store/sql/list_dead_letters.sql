-- Dead letters by id, oldest first.
-- Grain: one row per dead letter. Contract: serving 4.
SELECT
    dlq_id, topic, partition, "offset", key, payload, error_class, error, correlation_id, ingested_at, replayed_at
FROM bo.consumer_dlq_events
WHERE dlq_id > $1::bigint
    AND ($2::text IS NULL OR topic = $2)
    AND ingested_at >= $3::timestamptz
    AND ($4::boolean IS NULL OR (replayed_at IS NOT NULL) = $4)
ORDER BY dlq_id
LIMIT $5::bigint
