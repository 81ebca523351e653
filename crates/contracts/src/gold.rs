//! Gold beside the tables of the controls (`control.rs`): the anonymised mart, what was found, rules and state (lakehouse
//! contract 4).

use crate::ColumnType::{Boolean, Date, Dec2, Dec6, Double, ListText, MapTextDouble, Text, Timestamp};
use crate::{Column, Layer, TableContract, WriteStrategy};

pub(crate) const RUN_ID: Column = Column::required("run_id", Text, "Run that last changed the row");
pub(crate) const RULE_ID: Column = Column::new("rule_id", Text, "Rule that judged the row");
pub(crate) const DATE_KST: Column = Column::required("date_kst", Date, "KST business day");
pub(crate) const MERCHANT: Column =
    Column::new("merchant_name", Text, "Merchant; null when the order names none");

pub(crate) static TABLES: &[TableContract] = &[
    TableContract {
        layer: Layer::Gold,
        name: "exception_ledger",
        description: "One row per breach found, and one more when a later run no longer finds it.",
        columns: &[
            DATE_KST,
            Column::required("domain", Text, "dq, silver, ledger or analytics"),
            Column::required("exception_type", Text, "What was found, e.g. RECON_DRIFT_HIGH"),
            Column::required("severity", Text, "WARN or CRITICAL"),
            Column::new("source_table", Text, "Table the breach was found in"),
            Column::new("window_start_ts", Timestamp, "Start of the judged window"),
            Column::new("window_end_ts", Timestamp, "End of the judged window"),
            Column::new("metric", Text, "Metric that fired"),
            Column::new("metric_value", Dec6, "Its value"),
            Column::new(
                "message",
                Text,
                "JSON: the numbers as strings, enough to drill down",
            ),
            RUN_ID,
            RULE_ID,
            Column::required("generated_at", Timestamp, "When the run wrote it"),
            Column::new("state", Text, "OPEN, or CLEARED when a re-run no longer finds it"),
            Column::new(
                "subject",
                Text,
                "The wallet, tx_id or merchant; null for the whole",
            ),
        ],
        key: &[],
        partition: &["date_kst"],
        write: WriteStrategy::Append,
        identity: &[
            "date_kst",
            "domain",
            "exception_type",
            "source_table",
            "window_start_ts",
            "window_end_ts",
            "subject",
        ],
        lineage: &["run_id", "generated_at"],
        lookup: None,
        statistics: &["domain", "exception_type", "generated_at"],
    },
    TableContract {
        layer: Layer::Gold,
        name: "pipeline_state",
        description: "One row per pipeline: the last outcome, and how far it has got.",
        columns: &[
            Column::required(
                "pipeline_name",
                Text,
                "pipeline_silver, pipeline_a, pipeline_b or pipeline_c",
            ),
            Column::required("status", Text, "success or failure"),
            Column::new("last_success_ts", Timestamp, "When it last succeeded"),
            Column::new(
                "last_processed_end",
                Timestamp,
                "End of the last window processed; never backwards",
            ),
            Column::new("last_run_id", Text, "The last run, whatever its outcome"),
            Column::new(
                "dq_zero_window_counts",
                Text,
                "JSON: consecutive empty windows per source (A only)",
            ),
            Column::required("updated_at", Timestamp, "When the row was written"),
            Column::new(
                "processed_dates",
                Text,
                "JSON: the business days processed successfully (what the daily gate asks)",
            ),
            Column::new(
                "input_versions",
                Text,
                "JSON: versions of the tables it reads that the last success had seen (what came since is late, or to be computed again)",
            ),
            Column::new(
                "processed_parts",
                Text,
                "JSON: processed spans of days that no run or runs together have covered whole yet (Silver only)",
            ),
        ],
        key: &["pipeline_name"],
        partition: &[],
        write: WriteStrategy::Merge,
        identity: &[],
        lineage: &[],
        lookup: None,
        statistics: &["pipeline_name"],
    },
    TableContract {
        layer: Layer::Gold,
        name: "dim_rule_scd2",
        description: "One row per version of a rule; one current row per domain and metric.",
        columns: &[
            Column::required("rule_id", Text, "Names one immutable definition"),
            Column::required("domain", Text, "dq, silver, ledger or ops"),
            Column::required("metric", Text, "Metric, or metric@source for one source"),
            Column::new("threshold", Double, "Threshold"),
            Column::new("severity_map", MapTextDouble, "warn / crit / fail thresholds"),
            Column::new("allowed_values", ListText, "Allowed values"),
            Column::new("comment", Text, "What the rule is for"),
            Column::required("effective_start_ts", Timestamp, "In force from"),
            Column::new(
                "effective_end_ts",
                Timestamp,
                "In force until; null while current",
            ),
            Column::required("is_current", Boolean, "In force now"),
        ],
        key: &["rule_id"],
        partition: &[],
        write: WriteStrategy::Merge,
        identity: &[],
        lineage: &[],
        lookup: None,
        statistics: &["rule_id", "domain", "metric"],
    },
    TableContract {
        layer: Layer::Gold,
        name: "fact_payment_anonymized",
        description: "C: one row per payment order of the day with a user; the user only as a salted hash.",
        columns: &[
            DATE_KST,
            Column::required("user_key", Text, "Lowercase hex SHA-256 of user_id + salt"),
            MERCHANT,
            Column::new("amount", Dec2, "Amount"),
            Column::new("status", Text, "Order status"),
            Column::new(
                "category",
                Text,
                "Category of the item with the greatest price x quantity",
            ),
            RUN_ID,
        ],
        key: &[],
        partition: &["date_kst"],
        write: WriteStrategy::OverwritePartitions,
        identity: &[],
        lineage: &["run_id"],
        lookup: None,
        statistics: &["user_key"],
    },
];
