//! `gold.pipeline_state`: how far each pipeline has got (seed 4.5).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::prelude::SessionContext;
use nsc_contracts::status::{FAILURE, SUCCESS};
use nsc_contracts::{TableContract, table};
use nsc_core::UtcMicros;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Commit, Days, Lake, LakeError, Retry, Spans, Table};

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
    /// Business days processed successfully.
    pub processed_dates: Days,
    /// Versions of the inputs that the last scheduled success had seen, by table.
    pub input_versions: BTreeMap<String, u64>,
    /// Processed pieces of days that are not whole yet (Silver only).
    pub processed_parts: Spans,
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
            processed_dates: Days::default(),
            input_versions: BTreeMap::new(),
            processed_parts: Spans::default(),
        }
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

    /// One pipeline's row to be changed, that of a pipeline that has never run when there is none.
    pub fn row(&mut self, pipeline_name: &str) -> &mut PipelineState {
        let known = self.0.iter().position(|s| s.pipeline_name == pipeline_name);
        let at = known.unwrap_or_else(|| {
            self.0.push(PipelineState::never(pipeline_name));
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    /// Changes rows, whatever other pipelines write meanwhile. `metadata` stands in the commit.
    ///
    /// # Errors
    /// Storage errors; [`LakeError::Conflict`] after many lost races.
    pub async fn update(
        lake: &Lake,
        ctx: &SessionContext,
        metadata: Vec<(String, Value)>,
        change: impl Fn(&mut Self),
    ) -> Result<(), LakeError> {
        let mut retry = Retry::default();
        loop {
            let mut table = lake.table(contract()?).await?;
            let mut states = Self::read(&table, ctx).await?;
            change(&mut states);
            let mut states = states.0;
            states.sort_by(|a, b| a.pipeline_name.cmp(&b.pipeline_name));
            let removed = table.files()?;
            let mut writer = table.writer()?;
            writer.write(&batch_of(&states)?).await?;
            let staged = writer.finish().await?;
            match table
                .commit(Commit {
                    staged,
                    removed,
                    metadata: metadata.clone(),
                    ..Commit::default()
                })
                .await
            {
                Err(e) if retry.is_worth_it(&e).await => {}
                other => return other.map(|_| ()),
            }
        }
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
    let (zero, dates, inputs, parts) = (
        text(batch, "dq_zero_window_counts")?,
        text(batch, "processed_dates")?,
        text(batch, "input_versions")?,
        text(batch, "processed_parts")?,
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
            success: status.value(i) == SUCCESS,
            last_success_ts: at(&success, i),
            last_processed_end: at(&end, i),
            last_run_id: own(&runs, i),
            zero_windows: of_json(own(&zero, i), "dq_zero_window_counts")?,
            updated_at: at(&updated, i).unwrap_or(UtcMicros::new(0)),
            processed_dates: of_json(own(&dates, i), "processed_dates")?,
            input_versions: of_json(own(&inputs, i), "input_versions")?,
            processed_parts: of_json(own(&parts, i), "processed_parts")?,
        });
    }
    Ok(())
}

fn of_json<T: Default + DeserializeOwned>(json: Option<String>, column: &str) -> Result<T, LakeError> {
    json.map_or_else(
        || Ok(T::default()),
        |json| serde_json::from_str(&json).map_err(|e| corrupt(column, e)),
    )
}

/// JSON of what is there, null for nothing.
fn json(value: &impl Serialize, is_empty: bool) -> Option<String> {
    (!is_empty).then(|| serde_json::to_string(value).unwrap_or_default())
}

fn batch_of(states: &[PipelineState]) -> Result<RecordBatch, LakeError> {
    let texts = |f: &dyn Fn(&PipelineState) -> Option<String>| {
        Arc::new(states.iter().map(f).collect::<StringArray>()) as ArrayRef
    };
    let times = |f: &dyn Fn(&PipelineState) -> Option<UtcMicros>| {
        let micros: TimestampMicrosecondArray = states.iter().map(|s| f(s).map(UtcMicros::micros)).collect();
        Arc::new(micros.with_timezone("UTC")) as ArrayRef
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("pipeline_name", texts(&|s| Some(s.pipeline_name.clone())), false),
        (
            "status",
            texts(&|s| Some(if s.success { SUCCESS } else { FAILURE }.to_owned())),
            false,
        ),
        ("last_success_ts", times(&|s| s.last_success_ts), true),
        ("last_processed_end", times(&|s| s.last_processed_end), true),
        ("last_run_id", texts(&|s| s.last_run_id.clone()), true),
        (
            "dq_zero_window_counts",
            texts(&|s| json(&s.zero_windows, s.zero_windows.is_empty())),
            true,
        ),
        ("updated_at", times(&|s| Some(s.updated_at)), false),
        (
            "processed_dates",
            texts(&|s| json(&s.processed_dates, s.processed_dates.is_empty())),
            true,
        ),
        (
            "input_versions",
            texts(&|s| json(&s.input_versions, s.input_versions.is_empty())),
            true,
        ),
        (
            "processed_parts",
            texts(&|s| json(&s.processed_parts, s.processed_parts.is_empty())),
            true,
        ),
    ])?)
}
