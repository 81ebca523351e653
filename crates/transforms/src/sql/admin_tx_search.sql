-- gold.admin_tx_search (B-6): a flat row per ledger entry for the operator's search.
-- Grain: one row per entry of the day. Key: event_date_kst, tx_id, wallet_id.
-- Input: entries (the day). Contract: lakehouse 4, B-6: PAYMENT pairs with RECEIVE
-- and REFUND_OUT with REFUND_IN of the same related_id when there is exactly one of each in the day.
WITH pairs AS (
    -- only the entries that can pair; is_refund keeps a purchase and its refund apart
    SELECT
        related_id,
        entry_type IN ('REFUND_OUT', 'REFUND_IN') AS is_refund,
        max(tx_id) FILTER (WHERE entry_type IN ('PAYMENT', 'REFUND_OUT')) AS out_tx_id,
        max(tx_id) FILTER (WHERE entry_type IN ('RECEIVE', 'REFUND_IN')) AS in_tx_id
    FROM entries
    WHERE related_id IS NOT NULL AND entry_type IN ('PAYMENT', 'RECEIVE', 'REFUND_OUT', 'REFUND_IN')
    GROUP BY related_id, entry_type IN ('REFUND_OUT', 'REFUND_IN')
    HAVING count(*) = 2 AND count(*) FILTER (WHERE entry_type IN ('PAYMENT', 'REFUND_OUT')) = 1
)
SELECT
    e.event_date_kst,
    e.tx_id,
    e.wallet_id,
    e.entry_type,
    e.amount,
    e.amount_signed,
    e.event_time,
    e.related_id,
    e.related_type,
    e.merchant_name,
    e.payment_status,
    CASE
        WHEN e.entry_type IN ('PAYMENT', 'REFUND_OUT') THEN p.in_tx_id
        WHEN e.entry_type IN ('RECEIVE', 'REFUND_IN') THEN p.out_tx_id
    END AS paired_tx_id
-- the small side is on the left: it is the one held in memory
FROM pairs p
RIGHT JOIN entries e
    ON p.related_id = e.related_id AND p.is_refund = (e.entry_type IN ('REFUND_OUT', 'REFUND_IN'))
