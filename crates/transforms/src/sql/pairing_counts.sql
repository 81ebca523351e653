-- pairing_counts: what B-5 divides (not stored).
-- Grain: one row, always. The counts of entries are the sums of those of any parts that keep the entries of one related_id
-- together.
-- Input: entries (the day, or such a part of it); those that name a payment order say so. Contract: lakehouse 4, B-5.
WITH related AS (
    SELECT
        related_id,
        count(*) AS entry_cnt,
        min(wallet_id) AS low_wallet,
        max(wallet_id) AS high_wallet,
        bool_or(has_order) AS has_order
    FROM entries
    WHERE related_id IS NOT NULL
    GROUP BY related_id
),
shares AS (
    SELECT
        count(*) AS group_cnt,
        count(*) FILTER (WHERE g.entry_cnt = 2 AND g.low_wallet <> g.high_wallet) AS pair_cnt,
        count(*) FILTER (WHERE g.has_order) AS order_cnt
    FROM related g
),
counts AS (
    SELECT
        count(*) AS entry_cnt,
        count(related_id) AS related_cnt,
        -- written before entries said it
        count(*) FILTER (WHERE has_order IS NULL) AS unstamped_cnt
    FROM entries
)
SELECT c.entry_cnt, c.related_cnt, s.group_cnt, s.pair_cnt, s.order_cnt, c.unstamped_cnt
FROM counts c
CROSS JOIN shares s
