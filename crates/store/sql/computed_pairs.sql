-- What the pairs of some orders are, from everything this statement sees.
-- Grain: one row per order of $1 of which a half is known. Contract: serving 3. The beginning of open_pairs.sql and recompute_pairs.sql.
-- Per side the earliest event_time, then tx_id. A former half counts unless its entry is still, or again, that half.
-- LATERAL with LIMIT makes the plan go by key, even one that was made while the tables were empty.
WITH computed AS (
    SELECT
        pair.order_id AS payment_order_id,
        pair.payment_tx_id,
        pair.receive_tx_id,
        pair.payer_wallet_id,
        pair.payee_wallet_id,
        coalesce(orders.amount, pair.payment_amount, pair.receive_amount) AS amount,
        orders.status,
        pair.event_time,
        greatest(pair.updated_at, orders.updated_at) AS updated_at
    FROM (
        -- at most one row per side is left: max only picks it
        SELECT
            half.order_id,
            max(half.tx_id) FILTER (WHERE half.entry_type = 'PAYMENT') AS payment_tx_id,
            max(half.tx_id) FILTER (WHERE half.entry_type = 'RECEIVE') AS receive_tx_id,
            max(half.wallet_id) FILTER (WHERE half.entry_type = 'PAYMENT') AS payer_wallet_id,
            max(half.wallet_id) FILTER (WHERE half.entry_type = 'RECEIVE') AS payee_wallet_id,
            max(half.amount) FILTER (WHERE half.entry_type = 'PAYMENT') AS payment_amount,
            max(half.amount) FILTER (WHERE half.entry_type = 'RECEIVE') AS receive_amount,
            min(half.event_time) AS event_time,
            max(half.updated_at) AS updated_at
        FROM (
            SELECT DISTINCT ON (affected.order_id, known.entry_type)
                affected.order_id, known.entry_type, known.tx_id, known.wallet_id, known.amount, known.event_time,
                known.updated_at
            FROM (SELECT given.id COLLATE "C" AS order_id FROM unnest($1::text[]) AS given (id)) AS affected
            CROSS JOIN LATERAL (
                SELECT e.entry_type, e.tx_id, e.wallet_id, e.amount, e.event_time, e.updated_at
                FROM bo.ledger_entries AS e
                WHERE e.related_id = affected.order_id
                    AND e.entry_type IN ('PAYMENT', 'RECEIVE')
                    AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
                UNION ALL
                SELECT m.entry_type, m.tx_id, m.wallet_id, m.amount, m.event_time, m.updated_at
                FROM bo.moved_halves AS m
                WHERE m.payment_order_id = affected.order_id
                    AND NOT EXISTS (
                        SELECT 1
                        FROM bo.ledger_entries AS e
                        WHERE e.tx_id = m.tx_id
                            AND e.related_id = m.payment_order_id
                            AND e.entry_type = m.entry_type
                            AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
                    )
            ) AS known
            ORDER BY affected.order_id, known.entry_type, known.event_time, known.tx_id
        ) AS half
        GROUP BY half.order_id
    ) AS pair
    LEFT JOIN LATERAL (
        SELECT o.amount, o.status, o.updated_at
        FROM bo.payment_orders AS o
        WHERE o.order_id = pair.order_id
        LIMIT 1
    ) AS orders ON true
)
