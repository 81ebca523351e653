-- What the pairs of some orders are, from everything this statement sees.
-- Grain: one row per order of $1. Contract: serving 3. The beginning of open_pairs.sql and recompute_pairs.sql.
-- Per side the earliest event_time, then tx_id. A former half counts unless its entry is still, or again, that half.
WITH computed AS (
    SELECT
        affected.order_id AS payment_order_id,
        payment.tx_id AS payment_tx_id,
        receive.tx_id AS receive_tx_id,
        payment.wallet_id AS payer_wallet_id,
        receive.wallet_id AS payee_wallet_id,
        coalesce(orders.amount, payment.amount, receive.amount) AS amount,
        orders.status,
        coalesce(least(payment.event_time, receive.event_time), orders.created_at) AS event_time,
        greatest(payment.updated_at, receive.updated_at, orders.updated_at) AS updated_at
    FROM unnest($1::text[]) AS affected (order_id)
    LEFT JOIN LATERAL (
        SELECT half.tx_id, half.wallet_id, half.amount, half.event_time, half.updated_at
        FROM (
            SELECT e.tx_id, e.wallet_id, e.amount, e.event_time, e.updated_at
            FROM bo.ledger_entries AS e
            WHERE e.related_id = affected.order_id
                AND e.entry_type = 'PAYMENT'
                AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
            UNION ALL
            SELECT m.tx_id, m.wallet_id, m.amount, m.event_time, m.updated_at
            FROM bo.moved_halves AS m
            WHERE m.payment_order_id = affected.order_id
                AND m.entry_type = 'PAYMENT'
                AND NOT EXISTS (
                    SELECT 1
                    FROM bo.ledger_entries AS e
                    WHERE e.tx_id = m.tx_id
                        AND e.related_id = m.payment_order_id
                        AND e.entry_type = m.entry_type
                        AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
                )
        ) AS half
        ORDER BY half.event_time, half.tx_id
        LIMIT 1
    ) AS payment ON true
    LEFT JOIN LATERAL (
        SELECT half.tx_id, half.wallet_id, half.amount, half.event_time, half.updated_at
        FROM (
            SELECT e.tx_id, e.wallet_id, e.amount, e.event_time, e.updated_at
            FROM bo.ledger_entries AS e
            WHERE e.related_id = affected.order_id
                AND e.entry_type = 'RECEIVE'
                AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
            UNION ALL
            SELECT m.tx_id, m.wallet_id, m.amount, m.event_time, m.updated_at
            FROM bo.moved_halves AS m
            WHERE m.payment_order_id = affected.order_id
                AND m.entry_type = 'RECEIVE'
                AND NOT EXISTS (
                    SELECT 1
                    FROM bo.ledger_entries AS e
                    WHERE e.tx_id = m.tx_id
                        AND e.related_id = m.payment_order_id
                        AND e.entry_type = m.entry_type
                        AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
                )
        ) AS half
        ORDER BY half.event_time, half.tx_id
        LIMIT 1
    ) AS receive ON true
    LEFT JOIN bo.payment_orders AS orders ON orders.order_id = affected.order_id
)
