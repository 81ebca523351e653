-- gold.ops_ledger_pairing_quality_daily (B-5): how well entries name and complete their pair.
-- Grain: one row per day, always. Key: date_kst.
-- Inputs: entries (the day), orders_named (one row per order_ref). Contract: lakehouse 4, B-5.
WITH related AS (
    SELECT related_id, count(*) AS entry_cnt, min(wallet_id) AS low_wallet, max(wallet_id) AS high_wallet
    FROM entries
    WHERE related_id IS NOT NULL
    GROUP BY related_id
),
shares AS (
    SELECT
        count(*) AS group_cnt,
        count(*) FILTER (WHERE g.entry_cnt = 2 AND g.low_wallet <> g.high_wallet) AS pair_cnt,
        count(o.order_ref) AS order_cnt
    FROM orders_named o
    RIGHT JOIN related g ON o.order_ref = g.related_id
),
counts AS (
    SELECT count(*) AS entry_cnt, count(related_id) AS related_cnt FROM entries
)
SELECT
    c.entry_cnt,
    nsc_rate(c.entry_cnt - c.related_cnt, c.entry_cnt) AS related_id_null_rate,
    nsc_rate(s.pair_cnt, s.group_cnt) AS pair_candidate_rate,
    nsc_rate(s.order_cnt, s.group_cnt) AS join_payment_orders_rate
FROM counts c
CROSS JOIN shares s
