-- A page of a wallet's entries with everything tx.sql gives, newest first, then by tx_id.
-- Grain: one row per entry. Contract: serving 6, GET /admin/wallets/{wallet_id}/tx.
-- $2 and $3 are the half-open window, infinite where open; $4 and $5 the entry the page before ended with.
SELECT
    e.tx_id, e.wallet_id, e.entry_type, e.amount, e.amount_signed, e.related_id, e.related_type, e.event_time,
    e.ingested_at,
    orders.order_id, orders.user_id, orders.merchant_name, orders.amount AS order_amount, orders.status,
    orders.created_at AS order_created_at, orders.ingested_at AS order_ingested_at,
    pair.payment_order_id, pair.payment_tx_id, pair.receive_tx_id, pair.payer_wallet_id, pair.payee_wallet_id,
    pair.amount AS pair_amount, pair.status AS pair_status,
    peer.tx_id AS peer_tx_id, peer.wallet_id AS peer_wallet_id
FROM (
    SELECT
        entry.tx_id, entry.wallet_id, entry.entry_type, entry.amount, entry.amount_signed, entry.related_id,
        entry.related_type, entry.event_time, entry.ingested_at
    FROM bo.ledger_entries AS entry
    WHERE entry.wallet_id = $1::text
        AND entry.event_time >= $2::timestamptz
        AND entry.event_time < $3::timestamptz
        AND entry.event_time <= $4::timestamptz
        AND (entry.event_time < $4::timestamptz OR entry.tx_id > $5::text)
    ORDER BY entry.event_time DESC, entry.tx_id
    LIMIT $6::bigint
) AS e
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
ORDER BY e.event_time DESC, e.tx_id
