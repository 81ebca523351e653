-- Grain: one closing row per open finding of what was judged that this run did not find again.
-- Key: the identity of gold.exception_ledger, by its columns: no text is joined, and a null is a value like any other.
-- Inputs: judged_exceptions (stored findings of the judged days, types, windows and subjects), found_exceptions.
-- Clause: "An exception that a re-run no longer finds gets a closing row".
WITH told AS (
  SELECT *, false AS is_found FROM judged_exceptions
  UNION ALL
  SELECT *, true AS is_found FROM found_exceptions
), newest AS (
  SELECT *, row_number() OVER (
           PARTITION BY date_kst, domain, exception_type, source_table, subject, window_start_ts, window_end_ts
           ORDER BY is_found DESC, generated_at DESC, state ASC
         ) AS age
  FROM told
)
SELECT date_kst, domain, exception_type, severity, source_table, window_start_ts, window_end_ts, metric, metric_value, message,
       '{run_id}' AS run_id, rule_id, arrow_cast({now}, 'Timestamp(Microsecond, Some("UTC"))') AS generated_at, 'CLEARED' AS state, subject
FROM newest
WHERE age = 1 AND NOT is_found AND state = 'OPEN'
