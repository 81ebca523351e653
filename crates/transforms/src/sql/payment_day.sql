-- payment_day: orders of the day by merchant and status, what B-3 and B-4 count (not stored).
-- Grain: one row per merchant and status. Key: merchant_name, status (null-safe).
-- Input: payment_orders_of_day, payment_versions_elsewhere (versions of the same orders that Silver has on another day).
-- Contract: lakehouse 4, B-3/B-4: the newest version decides the day of an order.
SELECT
    o.merchant_name,
    o.status,
    -- the same file loaded twice by force leaves copies that even the position does not tell apart
    count(DISTINCT o.order_id) AS order_cnt
FROM payment_orders_of_day o
WHERE NOT EXISTS (
    SELECT 1 FROM payment_versions_elsewhere e WHERE e.order_id = o.order_id AND e.version > o.version
)
GROUP BY o.merchant_name, o.status
