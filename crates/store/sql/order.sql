-- One payment order with its pair and a page of its ledger entries, newest first, then by tx_id.
-- Grain: one row per entry of the page; one row without an entry when it has none. Contract: serving 6,
-- GET /admin/payment-orders/{order_id}. $2 and $3 are the entry the page before ended with, $4 the page's length.
-- The index has the entries by type (its first 16 characters), so the types are gone through one by one, each found by
-- one step; of each a page is read as in wallet_entries.sql, so that no step is longer than the page.
WITH RECURSIVE kind (name) AS (
    SELECT first.name
    FROM (
        SELECT entry.related_id, left(entry.entry_type, 16) AS name
        FROM bo.ledger_entries AS entry
        WHERE (entry.related_id, left(entry.entry_type, 16)) >= ($1::text, '')
            AND entry.related_id IS NOT NULL
            AND (entry.related_type IS NULL OR entry.related_type = 'PAYMENT_ORDER')
        ORDER BY entry.related_id, left(entry.entry_type, 16)
        LIMIT 1
    ) AS first
    WHERE first.related_id = $1::text
    UNION ALL
    SELECT next.name
    FROM kind
    CROSS JOIN LATERAL (
        SELECT entry.related_id, left(entry.entry_type, 16) AS name
        FROM bo.ledger_entries AS entry
        WHERE (entry.related_id, left(entry.entry_type, 16)) > ($1::text, kind.name)
            AND entry.related_id IS NOT NULL
            AND (entry.related_type IS NULL OR entry.related_type = 'PAYMENT_ORDER')
        ORDER BY entry.related_id, left(entry.entry_type, 16)
        LIMIT 1
    ) AS next
    WHERE next.related_id = $1::text
),
page AS MATERIALIZED (
    SELECT e.*
    FROM kind
    CROSS JOIN LATERAL (
        -- none is earlier: then nothing is later than this either
        SELECT coalesce(min(newest.event_time), 'infinity') AS event_time
        FROM (
            SELECT entry.related_id, left(entry.entry_type, 16) AS name, entry.event_time
            FROM bo.ledger_entries AS entry
            WHERE (entry.related_id, left(entry.entry_type, 16), entry.event_time)
                    < ($1::text, kind.name, $2::timestamptz)
                AND entry.related_id IS NOT NULL
                AND (entry.related_type IS NULL OR entry.related_type = 'PAYMENT_ORDER')
            ORDER BY entry.related_id DESC, left(entry.entry_type, 16) DESC, entry.event_time DESC
            LIMIT $4::bigint
        ) AS newest
        WHERE newest.related_id = $1::text
            AND newest.name = kind.name
    ) AS oldest
    CROSS JOIN LATERAL (
        SELECT step.*
        FROM (
            SELECT
                entry.tx_id, entry.wallet_id, entry.entry_type, entry.amount, entry.amount_signed, entry.related_id,
                entry.related_type, entry.event_time, entry.ingested_at
            FROM bo.ledger_entries AS entry
            WHERE (entry.related_id, left(entry.entry_type, 16), entry.event_time, entry.tx_id)
                    > ($1::text, kind.name, $2::timestamptz, $3::text)
                AND entry.related_id IS NOT NULL
                AND (entry.related_type IS NULL OR entry.related_type = 'PAYMENT_ORDER')
            ORDER BY entry.related_id, left(entry.entry_type, 16), entry.event_time, entry.tx_id
            LIMIT $4::bigint
        ) AS step
        WHERE step.related_id = $1::text
            AND left(step.entry_type, 16) = kind.name
            AND step.event_time = $2::timestamptz
        UNION ALL
        SELECT step.*
        FROM (
            SELECT
                entry.tx_id, entry.wallet_id, entry.entry_type, entry.amount, entry.amount_signed, entry.related_id,
                entry.related_type, entry.event_time, entry.ingested_at
            FROM bo.ledger_entries AS entry
            WHERE (entry.related_id, left(entry.entry_type, 16), entry.event_time)
                    > ($1::text, kind.name, oldest.event_time)
                AND entry.related_id IS NOT NULL
                AND (entry.related_type IS NULL OR entry.related_type = 'PAYMENT_ORDER')
            ORDER BY entry.related_id, left(entry.entry_type, 16), entry.event_time, entry.tx_id
            LIMIT $4::bigint
        ) AS step
        WHERE step.related_id = $1::text
            AND left(step.entry_type, 16) = kind.name
            AND step.event_time < $2::timestamptz
        UNION ALL
        SELECT step.*
        FROM (
            SELECT
                entry.tx_id, entry.wallet_id, entry.entry_type, entry.amount, entry.amount_signed, entry.related_id,
                entry.related_type, entry.event_time, entry.ingested_at
            FROM bo.ledger_entries AS entry
            WHERE (entry.related_id, left(entry.entry_type, 16), entry.event_time)
                    >= ($1::text, kind.name, oldest.event_time)
                AND entry.related_id IS NOT NULL
                AND (entry.related_type IS NULL OR entry.related_type = 'PAYMENT_ORDER')
            ORDER BY entry.related_id, left(entry.entry_type, 16), entry.event_time, entry.tx_id
            LIMIT $4::bigint
        ) AS step
        WHERE step.related_id = $1::text
            AND left(step.entry_type, 16) = kind.name
            AND step.event_time = oldest.event_time
    ) AS e
    ORDER BY e.event_time DESC, e.tx_id
    LIMIT $4::bigint
)
SELECT
    orders.order_id, orders.user_id, orders.merchant_name, orders.amount AS order_amount, orders.status,
    orders.created_at AS order_created_at, orders.ingested_at AS order_ingested_at,
    pair.payment_order_id, pair.payment_tx_id, pair.receive_tx_id, pair.payer_wallet_id, pair.payee_wallet_id,
    pair.amount AS pair_amount, pair.status AS pair_status,
    first_payment.tx_id AS first_payment_tx_id, first_payment.wallet_id AS first_payment_wallet_id,
    first_receive.tx_id AS first_receive_tx_id, first_receive.wallet_id AS first_receive_wallet_id,
    payment.amount AS payment_amount, payment.event_time AS payment_event_time,
    receive.amount AS receive_amount, receive.event_time AS receive_event_time,
    twin.found AS is_both_sides,
    e.tx_id, e.wallet_id, e.entry_type, e.amount, e.amount_signed, e.related_id, e.related_type, e.event_time,
    e.ingested_at
