-- Which of some orders have a pair.
-- Grain: one row per order of $1 that has one. Contract: serving 3. A pair row is never removed.
SELECT given.id
FROM unnest($1::text[]) AS given (id)
CROSS JOIN LATERAL (
    SELECT 1
    FROM bo.payment_ledger_pairs AS p
    WHERE p.payment_order_id = given.id
    LIMIT 1
) AS pair
