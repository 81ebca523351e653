-- Grain: one closing row per open finding of the judged days, types and subjects that this run did not find again.
-- Key: the identity of gold.exception_ledger. Clause: "An exception that a re-run no longer finds gets a closing row".
WITH keyed AS (
  SELECT *,
         concat_ws('|', domain, exception_type, coalesce(source_table, '~'), coalesce(subject, '~'),
                   coalesce(CAST(window_start_ts AS BIGINT), -1), coalesce(CAST(window_end_ts AS BIGINT), -1), CAST(date_kst AS VARCHAR)) AS identity,
         concat_ws('-', CAST(CAST(window_start_ts AS BIGINT) AS VARCHAR), CAST(CAST(window_end_ts AS BIGINT) AS VARCHAR)) AS window_key
  FROM stored_exceptions
  WHERE exception_type IN ({types}) AND date_kst IN ({dates}) AND {subjects}
), newest AS (
  SELECT *, row_number() OVER (PARTITION BY identity ORDER BY generated_at DESC, state ASC) AS age FROM keyed WHERE {windows}
), found AS (
  SELECT DISTINCT concat_ws('|', domain, exception_type, coalesce(source_table, '~'), coalesce(subject, '~'),
                   coalesce(CAST(window_start_ts AS BIGINT), -1), coalesce(CAST(window_end_ts AS BIGINT), -1), CAST(date_kst AS VARCHAR)) AS identity
  FROM found_exceptions
)
SELECT date_kst, domain, exception_type, severity, source_table, window_start_ts, window_end_ts, metric, metric_value, message,
       '{run_id}' AS run_id, rule_id, arrow_cast({now}, 'Timestamp(Microsecond, Some("UTC"))') AS generated_at, 'CLEARED' AS state, subject
FROM newest
WHERE age = 1 AND state = 'OPEN' AND identity NOT IN (SELECT identity FROM found)
