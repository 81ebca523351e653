//! `gold.pipeline_state`: how far each pipeline has got (seed 4.5).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::prelude::SessionContext;
use nsc_contracts::{TableContract, table};
use nsc_core::{DateKst, UtcMicros};

use crate::{Commit, Lake, LakeError, Table};

/// How often a write that lost a race is redone on the newest version.
const ATTEMPTS: usize = 20;

/// One pipeline's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineState {
    /// `pipeline_silver`, `pipeline_a`, `pipeline_b` or `pipeline_c`.
    pub pipeline_name: String,
    /// Whether the last run succeeded.
    pub success: bool,
    /// When it last succeeded.
    pub last_success_ts: Option<UtcMicros>,
    /// End of the last window processed; never backwards.
    pub last_processed_end: Option<UtcMicros>,
    /// The last run, whatever its outcome.
    pub last_run_id: Option<String>,
    /// Consecutive empty windows per source (A only).
    pub zero_windows: BTreeMap<String, u64>,
    /// When the row was written.
    pub updated_at: UtcMicros,
    /// Business days processed successfully, as closed ranges in order.
    pub processed_dates: Vec<(DateKst, DateKst)>,
    /// Bronze versions the last success read, by table (Silver only).
    pub input_versions: BTreeMap<String, u64>,
}

impl PipelineState {
    /// A pipeline that has never run.
    #[must_use]
    pub fn never(pipeline_name: &str) -> Self {
        Self {
            pipeline_name: pipeline_name.to_owned(),
            success: false,
            last_success_ts: None,
            last_processed_end: None,
            last_run_id: None,
            zero_windows: BTreeMap::new(),
            updated_at: UtcMicros::new(0),
            processed_dates: Vec::new(),
            input_versions: BTreeMap::new(),
        }
    }

    /// Whether a business day was processed successfully.
    #[must_use]
    pub fn has_processed(&self, date: DateKst) -> bool {
        self.processed_dates
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&date))
    }

    /// Adds a business day, joining neighbouring ranges.
    pub fn add_date(&mut self, date: DateKst) {
        self.processed_dates.push((date, date));
        self.processed_dates.sort_unstable();
        let mut joined: Vec<(DateKst, DateKst)> = Vec::new();
        for (first, last) in self.processed_dates.drain(..) {
            match joined.last_mut() {
                Some(before) if first <= before.1.next() => before.1 = before.1.max(last),
                _ => joined.push((first, last)),
            }
        }
        self.processed_dates = joined;
    }
}

/// All rows of the table.
#[derive(Debug, Clone, Default)]
pub struct PipelineStates(Vec<PipelineState>);

fn contract() -> Result<&'static TableContract, LakeError> {
    table("gold.pipeline_state").ok_or_else(|| LakeError::Missing {
        table: "gold.pipeline_state".to_owned(),
    })
}

impl PipelineStates {
    /// Reads the table; none when it does not exist (the first check of the hard gate).
    ///
    /// # Errors
    /// Storage errors and values that cannot be read back.
    pub async fn load(lake: &Lake, ctx: &SessionContext) -> Result<Option<Self>, LakeError> {
        let Some(table) = lake.existing(contract()?).await? else {
            return Ok(None);
        };
        Ok(Some(Self::read(&table, ctx).await?))
    }

    async fn read(table: &Table, ctx: &SessionContext) -> Result<Self, LakeError> {
        let mut states = Vec::new();
        for batch in ctx.read_table(table.scan_all()?)?.collect().await? {
            rows_of(&batch, &mut states)?;
        }
        Ok(Self(states))
    }

    /// One pipeline's row.
    #[must_use]
    pub fn get(&self, pipeline_name: &str) -> Option<&PipelineState> {
        self.0.iter().find(|s| s.pipeline_name == pipeline_name)
    }

    /// Every row.
    #[must_use]
    pub fn all(&self) -> &[PipelineState] {
        &self.0
    }

    /// Changes one pipeline's row, whatever other pipelines write meanwhile.
    ///
    /// # Errors
    /// Storage errors; [`LakeError::Conflict`] after many lost races.
    pub async fn update(
        lake: &Lake,
        ctx: &SessionContext,
        pipeline_name: &str,
        change: impl Fn(&mut PipelineState),
    ) -> Result<(), LakeError> {
        for attempt in 1.. {
            let mut table = lake.table(contract()?).await?;
            let mut states = Self::read(&table, ctx).await?.0;
            match states.iter_mut().find(|s| s.pipeline_name == pipeline_name) {
                Some(state) => change(state),
                None => {
                    let mut state = PipelineState::never(pipeline_name);
                    change(&mut state);
                    states.push(state);
                }
            }
            states.sort_by(|a, b| a.pipeline_name.cmp(&b.pipeline_name));
            let removed = table.files()?;
            let mut writer = table.writer()?;
            writer.write(&batch_of(&states)?).await?;
            let staged = writer.finish().await?;
            match table
                .commit(Commit {
                    staged,
                    removed,
                    ..Commit::default()
                })
                .await
            {
                Err(e) if e.is_conflict() && attempt < ATTEMPTS => {
                    tokio::time::sleep(std::time::Duration::from_millis(20 * attempt as u64)).await;
                }
                other => return other.map(|_| ()),
            }
        }
        Ok(())
    }
}