FROM bo.payment_orders AS orders
LEFT JOIN LATERAL (
    SELECT
        p.payment_order_id, p.payment_tx_id, p.receive_tx_id, p.payer_wallet_id, p.payee_wallet_id, p.amount, p.status
    FROM bo.payment_ledger_pairs AS p
    WHERE p.payment_order_id = orders.order_id
    LIMIT 1
) AS pair ON true
LEFT JOIN LATERAL (
    SELECT leg.amount, leg.event_time FROM bo.ledger_entries AS leg WHERE leg.tx_id = pair.payment_tx_id LIMIT 1
) AS payment ON true
LEFT JOIN LATERAL (
    SELECT leg.amount, leg.event_time FROM bo.ledger_entries AS leg WHERE leg.tx_id = pair.receive_tx_id LIMIT 1
) AS receive ON true
LEFT JOIN LATERAL (
    SELECT true AS found
    FROM (VALUES (pair.payment_tx_id, 'RECEIVE'), (pair.receive_tx_id, 'PAYMENT')) AS leg (tx_id, other_side)
    CROSS JOIN LATERAL (
        SELECT 1
        FROM bo.moved_halves AS m
        WHERE m.payment_order_id = orders.order_id
            AND m.entry_type = leg.other_side
            -- a range and an order, so that only the key fits
            AND m.tx_id >= leg.tx_id
            AND m.tx_id <= leg.tx_id
        ORDER BY m.tx_id
        LIMIT 1
    ) AS told
    LIMIT 1
) AS twin ON true
-- the legs an entry is paired with where the pair is not complete
LEFT JOIN LATERAL (
    SELECT earliest.tx_id, earliest.wallet_id
    FROM (
        SELECT entry.related_id, entry.entry_type, entry.tx_id, entry.wallet_id
        FROM bo.ledger_entries AS entry
        WHERE (entry.related_id, left(entry.entry_type, 16)) >= (orders.order_id, 'PAYMENT')
            AND entry.related_id IS NOT NULL
            AND (entry.related_type IS NULL OR entry.related_type = 'PAYMENT_ORDER')
        ORDER BY entry.related_id, left(entry.entry_type, 16), entry.event_time, entry.tx_id
        LIMIT 1
    ) AS earliest
    WHERE earliest.related_id = orders.order_id
        AND left(earliest.entry_type, 16) = 'PAYMENT'
) AS first_payment ON true
LEFT JOIN LATERAL (
    SELECT earliest.tx_id, earliest.wallet_id
    FROM (
        SELECT entry.related_id, entry.entry_type, entry.tx_id, entry.wallet_id
        FROM bo.ledger_entries AS entry
        WHERE (entry.related_id, left(entry.entry_type, 16)) >= (orders.order_id, 'RECEIVE')
            AND entry.related_id IS NOT NULL
            AND (entry.related_type IS NULL OR entry.related_type = 'PAYMENT_ORDER')
        ORDER BY entry.related_id, left(entry.entry_type, 16), entry.event_time, entry.tx_id
        LIMIT 1
    ) AS earliest
    WHERE earliest.related_id = orders.order_id
        AND left(earliest.entry_type, 16) = 'RECEIVE'
) AS first_receive ON true
LEFT JOIN page AS e ON true
WHERE orders.order_id = $1::text
ORDER BY e.event_time DESC, e.tx_id
