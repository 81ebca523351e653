-- How many pairs wait for their other leg, and since when.
-- Grain: one row. Contract: serving 8 (pairing_incomplete_age_seconds). Reads the partial index only.
SELECT count(*) AS incomplete, min(event_time) AS oldest
FROM bo.payment_ledger_pairs
WHERE payment_tx_id IS NULL OR receive_tx_id IS NULL