fn text(batch: &RecordBatch, name: &str) -> Result<StringArray, LakeError> {
    let column = batch
        .column_by_name(name)
        .ok_or_else(|| corrupt(name, "the column is missing"))?;
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}

fn corrupt(column: &str, reason: impl ToString) -> LakeError {
    LakeError::Corrupt {
        what: format!("gold.pipeline_state.{column}"),
        reason: reason.to_string(),
    }
}

fn rows_of(batch: &RecordBatch, states: &mut Vec<PipelineState>) -> Result<(), LakeError> {
    let (names, status, runs) = (
        text(batch, "pipeline_name")?,
        text(batch, "status")?,
        text(batch, "last_run_id")?,
    );
    let (zero, dates, inputs) = (
        text(batch, "dq_zero_window_counts")?,
        text(batch, "processed_dates")?,
        text(batch, "input_versions")?,
    );
    let time = |name: &str| -> Result<Vec<Option<UtcMicros>>, LakeError> {
        let column = batch
            .column_by_name(name)
            .ok_or_else(|| corrupt(name, "the column is missing"))?;
        Ok(column
            .as_primitive::<TimestampMicrosecondType>()
            .iter()
            .map(|t| t.map(UtcMicros::new))
            .collect())
    };
    let (success, end, updated) = (
        time("last_success_ts")?,
        time("last_processed_end")?,
        time("updated_at")?,
    );
    let at = |times: &[Option<UtcMicros>], i: usize| times.get(i).copied().flatten();
    let own = |a: &StringArray, i: usize| a.is_valid(i).then(|| a.value(i).to_owned());
    for i in 0..batch.num_rows() {
        states.push(PipelineState {
            pipeline_name: names.value(i).to_owned(),
            success: status.value(i) == "success",
            last_success_ts: at(&success, i),
            last_processed_end: at(&end, i),
            last_run_id: own(&runs, i),
            zero_windows: counts_of(own(&zero, i), "dq_zero_window_counts")?,
            updated_at: at(&updated, i).unwrap_or(UtcMicros::new(0)),
            processed_dates: match own(&dates, i) {
                Some(json) => dates_of(&json)?,
                None => Vec::new(),
            },
            input_versions: counts_of(own(&inputs, i), "input_versions")?,
        });
    }
    Ok(())
}

fn counts_of(json: Option<String>, column: &str) -> Result<BTreeMap<String, u64>, LakeError> {
    json.map_or_else(
        || Ok(BTreeMap::new()),
        |json| serde_json::from_str(&json).map_err(|e| corrupt(column, e)),
    )
}

fn dates_of(json: &str) -> Result<Vec<(DateKst, DateKst)>, LakeError> {
    let ranges: Vec<(String, String)> =
        serde_json::from_str(json).map_err(|e| corrupt("processed_dates", e))?;
    let date = |text: String| text.parse::<DateKst>().map_err(|e| corrupt("processed_dates", e));
    ranges
        .into_iter()
        .map(|(first, last)| Ok((date(first)?, date(last)?)))
        .collect()
}

fn batch_of(states: &[PipelineState]) -> Result<RecordBatch, LakeError> {
    let texts = |f: &dyn Fn(&PipelineState) -> Option<String>| {
        Arc::new(states.iter().map(f).collect::<StringArray>()) as ArrayRef
    };
    let times = |f: &dyn Fn(&PipelineState) -> Option<UtcMicros>| {
        let micros: TimestampMicrosecondArray = states.iter().map(|s| f(s).map(UtcMicros::micros)).collect();
        Arc::new(micros.with_timezone("UTC")) as ArrayRef
    };
    let json = |counts: &BTreeMap<String, u64>| {
        (!counts.is_empty()).then(|| serde_json::to_string(counts).unwrap_or_default())
    };
    let dates = |s: &PipelineState| {
        (!s.processed_dates.is_empty()).then(|| serde_json::to_string(&s.processed_dates).unwrap_or_default())
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("pipeline_name", texts(&|s| Some(s.pipeline_name.clone())), false),
        (
            "status",
            texts(&|s| Some(if s.success { "success" } else { "failure" }.to_owned())),
            false,
        ),
        ("last_success_ts", times(&|s| s.last_success_ts), true),
        ("last_processed_end", times(&|s| s.last_processed_end), true),
        ("last_run_id", texts(&|s| s.last_run_id.clone()), true),
        ("dq_zero_window_counts", texts(&|s| json(&s.zero_windows)), true),
        ("updated_at", times(&|s| Some(s.updated_at)), false),
        ("processed_dates", texts(&dates), true),
        ("input_versions", texts(&|s| json(&s.input_versions)), true),
    ])?)
}

#[cfg(test)]
mod tests {
    use super::PipelineState;
    use nsc_core::DateKst;

    #[test]
    fn processed_days_are_kept_as_ranges_with_their_gaps() {
        let mut state = PipelineState::never("pipeline_silver");
        for day in [5, 7, 1, 6, 2, 7] {
            state.add_date(DateKst::from_days(day));
        }
        let days = |a, b| (DateKst::from_days(a), DateKst::from_days(b));
        assert_eq!(state.processed_dates, [days(1, 2), days(5, 7)]);
        assert!(state.has_processed(DateKst::from_days(6)));
        assert!(!state.has_processed(DateKst::from_days(3)));
    }
}
