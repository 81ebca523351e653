//! `gold.dim_rule_scd2`: every version of every rule, stored and read back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Float64Builder, ListBuilder, MapBuilder,
    MapFieldNames, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, TimestampMicrosecondType};
use datafusion::prelude::SessionContext;
use nsc_contracts::rule::{Rule, RuleVersion};
use nsc_contracts::{ColumnType, TableContract, table};
use nsc_core::UtcMicros;
use serde_json::Value;

use crate::{Commit, Lake, LakeError, Retry, Table};

fn contract() -> Result<&'static TableContract, LakeError> {
    table("gold.dim_rule_scd2").ok_or_else(|| LakeError::Missing {
        table: "gold.dim_rule_scd2".to_owned(),
    })
}

impl Lake {
    /// Every stored version; none when the table does not exist.
    ///
    /// # Errors
    /// Storage errors and values that cannot be read back.
    pub async fn rule_versions(&self, ctx: &SessionContext) -> Result<Vec<RuleVersion>, LakeError> {
        match self.existing(contract()?).await? {
            Some(table) => versions_of(&table, ctx).await,
            None => Ok(Vec::new()),
        }
    }

    /// What was said with each change of the rules that is still in the log, the newest first: metadata of its commit.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn rule_changes(&self) -> Result<Vec<HashMap<String, Value>>, LakeError> {
        match self.existing(contract()?).await? {
            Some(table) => table.history(None).await,
            None => Ok(Vec::new()),
        }
    }

    /// Changes the stored versions in one commit: `plan` gets what is stored and returns what is to be stored
    /// in its place, or `None` to leave the table alone. A lost race is redone. `metadata` stands in the commit.
    ///
    /// # Errors
    /// The plan's error, or storage errors.
    pub async fn change_rules<E: From<LakeError>>(
        &self,
        ctx: &SessionContext,
        metadata: Vec<(String, Value)>,
        plan: impl Fn(&[RuleVersion]) -> Result<Option<Vec<RuleVersion>>, E>,
    ) -> Result<(), E> {
        let mut retry = Retry::default();
        loop {
            let mut table = self.table(contract()?).await?;
            let stored = versions_of(&table, ctx).await?;
            let Some(wanted) = plan(&stored)? else {
                return Ok(());
            };
            let removed = table.files()?;
            let mut writer = table.writer()?;
            writer.write(&batch_of(&wanted)?).await?;
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
                other => return other.map(|_| ()).map_err(E::from),
            }
        }
    }
}

async fn versions_of(table: &Table, ctx: &SessionContext) -> Result<Vec<RuleVersion>, LakeError> {
    let mut versions = Vec::new();
    for batch in ctx.read_table(table.scan_all()?)?.collect().await? {
        read(&batch, &mut versions)?;
    }
    versions.sort_by(|a, b| (a.effective_start, &a.rule.rule_id).cmp(&(b.effective_start, &b.rule.rule_id)));
    Ok(versions)
}

fn corrupt(column: &str) -> LakeError {
    LakeError::Corrupt {
        what: format!("gold.dim_rule_scd2.{column}"),
        reason: "the column is missing or of another type".to_owned(),
    }
}

