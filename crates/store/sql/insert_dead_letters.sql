-- Messages given up. One that is stored already (a delivery repeated after a crash) is not stored again.
-- Grain: one row per message and content. Contract: serving 4.
INSERT INTO bo.consumer_dlq_events (
    topic, partition, "offset", key, payload, error_class, error, correlation_id, content_hash, ingested_at
)
SELECT
    letter.topic,
    letter.partition,
    letter."offset",
    letter.key,
    letter.payload,
    letter.error_class,
    letter.error,
    letter.correlation_id,
    letter.content_hash,
    $10::timestamptz
FROM unnest(
    $1::text[], $2::integer[], $3::bigint[], $4::bytea[], $5::bytea[], $6::text[], $7::text[], $8::text[], $9::bytea[]
) AS letter (topic, partition, "offset", key, payload, error_class, error, correlation_id, content_hash)
ORDER BY letter.topic COLLATE "C", letter.partition, letter."offset", letter.content_hash
ON CONFLICT (topic, partition, "offset", content_hash) DO NOTHING
