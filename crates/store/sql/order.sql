-- One payment order with its pair and its ledger entries, newest first, then by tx_id.
-- Grain: one row per entry of the order; one row without an entry when it has none. Contract: serving 6,
-- GET /admin/payment-orders/{order_id}.
SELECT
    orders.order_id, orders.user_id, orders.merchant_name, orders.amount AS order_amount, orders.status,
    orders.created_at AS order_created_at, orders.ingested_at AS order_ingested_at,
    pair.payment_order_id, pair.payment_tx_id, pair.receive_tx_id, pair.payer_wallet_id, pair.payee_wallet_id,
    pair.amount AS pair_amount, pair.status AS pair_status,
    e.tx_id, e.wallet_id, e.entry_type, e.amount, e.amount_signed, e.related_id, e.related_type, e.event_time,
    e.ingested_at
FROM bo.payment_orders AS orders
LEFT JOIN LATERAL (
    SELECT
        p.payment_order_id, p.payment_tx_id, p.receive_tx_id, p.payer_wallet_id, p.payee_wallet_id, p.amount, p.status
    FROM bo.payment_ledger_pairs AS p
    WHERE p.payment_order_id = orders.order_id
    LIMIT 1
) AS pair ON true
LEFT JOIN LATERAL (
    SELECT
        entry.tx_id, entry.wallet_id, entry.entry_type, entry.amount, entry.amount_signed, entry.related_id,
        entry.related_type, entry.event_time, entry.ingested_at
    FROM bo.ledger_entries AS entry
    WHERE entry.related_id = orders.order_id
        AND (entry.related_type IS NULL OR entry.related_type = 'PAYMENT_ORDER')
    -- a fence: else the plan may read the index of all event times, because it has the right order
    OFFSET 0
) AS e ON true
WHERE orders.order_id = $1::text
ORDER BY e.event_time DESC, e.tx_id
