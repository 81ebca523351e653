-- Brings locked pair rows to what they are, now that everything committed before the locks can be seen.
-- Grain: one row per order of $1; gives the rows that changed. Contract: serving 3.
-- The rows are found by key and written by their place: they are locked, so that they stay there.
UPDATE bo.payment_ledger_pairs AS stored SET
    payment_tx_id = changed.payment_tx_id,
    receive_tx_id = changed.receive_tx_id,
    payer_wallet_id = changed.payer_wallet_id,
    payee_wallet_id = changed.payee_wallet_id,
    amount = changed.amount,
    status = changed.status,
    event_time = changed.event_time,
    updated_at = changed.updated_at,
    ingested_at = $2::timestamptz
FROM (
    SELECT computed.*, before.place, before.was_complete
    FROM computed
    CROSS JOIN LATERAL (
        SELECT
            p.ctid AS place,
            p.payment_tx_id IS NOT NULL AND p.receive_tx_id IS NOT NULL AS was_complete,
            (
                p.payment_tx_id, p.receive_tx_id, p.payer_wallet_id, p.payee_wallet_id, p.amount, p.status,
                p.event_time, p.updated_at
            ) IS DISTINCT FROM (
                computed.payment_tx_id, computed.receive_tx_id, computed.payer_wallet_id, computed.payee_wallet_id,
                computed.amount, computed.status, computed.event_time, computed.updated_at
            ) AS differs
        FROM bo.payment_ledger_pairs AS p
        WHERE p.payment_order_id = computed.payment_order_id
        LIMIT 1
    ) AS before
    WHERE before.differs
) AS changed
WHERE stored.ctid = changed.place
RETURNING changed.was_complete, stored.payment_tx_id IS NOT NULL AND stored.receive_tx_id IS NOT NULL AS is_complete
