-- One dead letter.
-- Grain: one row. Contract: serving 4.
SELECT
    dlq_id, topic, partition, "offset", key, payload, error_class, error, correlation_id, ingested_at, replayed_at
FROM bo.consumer_dlq_events
WHERE dlq_id = $1::bigint
