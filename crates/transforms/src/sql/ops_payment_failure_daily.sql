-- gold.ops_payment_failure_daily (B-3): the share of failed payment orders.
-- Grain: one row per merchant with an order of the day. Key: date_kst, merchant_name (null-safe).
-- Input: payment_day. Contract: lakehouse 4, B-3/B-4.
SELECT
    merchant_name,
    sum(order_cnt) AS total_cnt,
    sum(CASE WHEN array_has($payment_failed_status, status) THEN order_cnt ELSE 0 END) AS failed_cnt,
    nsc_rate(sum(CASE WHEN array_has($payment_failed_status, status) THEN order_cnt ELSE 0 END), sum(order_cnt)) AS failure_rate
FROM payment_day
GROUP BY merchant_name