fn read(batch: &RecordBatch, versions: &mut Vec<RuleVersion>) -> Result<(), LakeError> {
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| corrupt(name));
    let text = |name: &str| -> Result<StringArray, LakeError> {
        Ok(cast(column(name)?, &DataType::Utf8)?.as_string::<i32>().clone())
    };
    let times = |name: &str| {
        column(name)?
            .as_primitive_opt::<TimestampMicrosecondType>()
            .cloned()
            .ok_or_else(|| corrupt(name))
    };
    let (ids, domains, metrics, comments) = (
        text("rule_id")?,
        text("domain")?,
        text("metric")?,
        text("comment")?,
    );
    let thresholds = column("threshold")?
        .as_primitive_opt::<Float64Type>()
        .ok_or_else(|| corrupt("threshold"))?;
    let maps = column("severity_map")?
        .as_map_opt()
        .ok_or_else(|| corrupt("severity_map"))?;
    let lists = column("allowed_values")?
        .as_list_opt::<i32>()
        .ok_or_else(|| corrupt("allowed_values"))?;
    let (starts, ends) = (times("effective_start_ts")?, times("effective_end_ts")?);
    let current = column("is_current")?
        .as_boolean_opt()
        .ok_or_else(|| corrupt("is_current"))?;
    for i in 0..batch.num_rows() {
        let mut severity_map = BTreeMap::new();
        if maps.is_valid(i) {
            let entries = maps.value(i);
            let keys = cast(entries.column(0), &DataType::Utf8)?;
            let values = entries
                .column(1)
                .as_primitive_opt::<Float64Type>()
                .ok_or_else(|| corrupt("severity_map"))?;
            severity_map.extend(
                keys.as_string::<i32>()
                    .iter()
                    .flatten()
                    .map(str::to_owned)
                    .zip(values.iter().flatten()),
            );
        }
        let mut allowed_values = Vec::new();
        if lists.is_valid(i) {
            let values = cast(&lists.value(i), &DataType::Utf8)?;
            allowed_values.extend(values.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        versions.push(RuleVersion {
            rule: Rule {
                rule_id: ids.value(i).to_owned(),
                domain: domains.value(i).to_owned(),
                metric: metrics.value(i).to_owned(),
                threshold: thresholds.is_valid(i).then(|| thresholds.value(i)),
                severity_map,
                allowed_values,
                comment: comments.is_valid(i).then(|| comments.value(i).to_owned()),
                place: None,
            },
            effective_start: UtcMicros::new(starts.value(i)),
            effective_end: ends.is_valid(i).then(|| UtcMicros::new(ends.value(i))),
            is_current: current.value(i),
        });
    }
    Ok(())
}

fn batch_of(versions: &[RuleVersion]) -> Result<RecordBatch, LakeError> {
    let texts = |f: &dyn Fn(&RuleVersion) -> Option<String>| {
        Arc::new(versions.iter().map(f).collect::<StringArray>()) as ArrayRef
    };
    let times = |f: &dyn Fn(&RuleVersion) -> Option<UtcMicros>| {
        let micros: TimestampMicrosecondArray =
            versions.iter().map(|v| f(v).map(UtcMicros::micros)).collect();
        Arc::new(micros.with_timezone("UTC")) as ArrayRef
    };
    let names = MapFieldNames {
        entry: "key_value".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), Float64Builder::new());
    let mut lists =
        ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
    for version in versions {
        for (name, value) in &version.rule.severity_map {
            maps.keys().append_value(name);
            maps.values().append_value(*value);
        }
        maps.append(!version.rule.severity_map.is_empty())?;
        for value in &version.rule.allowed_values {
            lists.values().append_value(value);
        }
        lists.append(!version.rule.allowed_values.is_empty());
    }
    let maps: ArrayRef = Arc::new(maps.finish());
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("rule_id", texts(&|v| Some(v.rule.rule_id.clone())), false),
        ("domain", texts(&|v| Some(v.rule.domain.clone())), false),
        ("metric", texts(&|v| Some(v.rule.metric.clone())), false),
        (
            "threshold",
            Arc::new(
                versions
                    .iter()
                    .map(|v| v.rule.threshold)
                    .collect::<Float64Array>(),
            ) as ArrayRef,
            true,
        ),
        (
            "severity_map",
            cast(&maps, &ColumnType::MapTextDouble.arrow())?,
            true,
        ),
        ("allowed_values", Arc::new(lists.finish()) as ArrayRef, true),
        ("comment", texts(&|v| v.rule.comment.clone()), true),
        ("effective_start_ts", times(&|v| Some(v.effective_start)), false),
        ("effective_end_ts", times(&|v| v.effective_end), true),
        (
            "is_current",
            Arc::new(
                versions
                    .iter()
                    .map(|v| Some(v.is_current))
                    .collect::<BooleanArray>(),
            ) as ArrayRef,
            false,
        ),
    ])?)
}
