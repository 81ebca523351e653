-- A page of a wallet's entries with everything tx.sql gives, newest first, then by tx_id.
-- Grain: one row per entry. Contract: serving 6, GET /admin/wallets/{wallet_id}/tx.
-- $2 and $3 are the half-open window, infinite where open; $4 and $5 the entry the page before ended with.
SELECT
    e.tx_id, e.wallet_id, e.entry_type, e.amount, e.amount_signed, e.related_id, e.related_type, e.event_time,
    e.ingested_at,
    orders.order_id, orders.user_id, orders.merchant_name, orders.amount AS order_amount, orders.status,
    orders.created_at AS order_created_at, orders.ingested_at AS order_ingested_at,
    pair.payment_order_id, pair.payment_tx_id, pair.receive_tx_id, pair.payer_wallet_id, pair.payee_wallet_id,
    pair.amount AS pair_amount, pair.status AS pair_status,
    peer.tx_id AS peer_tx_id, peer.wallet_id AS peer_wallet_id
FROM (
    SELECT
        entry.tx_id, entry.wallet_id, entry.entry_type, entry.amount, entry.amount_signed, entry.related_id,
        entry.related_type, entry.event_time, entry.ingested_at
    FROM bo.ledger_entries AS entry
    -- as rows, so that no other index fits than the wallet's
    WHERE (entry.wallet_id, entry.event_time) >= ($1::text, $2::timestamptz)
        AND (entry.wallet_id, entry.event_time) < ($1::text, $3::timestamptz)
        AND (entry.wallet_id, entry.event_time) <= ($1::text, $4::timestamptz)
        AND (entry.event_time < $4::timestamptz OR entry.tx_id > $5::text)
    ORDER BY entry.wallet_id DESC, entry.event_time DESC, entry.tx_id
    LIMIT $6::bigint
) AS e
LEFT JOIN LATERAL (
    SELECT o.order_id, o.user_id, o.merchant_name, o.amount, o.status, o.created_at, o.ingested_at
    FROM bo.payment_orders AS o
    WHERE o.order_id = e.related_id
        AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
    LIMIT 1
) AS orders ON true
LEFT JOIN LATERAL (
    SELECT
        p.payment_order_id, p.payment_tx_id, p.receive_tx_id, p.payer_wallet_id, p.payee_wallet_id, p.amount, p.status
    FROM bo.payment_ledger_pairs AS p
    WHERE p.payment_order_id = e.related_id
        AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
        -- what an entry was before a correction is not its own other half
        AND CASE e.entry_type WHEN 'PAYMENT' THEN p.receive_tx_id WHEN 'RECEIVE' THEN p.payment_tx_id END
            IS DISTINCT FROM e.tx_id
    LIMIT 1
) AS pair ON true
LEFT JOIN LATERAL (
    SELECT opposite.tx_id, opposite.wallet_id
    FROM (
        SELECT entry.tx_id, entry.wallet_id, entry.event_time
        FROM bo.ledger_entries AS entry
        WHERE (pair.payment_tx_id IS NULL OR pair.receive_tx_id IS NULL)
            AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')
            AND entry.related_id = e.related_id
            AND (entry.related_type IS NULL OR entry.related_type = 'PAYMENT_ORDER')
            AND entry.entry_type = CASE e.entry_type WHEN 'PAYMENT' THEN 'RECEIVE' WHEN 'RECEIVE' THEN 'PAYMENT' END
        -- a fence: else the plan may read the index of all event times until it meets one of this order
        OFFSET 0
    ) AS opposite
    ORDER BY opposite.event_time, opposite.tx_id
    LIMIT 1
) AS peer ON true
ORDER BY e.event_time DESC, e.tx_id
