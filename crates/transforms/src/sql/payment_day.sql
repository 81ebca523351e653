-- payment_day: orders of the day by merchant and status, what B-3 and B-4 count (not stored).
-- Grain: one row per merchant and status. Key: merchant_name, status (null-safe).
-- Input: payment_orders_raw (Bronze: every version that may be of the day), payment_versions_elsewhere (versions of the same
-- orders that Silver has on another day). Contract: lakehouse 4, B-3/B-4: newest version per order_id by ground rule
-- "Newest", KST day of its created_at; a bad amount does not exclude an order, a malformed line and a missing order_id do.
WITH versions AS (
    SELECT
        order_id,
        nsc_version_key(nsc_timestamp(updated_at), source_extracted_at, ingested_at, source_ref) AS version
    FROM payment_orders_raw
    WHERE _corrupt_record IS NULL AND NOT nsc_is_missing(order_id)
    UNION ALL
    SELECT order_id, version FROM payment_versions_elsewhere
),
newest AS (
    SELECT order_id, max(version) AS version FROM versions GROUP BY order_id
)
SELECT
    nsc_clean(r.merchant_name) AS merchant_name,
    r.status,
    -- the same file loaded twice by force leaves copies that even the position does not tell apart
    count(DISTINCT r.order_id) AS order_cnt
FROM newest n
JOIN payment_orders_raw r
    ON r.order_id = n.order_id
    AND nsc_version_key(nsc_timestamp(r.updated_at), r.source_extracted_at, r.ingested_at, r.source_ref) = n.version
WHERE nsc_date_kst(nsc_timestamp(r.created_at)) = $date
GROUP BY nsc_clean(r.merchant_name), r.status
