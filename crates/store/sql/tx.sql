-- One ledger entry, its order, the order's pair, and the opposite entry when the pair is not complete.
-- Grain: one row, or none. Contract: serving 6, GET /admin/tx/{tx_id}.
SELECT
    e.tx_id, e.wallet_id, e.entry_type, e.amount, e.amount_signed, e.related_id, e.related_type, e.event_time,
    e.ingested_at,
    orders.order_id, orders.user_id, orders.merchant_name, orders.amount AS order_amount, orders.status,
    orders.created_at AS order_created_at, orders.ingested_at AS order_ingested_at,
    pair.payment_order_id, pair.payment_tx_id, pair.receive_tx_id, pair.payer_wallet_id, pair.payee_wallet_id,
    pair.amount AS pair_amount, pair.status AS pair_status,
    peer.tx_id AS peer_tx_id, peer.wallet_id AS peer_wallet_id
FROM bo.ledger_entries AS e
LEFT JOIN bo.payment_orders AS orders
    ON orders.order_id = e.related_id AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
LEFT JOIN bo.payment_ledger_pairs AS pair
    ON pair.payment_order_id = e.related_id AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
LEFT JOIN LATERAL (
    SELECT opposite.tx_id, opposite.wallet_id
    FROM bo.ledger_entries AS opposite
    WHERE (pair.payment_tx_id IS NULL OR pair.receive_tx_id IS NULL)
        AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
        AND opposite.related_id = e.related_id
        AND (opposite.related_type IS NULL OR opposite.related_type = 'PAYMENT_ORDER')
        AND opposite.entry_type = CASE e.entry_type WHEN 'PAYMENT' THEN 'RECEIVE' WHEN 'RECEIVE' THEN 'PAYMENT' END
    ORDER BY opposite.event_time, opposite.tx_id
    LIMIT 1
) AS peer ON true
WHERE e.tx_id = $1::text
