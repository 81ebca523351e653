-- Brings locked pair rows to what they are, now that everything committed before the locks can be seen.
-- Grain: one row per order of $1; gives the rows that changed. Contract: serving 3.
-- A pair is two different entries if there are two, then as few former halves as can be, then per side the earliest
-- event_time, then tx_id. A former half counts unless its entry is still, or again, that half.
-- LATERAL with LIMIT makes the plan go by key, even one that was made while the tables were empty. The rows are found by
-- key and written by their place: they are locked, so that they stay there.
WITH first AS MATERIALIZED (
    -- The first half of each side. At most one row per side is left: max only picks it.
    SELECT
        half.order_id,
        max(half.tx_id) FILTER (WHERE half.entry_type = 'PAYMENT') AS payment_tx_id,
        max(half.tx_id) FILTER (WHERE half.entry_type = 'RECEIVE') AS receive_tx_id,
        max(half.wallet_id) FILTER (WHERE half.entry_type = 'PAYMENT') AS payer_wallet_id,
        max(half.wallet_id) FILTER (WHERE half.entry_type = 'RECEIVE') AS payee_wallet_id,
        coalesce(
            max(half.amount) FILTER (WHERE half.entry_type = 'PAYMENT'),
            max(half.amount) FILTER (WHERE half.entry_type = 'RECEIVE')
        ) AS amount,
        min(half.event_time) AS event_time,
        max(half.updated_at) AS updated_at
    FROM (
        SELECT DISTINCT ON (given.id COLLATE "C", known.entry_type)
            given.id COLLATE "C" AS order_id, known.entry_type, known.tx_id, known.wallet_id, known.amount,
            known.event_time, known.updated_at
        FROM unnest($1::text[]) AS given (id)
        CROSS JOIN LATERAL (
            SELECT e.entry_type, e.tx_id, e.wallet_id, e.amount, e.event_time, e.updated_at, 0 AS former
            FROM bo.ledger_entries AS e
            WHERE e.related_id = given.id
                AND e.entry_type IN ('PAYMENT', 'RECEIVE')
                AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
            UNION ALL
            SELECT m.entry_type, m.tx_id, m.wallet_id, m.amount, m.event_time, m.updated_at, 1
            FROM bo.moved_halves AS m
            WHERE m.payment_order_id = given.id
                AND NOT EXISTS (
                    SELECT 1
                    FROM bo.ledger_entries AS e
                    WHERE e.tx_id = m.tx_id
                        AND e.related_id = m.payment_order_id
                        AND e.entry_type = m.entry_type
                        AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
                )
        ) AS known
        ORDER BY given.id COLLATE "C", known.entry_type, known.former, known.event_time, known.tx_id
    ) AS half
    GROUP BY half.order_id
),
pair AS (
    SELECT *
    FROM first
    WHERE (payment_tx_id = receive_tx_id) IS NOT TRUE
    UNION ALL
    -- One entry is the first half of both sides, one of them formerly: then all choices are compared. Two halves a side
    -- are enough to choose from, because one of them is another entry than the other side's.
    SELECT first.order_id, chosen.*
    FROM first
    CROSS JOIN LATERAL (
        WITH half AS MATERIALIZED (
            SELECT e.entry_type, e.tx_id, e.wallet_id, e.amount, e.event_time, e.updated_at, 0 AS former
            FROM bo.ledger_entries AS e
            WHERE e.related_id = first.order_id
                AND e.entry_type IN ('PAYMENT', 'RECEIVE')
                AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
            UNION ALL
            SELECT m.entry_type, m.tx_id, m.wallet_id, m.amount, m.event_time, m.updated_at, 1
            FROM bo.moved_halves AS m
            WHERE m.payment_order_id = first.order_id
                AND NOT EXISTS (
                    SELECT 1
                    FROM bo.ledger_entries AS e
                    WHERE e.tx_id = m.tx_id
                        AND e.related_id = m.payment_order_id
                        AND e.entry_type = m.entry_type
                        AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
                )
        )
        SELECT
            payment.tx_id AS payment_tx_id,
            receive.tx_id AS receive_tx_id,
            payment.wallet_id AS payer_wallet_id,
            receive.wallet_id AS payee_wallet_id,
            coalesce(payment.amount, receive.amount) AS amount,
            least(payment.event_time, receive.event_time) AS event_time,
            greatest(payment.updated_at, receive.updated_at) AS updated_at
        FROM (
            (SELECT * FROM half WHERE entry_type = 'PAYMENT' ORDER BY former, event_time, tx_id LIMIT 2)
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, NULL, NULL, 0
        ) AS payment
        CROSS JOIN (
            (SELECT * FROM half WHERE entry_type = 'RECEIVE' ORDER BY former, event_time, tx_id LIMIT 2)
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, NULL, NULL, 0
        ) AS receive
        WHERE (payment.tx_id = receive.tx_id) IS NOT TRUE
            AND coalesce(payment.tx_id, receive.tx_id) IS NOT NULL
        ORDER BY
            payment.tx_id IS NULL OR receive.tx_id IS NULL,
            payment.former + receive.former,
            payment.event_time, payment.tx_id,
            receive.event_time, receive.tx_id
        LIMIT 1
    ) AS chosen
    WHERE first.payment_tx_id = first.receive_tx_id
)
UPDATE bo.payment_ledger_pairs AS stored SET
    payment_tx_id = now.payment_tx_id,
    receive_tx_id = now.receive_tx_id,
    payer_wallet_id = now.payer_wallet_id,
    payee_wallet_id = now.payee_wallet_id,
    amount = now.amount,
    status = now.status,
    event_time = now.event_time,
    updated_at = now.updated_at,
    ingested_at = $2::timestamptz
FROM (
    SELECT
        pair.order_id, pair.payment_tx_id, pair.receive_tx_id, pair.payer_wallet_id, pair.payee_wallet_id,
        coalesce(orders.amount, pair.amount) AS amount,
        orders.status,
        pair.event_time,
        greatest(pair.updated_at, orders.updated_at) AS updated_at
    FROM pair
    LEFT JOIN LATERAL (
        SELECT o.amount, o.status, o.updated_at
        FROM bo.payment_orders AS o
        WHERE o.order_id = pair.order_id
        LIMIT 1
    ) AS orders ON true
) AS now
CROSS JOIN LATERAL (
    SELECT
        p.ctid AS place,
        coalesce(p.payment_tx_id <> p.receive_tx_id, false) AS was_complete,
        coalesce(p.payment_tx_id = p.receive_tx_id, false) AS was_unsettled,
        (
            p.payment_tx_id, p.receive_tx_id, p.payer_wallet_id, p.payee_wallet_id, p.amount, p.status, p.event_time,
            p.updated_at
        ) IS DISTINCT FROM (
            now.payment_tx_id, now.receive_tx_id, now.payer_wallet_id, now.payee_wallet_id, now.amount, now.status,
            now.event_time, now.updated_at
        ) AS differs
    FROM bo.payment_ledger_pairs AS p
    WHERE p.payment_order_id = now.order_id
    LIMIT 1
) AS before
WHERE stored.ctid = before.place
    AND before.differs
RETURNING
    before.was_complete,
    before.was_unsettled,
    stored.payment_tx_id IS NOT NULL AND stored.receive_tx_id IS NOT NULL AS is_complete
