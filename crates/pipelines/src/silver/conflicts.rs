//! `LEDGER_ENTRY_CONFLICT` findings of a run.

use std::collections::HashSet;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::prelude::DataFrame;
use nsc_core::{UtcMicros, UtcWindow};
use nsc_transforms::silver::{conflicts_among_repeats, conflicts_with_stored};

use crate::exceptions::{self, Finding, Judged};
use crate::{PipelineError, RunContext, RunReport};

/// The exception type.
pub(super) const LEDGER_ENTRY_CONFLICT: &str = "LEDGER_ENTRY_CONFLICT";

/// One tx_id whose copies disagree.
struct Conflict {
    tx_id: String,
    facts: i64,
    event_time: UtcMicros,
    evidence: String,
}

/// What a run found: one conflict a tx_id.
#[derive(Default)]
pub(super) struct Conflicts {
    found: Vec<Conflict>,
    known: HashSet<String>,
}

impl Conflicts {
    /// Adds conflicts among Bronze copies whose newest copy is in the window.
    pub(super) async fn among(
        &mut self,
        bronze: DataFrame,
        repeated: DataFrame,
        allowed: &[String],
        window: UtcWindow,
    ) -> Result<(), PipelineError> {
        let found = conflicts_among_repeats(bronze, repeated, allowed)?
            .collect()
            .await?;
        self.take(&found, |t| window.start <= t && t < window.end)
    }

    /// Adds conflicts of new entries with stored ones.
    pub(super) async fn with_stored(
        &mut self,
        new: DataFrame,
        stored: DataFrame,
    ) -> Result<(), PipelineError> {
        let found = conflicts_with_stored(new, stored)?.collect().await?;
        self.take(&found, |_| true)
    }

    fn take(
        &mut self,
        found: &[RecordBatch],
        wanted: impl Fn(UtcMicros) -> bool,
    ) -> Result<(), PipelineError> {
        for batch in found {
            let text = |i: usize| -> Result<StringArray, PipelineError> {
                Ok(cast(batch.column(i), &DataType::Utf8)?.as_string::<i32>().clone())
            };
            let (ids, evidence) = (text(0)?, text(3)?);
            let facts = cast(batch.column(1), &DataType::Int64)?;
            let times = batch.column(2).as_primitive::<TimestampMicrosecondType>();
            for i in (0..batch.num_rows()).filter(|i| times.is_valid(*i)) {
                let event_time = UtcMicros::new(times.value(i));
                if wanted(event_time) && self.known.insert(ids.value(i).to_owned()) {
                    let facts = facts.as_primitive::<Int64Type>().value(i);
                    self.found.push(Conflict {
                        tx_id: ids.value(i).to_owned(),
                        facts,
                        event_time,
                        evidence: evidence.value(i).to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Writes the exceptions, and closes a bad-records refusal this run has overcome.
    pub(super) async fn record(
        self,
        run: &RunContext,
        window: UtcWindow,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let judged = Judged {
            dates: super::whole_days(window),
            types: vec!["BAD_RECORDS_RATE_EXCEEDED"],
            windows: Vec::new(),
        };
        let mut found = Vec::new();
        if !self.found.is_empty() {
            let findings: Vec<Finding> = self.found.iter().map(Conflict::finding).collect();
            found.push(exceptions::rows(run, &findings)?);
        }
        exceptions::record(run, found, judged, report).await
    }
}

impl Conflict {
    fn finding(&self) -> Finding {
        let date = self.event_time.date_kst();
        Finding {
            date,
            domain: "ledger",
            exception_type: LEDGER_ENTRY_CONFLICT,
            severity: "CRITICAL",
            source_table: "transaction_ledger_raw".to_owned(),
            window: date.window(),
            metric: "facts",
            metric_value: Some(i128::from(self.facts) * 1_000_000),
            message: serde_json::json!({ "tx_id": self.tx_id, "versions": self.facts.to_string(), "facts": self.evidence }),
            rule_id: None,
            subject: Some(self.tx_id.clone()),
        }
    }
}
