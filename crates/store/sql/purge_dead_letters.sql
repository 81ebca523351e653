-- Deletes dead letters past their retention, some at a time, so that no lock is held for long.
-- Grain: one row per dead letter. Contract: serving 4.
DELETE FROM bo.consumer_dlq_events
WHERE dlq_id = ANY(ARRAY(
    SELECT old.dlq_id
    FROM bo.consumer_dlq_events AS old
    WHERE old.ingested_at < $1::timestamptz
    ORDER BY old.ingested_at
    LIMIT $2::bigint
))
