-- Removes pair rows that were made to lock an order of which no half is known.
-- Grain: one row per order of $1. Contract: serving 3.
DELETE FROM bo.payment_ledger_pairs
WHERE payment_order_id = ANY($1::text[])
    AND payment_tx_id IS NULL
    AND receive_tx_id IS NULL
