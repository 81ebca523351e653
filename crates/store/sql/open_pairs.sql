-- Makes the pair rows that do not exist yet and locks those that do.
-- Grain: one row per order of $1; gives the rows that were made. Contract: serving 3.
-- Rows are taken in the order of their keys, or two writers would lock each other out. A row that was made is right:
-- whoever had written a half that this statement does not see would have made the row before. One that exists may be
-- older than what is known now: recompute_pairs.sql follows.
INSERT INTO bo.payment_ledger_pairs (
    payment_order_id, payment_tx_id, receive_tx_id, payer_wallet_id, payee_wallet_id, amount, status, event_time,
    updated_at, ingested_at
)
SELECT
    computed.payment_order_id,
    computed.payment_tx_id,
    computed.receive_tx_id,
    computed.payer_wallet_id,
    computed.payee_wallet_id,
    computed.amount,
    computed.status,
    computed.event_time,
    computed.updated_at,
    $2::timestamptz
FROM computed
ORDER BY computed.payment_order_id COLLATE "C"
ON CONFLICT (payment_order_id) DO UPDATE SET payment_order_id = EXCLUDED.payment_order_id
WHERE false
RETURNING payment_order_id, payment_tx_id IS NOT NULL AND receive_tx_id IS NOT NULL AS is_complete
