-- payment_lines: the payment orders of the day with a user, and the category of each (not stored).
-- Grain: one row per payment order of the day with a user. Key: order_ref.
-- Inputs: orders (silver.order_events of the day), order_items, products. Contract: lakehouse 4, pipeline C: category of
-- the item with the greatest price x quantity (missing quantity = 1, missing price = 0, tie: smallest item_id); null
-- when no item matches or that item's product is unknown.
WITH paid AS (
    SELECT order_ref, user_id, merchant_name, amount, status
    FROM orders
    WHERE order_source = 'PAYMENT_ORDERS' AND event_date_kst = $date AND NOT nsc_is_missing(user_id)
),
valued AS (
    SELECT
        i.order_ref,
        i.item_id,
        i.product_id,
        nsc_line_value(coalesce(i.price_at_purchase, CAST(0 AS DECIMAL(38, 2))), coalesce(i.quantity, 1)) AS line_value
    FROM paid p
    JOIN order_items i ON i.order_ref = p.order_ref
),
leading AS (
    SELECT order_ref, first_value(product_id ORDER BY line_value DESC, item_id ASC) AS product_id
    FROM valued
    GROUP BY order_ref
)
SELECT p.user_id, p.merchant_name, p.amount, p.status, r.category
FROM paid p
LEFT JOIN leading l ON l.order_ref = p.order_ref
LEFT JOIN products r ON r.product_id = l.product_id
