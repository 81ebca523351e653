-- Marks dead letters as replayed; the first time counts.
-- Grain: one row per dead letter. Contract: serving 4.
UPDATE bo.consumer_dlq_events SET replayed_at = $2::timestamptz
WHERE dlq_id = ANY($1::bigint[])
    AND replayed_at IS NULL
