-- What is compared of the legs of pairs.
-- Grain: one row per order of $1 whose pair is complete: its place among the arguments, and both legs.
-- Contract: serving 3.
SELECT
    given.place,
    payment.amount AS payment_amount, payment.event_time AS payment_event_time,
    receive.amount AS receive_amount, receive.event_time AS receive_event_time
FROM unnest($1::text[]) WITH ORDINALITY AS given (id, place)
CROSS JOIN LATERAL (
    SELECT p.payment_tx_id, p.receive_tx_id
    FROM bo.payment_ledger_pairs AS p
    WHERE p.payment_order_id = given.id
    LIMIT 1
) AS pair
CROSS JOIN LATERAL (
    SELECT e.amount, e.event_time FROM bo.ledger_entries AS e WHERE e.tx_id = pair.payment_tx_id LIMIT 1
) AS payment
CROSS JOIN LATERAL (
    SELECT e.amount, e.event_time FROM bo.ledger_entries AS e WHERE e.tx_id = pair.receive_tx_id LIMIT 1
) AS receive
