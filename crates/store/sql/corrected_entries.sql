-- Which events of a batch say that an entry is another leg than the stored row says.
-- Grain: one row per such event: its place among the arguments, and the order whose leg the stored row is, if it is
-- one. Contract: serving 3. $2 is null for an event that is no leg. The stored rows are locked by this transaction.
SELECT event.place, entry.order_id
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS event (tx_id, order_id, entry_type, place)
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN bo.is_leg(e.related_id, e.entry_type, e.related_type) THEN e.related_id END AS order_id,
        e.entry_type
    FROM bo.ledger_entries AS e
    WHERE e.tx_id = event.tx_id
    LIMIT 1
) AS entry
WHERE event.order_id IS DISTINCT FROM entry.order_id
    OR (event.order_id IS NOT NULL AND event.entry_type <> entry.entry_type)
