-- Brings locked pair rows to what they are, now that everything committed before the locks can be seen.
-- Grain: one row per order of $1; gives the rows that changed. Contract: serving 3.
-- A pair is two different entries if there are two, then as few former legs as can be, then per side the earliest
-- event_time, then tx_id. A former leg counts unless its entry is still, or again, that leg.
-- "= ANY" and the whole order: no other index fits than the one that begins with the id and the side. So the first leg
-- of a side is one step, however many entries carry the id. The rows are found by key and written by their place: they are
-- locked, so that they stay there.
WITH first AS MATERIALIZED (
    SELECT
        given.id COLLATE "C" AS order_id,
        payment.tx_id AS payment_tx_id,
        receive.tx_id AS receive_tx_id,
        payment.wallet_id AS payer_wallet_id,
        receive.wallet_id AS payee_wallet_id,
        payment.amount,
        least(payment.event_time, receive.event_time) AS event_time,
        greatest(payment.updated_at, receive.updated_at) AS updated_at
    FROM unnest($1::text[]) AS given (id)
    LEFT JOIN LATERAL (
        SELECT e.tx_id, e.wallet_id, e.amount, e.event_time, e.updated_at
        FROM bo.ledger_entries AS e
        WHERE e.related_id = ANY (ARRAY[given.id])
            AND left(e.entry_type, 16) = 'PAYMENT'
            AND bo.is_leg(e.related_id, e.entry_type, e.related_type)
        ORDER BY e.related_id, e.event_time, e.tx_id
        LIMIT 1
    ) AS payment ON true
    LEFT JOIN LATERAL (
        SELECT e.tx_id, e.wallet_id, e.event_time, e.updated_at
        FROM bo.ledger_entries AS e
        WHERE e.related_id = ANY (ARRAY[given.id])
            AND left(e.entry_type, 16) = 'RECEIVE'
            AND bo.is_leg(e.related_id, e.entry_type, e.related_type)
        ORDER BY e.related_id, e.event_time, e.tx_id
        LIMIT 1
    ) AS receive ON true
),
pair AS (
    -- Two current legs are two entries, and nothing comes before them.
    SELECT *
    FROM first
    WHERE payment_tx_id IS NOT NULL AND receive_tx_id IS NOT NULL
    UNION ALL
    -- One side has no current leg: all choices are compared, former legs too. Two legs a side are enough to choose
    -- from, because one of them is another entry than the other side's.
    SELECT first.order_id, chosen.*
    FROM first
    CROSS JOIN LATERAL (
        WITH payments AS MATERIALIZED (
            SELECT e.tx_id, e.wallet_id, e.amount, e.event_time, e.updated_at, 0 AS former
            FROM bo.ledger_entries AS e
            WHERE e.related_id = ANY (ARRAY[first.order_id])
                AND left(e.entry_type, 16) = 'PAYMENT'
                AND bo.is_leg(e.related_id, e.entry_type, e.related_type)
            ORDER BY e.related_id, e.event_time, e.tx_id
            LIMIT 2
        ),
        receipts AS MATERIALIZED (
            SELECT e.tx_id, e.wallet_id, e.amount, e.event_time, e.updated_at, 0 AS former
            FROM bo.ledger_entries AS e
            WHERE e.related_id = ANY (ARRAY[first.order_id])
                AND left(e.entry_type, 16) = 'RECEIVE'
                AND bo.is_leg(e.related_id, e.entry_type, e.related_type)
            ORDER BY e.related_id, e.event_time, e.tx_id
            LIMIT 2
        ),
        -- A side with two current legs needs no former one; one with fewer has at most one that came back.
        former AS MATERIALIZED (
            SELECT 'PAYMENT' AS side, m.*
            FROM (
                SELECT m.tx_id, m.wallet_id, m.amount, m.event_time, m.updated_at, 1 AS former
                FROM bo.moved_halves AS m
                LEFT JOIN LATERAL (
                    SELECT e.related_id, e.entry_type, e.related_type
                    FROM bo.ledger_entries AS e
                    WHERE e.tx_id = m.tx_id
                    LIMIT 1
                ) AS entry ON true
                WHERE m.payment_order_id = first.order_id
                    AND m.entry_type = 'PAYMENT'
                    AND (SELECT count(*) FROM payments) < 2
                    AND (
                        entry.related_id = m.payment_order_id
                        AND entry.entry_type = 'PAYMENT'
                        AND bo.is_leg(entry.related_id, entry.entry_type, entry.related_type)
                    ) IS NOT TRUE
                ORDER BY m.event_time, m.tx_id
                LIMIT 2
            ) AS m
            UNION ALL
            SELECT 'RECEIVE', m.*
            FROM (
                SELECT m.tx_id, m.wallet_id, m.amount, m.event_time, m.updated_at, 1 AS former
                FROM bo.moved_halves AS m
                LEFT JOIN LATERAL (
                    SELECT e.related_id, e.entry_type, e.related_type
                    FROM bo.ledger_entries AS e
                    WHERE e.tx_id = m.tx_id
                    LIMIT 1
                ) AS entry ON true
                WHERE m.payment_order_id = first.order_id
                    AND m.entry_type = 'RECEIVE'
                    AND (SELECT count(*) FROM receipts) < 2
                    AND (
                        entry.related_id = m.payment_order_id
                        AND entry.entry_type = 'RECEIVE'
                        AND bo.is_leg(entry.related_id, entry.entry_type, entry.related_type)
                    ) IS NOT TRUE
                ORDER BY m.event_time, m.tx_id
                LIMIT 2
            ) AS m
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
            SELECT * FROM payments
            UNION ALL
            SELECT tx_id, wallet_id, amount, event_time, updated_at, former FROM former WHERE side = 'PAYMENT'
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, NULL, 0
        ) AS payment
        CROSS JOIN (
            SELECT * FROM receipts
            UNION ALL
            SELECT tx_id, wallet_id, amount, event_time, updated_at, former FROM former WHERE side = 'RECEIVE'
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, NULL, 0
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
    WHERE first.payment_tx_id IS NULL OR first.receive_tx_id IS NULL
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
