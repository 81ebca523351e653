-- payment_orders_of_day: payment orders whose newest version is of the day, as far as the Bronze files read tell (not stored).
-- Grain: one row per order. Key: order_id.
-- Input: payment_orders_raw (Bronze: every version that may be of the day). Contract: lakehouse 4, B-3/B-4: newest version
-- per order_id by ground rule "Newest", KST day of its created_at; a bad amount does not exclude an order, a malformed line
-- and a missing order_id do.
WITH versions AS (
    SELECT
        order_id,
        nsc_version_key(nsc_timestamp(updated_at), source_extracted_at, ingested_at, load_id, source_ref) AS version
    FROM payment_orders_raw
    WHERE _corrupt_record IS NULL AND NOT nsc_is_missing(order_id)
),
newest AS (
    SELECT order_id, max(version) AS version FROM versions GROUP BY order_id
)
SELECT n.order_id, nsc_clean(r.merchant_name) AS merchant_name, nsc_alias(r.status, $status_aliases) AS status, n.version
FROM newest n
JOIN payment_orders_raw r
    ON r.order_id = n.order_id
    AND nsc_version_key(nsc_timestamp(r.updated_at), r.source_extracted_at, r.ingested_at, r.load_id, r.source_ref) = n.version
WHERE nsc_date_kst(nsc_timestamp(r.created_at)) = $date
