-- gold.ops_ledger_pairing_quality_daily (B-5): how well entries name and complete their pair.
-- Grain: one row per day, always. Key: date_kst.
-- Inputs: the counts of pairing_counts.sql. Contract: lakehouse 4, B-5.
SELECT
    $entry_cnt AS entry_cnt,
    nsc_rate($entry_cnt - $related_cnt, $entry_cnt) AS related_id_null_rate,
    nsc_rate($pair_cnt, $group_cnt) AS pair_candidate_rate,
    nsc_rate($order_cnt, $group_cnt) AS join_payment_orders_rate
