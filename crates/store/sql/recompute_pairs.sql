-- Brings locked pair rows to what they are, now that everything committed before the locks can be seen.
-- Grain: one row per order of $1; gives the rows that changed. Contract: serving 3.
UPDATE bo.payment_ledger_pairs AS stored SET
    payment_tx_id = computed.payment_tx_id,
    receive_tx_id = computed.receive_tx_id,
    payer_wallet_id = computed.payer_wallet_id,
    payee_wallet_id = computed.payee_wallet_id,
    amount = computed.amount,
    status = computed.status,
    event_time = computed.event_time,
    updated_at = computed.updated_at,
    ingested_at = $2::timestamptz
FROM computed
JOIN bo.payment_ledger_pairs AS before ON before.payment_order_id = computed.payment_order_id
WHERE stored.payment_order_id = computed.payment_order_id
    AND (
        before.payment_tx_id, before.receive_tx_id, before.payer_wallet_id, before.payee_wallet_id, before.amount,
        before.status, before.event_time, before.updated_at
    ) IS DISTINCT FROM (
        computed.payment_tx_id, computed.receive_tx_id, computed.payer_wallet_id, computed.payee_wallet_id,
        computed.amount, computed.status, computed.event_time, computed.updated_at
    )
RETURNING
    stored.payment_order_id,
    before.payment_tx_id IS NOT NULL AND before.receive_tx_id IS NOT NULL AS was_complete,
    stored.payment_tx_id IS NOT NULL AND stored.receive_tx_id IS NOT NULL AS is_complete
