//! The verdicts of B: what a control says of a day, and of how much.
//!
//! A control that found nothing to look at says `no_data`, never `ok`: an empty or misspelt root would pass every night.

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::DataFrame;
use nsc_contracts::control::{Control, SUPPLY};
use nsc_contracts::rule::Severity;
use nsc_contracts::status::verdict;
use nsc_transforms::controls::ControlDay;

use crate::{PipelineError, Verdict};

use super::amount;

/// What a control says of a day from its `count` rows and from what it found among them.
pub(crate) async fn of(
    control: &Control,
    day: &ControlDay,
    count: u64,
    rows: &DataFrame,
    found: &[RecordBatch],
) -> Result<Verdict, PipelineError> {
    let (said, detail) = if control.id == SUPPLY.id {
        supply(control, rows).await?
    } else {
        let (said, detail) = judged(control, day, count, found)?;
        (said.to_owned(), detail)
    };
    Ok(Verdict {
        control: control.title(),
        subject: day.date.to_string(),
        verdict: said,
        detail: detail + &gate(day),
    })
}

/// Of rows that are judged one by one.
fn judged(
    control: &Control,
    day: &ControlDay,
    count: u64,
    found: &[RecordBatch],
) -> Result<(&'static str, String), PipelineError> {
    let [critical, warn] = [Severity::Critical, Severity::Warn].map(|severity| breached(found, severity));
    let (critical, warn) = (critical?, warn?);
    let said = match day.dq_tag {
        _ if count == 0 => verdict::NO_DATA,
        _ if critical > 0 => Severity::Critical.name(),
        _ if warn > 0 => Severity::Warn.name(),
        Some(_) => verdict::SUPPRESSED,
        None => verdict::OK,
    };
    if count == 0 {
        return Ok((said, format!("the day has no {} to judge", control.unit)));
    }
    let rest = count.saturating_sub(critical + warn);
    let rest_is = if day.is_suppressed() { "not judged" } else { "ok" };
    let parts = [(rest, rest_is), (critical, "critical"), (warn, "warn")];
    let parts = parts.iter().filter(|(n, _)| *n > 0);
    let parts: Vec<String> = parts.map(|(n, what)| format!("{n} {what}")).collect();
    Ok((
        said,
        format!("{}: {}", counted(count, control.unit), parts.join(", ")),
    ))
}

/// How many exceptions have a severity.
fn breached(found: &[RecordBatch], severity: Severity) -> Result<u64, PipelineError> {
    let mut count = 0;
    for column in found.iter().filter_map(|batch| batch.column_by_name("severity")) {
        let column = cast(column, &DataType::Utf8)?;
        let texts = column.as_string::<i32>().iter().flatten();
        count += texts.filter(|text| *text == severity.name()).count() as u64;
    }
    Ok(count)
}

/// Of the one row of B-2, which says it itself.
async fn supply(control: &Control, row: &DataFrame) -> Result<(String, String), PipelineError> {
    let columns = [
        "issued_supply",
        "wallet_total_balance",
        "pending_flow_total",
        "diff_amount",
        "wallet_cnt",
        "verdict",
    ];
    let row = row.clone().select_columns(&columns)?.collect().await?;
    let first = row.iter().find(|b| b.num_rows() > 0);
    let wallets = first.and_then(|b| b.column(4).as_primitive_opt::<Int64Type>());
    let wallets = wallets.map_or(0, |c| u64::try_from(c.value(0)).unwrap_or_default());
    let said = first.map(|b| cast(b.column(5), &DataType::Utf8)).transpose()?;
    let said = said.as_ref().map(|texts| texts.as_string::<i32>());
    let said = said.and_then(|texts| texts.iter().next().flatten());
    let said = said.unwrap_or(verdict::NO_DATA).to_owned();
    let detail = if said == verdict::NO_DATA {
        "no wallet has a snapshot, and nothing was issued".to_owned()
    } else {
        format!(
            "{}: issued {}, balances {}, pending {}, difference {}",
            counted(wallets, control.unit),
            amount(&row, 0)?,
            amount(&row, 1)?,
            amount(&row, 2)?,
            amount(&row, 3)?
        )
    };
    Ok((said, detail))
}

fn counted(count: u64, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn gate(day: &ControlDay) -> String {
    let tag = day.dq_tag.as_deref();
    tag.map(|t| format!(" (gated: {t})")).unwrap_or_default()
}
