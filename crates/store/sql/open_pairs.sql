-- Makes the pair rows that do not exist yet, puts other legs into those that do, and lets them follow their orders.
-- Grain: one row per order of $1, with the legs that the batch holds; gives the rows that were written.
-- Contract: serving 3. Rows are taken in the order of their keys, or two writers would lock each other out.
-- A row that is made is right: whoever had written another leg would have made it before. Of an order without a leg in
-- the batch an existing row takes over amount and status; nobody else can have written that order meanwhile. A leg goes
-- into an existing row whose side is empty: what the row says of the other leg and of the order is newer than what this
-- statement could read before it got the row. A row is only locked, and left to recompute_pairs.sql, where the side is
-- taken or the other side is what the same entry was once. So it is, or made and left to it, for an order that a
-- correction concerns, which comes with '' on both sides.
INSERT INTO bo.payment_ledger_pairs AS stored (
    payment_order_id, payment_tx_id, receive_tx_id, payer_wallet_id, payee_wallet_id, amount, status, event_time,
    updated_at, ingested_at
)
SELECT
    incoming.order_id,
    incoming.payment_tx_id,
    incoming.receive_tx_id,
    incoming.payer_wallet_id,
    incoming.payee_wallet_id,
    coalesce(orders.amount, incoming.amount),
    orders.status,
    coalesce(incoming.event_time, orders.created_at),
    greatest(incoming.updated_at, orders.updated_at),
    $9::timestamptz
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::timestamptz[], $8::timestamptz[]
) AS incoming (
    order_id, payment_tx_id, receive_tx_id, payer_wallet_id, payee_wallet_id, amount, event_time, updated_at
)
LEFT JOIN LATERAL (
    SELECT true AS found
    FROM bo.payment_ledger_pairs AS p
    WHERE p.payment_order_id = incoming.order_id
        AND incoming.event_time IS NULL
    LIMIT 1
) AS existing ON true
LEFT JOIN LATERAL (
    SELECT o.amount, o.status, o.created_at, o.updated_at
    FROM bo.payment_orders AS o
    WHERE o.order_id = incoming.order_id
        AND (incoming.event_time IS NOT NULL OR existing.found)
    LIMIT 1
) AS orders ON true
WHERE incoming.event_time IS NOT NULL OR existing.found
ORDER BY incoming.order_id COLLATE "C"
ON CONFLICT (payment_order_id) DO UPDATE SET
    payment_tx_id = coalesce(stored.payment_tx_id, EXCLUDED.payment_tx_id),
    receive_tx_id = coalesce(stored.receive_tx_id, EXCLUDED.receive_tx_id),
    payer_wallet_id = coalesce(stored.payer_wallet_id, EXCLUDED.payer_wallet_id),
    payee_wallet_id = coalesce(stored.payee_wallet_id, EXCLUDED.payee_wallet_id),
    amount = CASE
        WHEN EXCLUDED.payment_tx_id IS NULL AND EXCLUDED.receive_tx_id IS NULL THEN EXCLUDED.amount
        WHEN stored.status IS NOT NULL THEN stored.amount
        -- without an order the payment's amount counts, and that is the stored leg's
        WHEN EXCLUDED.status IS NULL AND EXCLUDED.payment_tx_id IS NULL THEN stored.amount
        ELSE EXCLUDED.amount
    END,
    status = CASE
        WHEN EXCLUDED.payment_tx_id IS NULL AND EXCLUDED.receive_tx_id IS NULL THEN EXCLUDED.status
        ELSE coalesce(stored.status, EXCLUDED.status)
    END,
    event_time = CASE
        WHEN EXCLUDED.payment_tx_id IS NULL AND EXCLUDED.receive_tx_id IS NULL THEN stored.event_time
        ELSE least(stored.event_time, EXCLUDED.event_time)
    END,
    updated_at = greatest(stored.updated_at, EXCLUDED.updated_at),
    ingested_at = EXCLUDED.ingested_at
WHERE CASE
    WHEN EXCLUDED.payment_tx_id IS NULL AND EXCLUDED.receive_tx_id IS NULL
        THEN (stored.amount, stored.status, stored.updated_at)
            IS DISTINCT FROM (EXCLUDED.amount, EXCLUDED.status, greatest(stored.updated_at, EXCLUDED.updated_at))
    ELSE (stored.payment_tx_id IS NULL OR EXCLUDED.payment_tx_id IS NULL)
        AND (stored.receive_tx_id IS NULL OR EXCLUDED.receive_tx_id IS NULL)
        AND stored.payment_tx_id IS DISTINCT FROM EXCLUDED.receive_tx_id
        AND stored.receive_tx_id IS DISTINCT FROM EXCLUDED.payment_tx_id
END
RETURNING payment_order_id, payment_tx_id IS NOT NULL AND receive_tx_id IS NOT NULL AS is_complete
