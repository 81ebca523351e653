-- One ledger entry, its order, the order's pair, the opposite entry when the pair is not complete, and what of the other
-- leg is compared.
-- Grain: one row, or none. Contract: serving 6, GET /admin/tx/{tx_id}.
SELECT
    e.tx_id, e.wallet_id, e.entry_type, e.amount, e.amount_signed, e.related_id, e.related_type, e.event_time,
    e.ingested_at,
    orders.order_id, orders.user_id, orders.merchant_name, orders.amount AS order_amount, orders.status,
    orders.created_at AS order_created_at, orders.ingested_at AS order_ingested_at,
    pair.payment_order_id, pair.payment_tx_id, pair.receive_tx_id, pair.payer_wallet_id, pair.payee_wallet_id,
    pair.amount AS pair_amount, pair.status AS pair_status,
    peer.tx_id AS peer_tx_id, peer.wallet_id AS peer_wallet_id,
    other.amount AS other_amount, other.event_time AS other_event_time, twin.found AS is_both_sides
FROM bo.ledger_entries AS e
LEFT JOIN LATERAL (
    SELECT o.order_id, o.user_id, o.merchant_name, o.amount, o.status, o.created_at, o.ingested_at
    FROM bo.payment_orders AS o
    WHERE o.order_id = e.related_id
        AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
    LIMIT 1
) AS orders ON true
LEFT JOIN LATERAL (
    SELECT
        p.payment_order_id, p.payment_tx_id, p.receive_tx_id, p.payer_wallet_id, p.payee_wallet_id, p.amount, p.status
    FROM bo.payment_ledger_pairs AS p
    WHERE p.payment_order_id = e.related_id
        AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
        -- what an entry was before a correction is not its own other leg
        AND CASE e.entry_type WHEN 'PAYMENT' THEN p.receive_tx_id WHEN 'RECEIVE' THEN p.payment_tx_id END
            IS DISTINCT FROM e.tx_id
    LIMIT 1
) AS pair ON true
LEFT JOIN LATERAL (
    SELECT opposite.tx_id, opposite.wallet_id
    FROM bo.ledger_entries AS opposite
    -- "= ANY" and the whole order: no other index fits than the one that begins with the id and the side
    WHERE (pair.payment_tx_id IS NULL OR pair.receive_tx_id IS NULL)
        AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
        AND opposite.related_id = ANY (ARRAY[e.related_id::text])
        AND left(opposite.entry_type, 16)
            = CASE e.entry_type WHEN 'PAYMENT' THEN 'RECEIVE' WHEN 'RECEIVE' THEN 'PAYMENT' END
        AND opposite.related_id IS NOT NULL
        AND (opposite.related_type IS NULL OR opposite.related_type = 'PAYMENT_ORDER')
    ORDER BY opposite.related_id, opposite.event_time, opposite.tx_id
    LIMIT 1
) AS peer ON true
-- what is shown as the other leg, for the flags
LEFT JOIN LATERAL (
    SELECT leg.amount, leg.event_time
    FROM bo.ledger_entries AS leg
    WHERE leg.tx_id = CASE e.entry_type
        WHEN 'PAYMENT' THEN coalesce(pair.receive_tx_id, peer.tx_id)
        WHEN 'RECEIVE' THEN coalesce(pair.payment_tx_id, peer.tx_id)
    END
    LIMIT 1
) AS other ON true
LEFT JOIN LATERAL (
    SELECT true AS found
    FROM bo.moved_halves AS m
    WHERE m.payment_order_id = e.related_id
        AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
        AND m.entry_type = CASE e.entry_type WHEN 'PAYMENT' THEN 'RECEIVE' WHEN 'RECEIVE' THEN 'PAYMENT' END
        -- a range and an order, so that only the key fits
        AND m.tx_id >= e.tx_id
        AND m.tx_id <= e.tx_id
    ORDER BY m.tx_id
    LIMIT 1
) AS twin ON true
WHERE e.tx_id = $1::text
