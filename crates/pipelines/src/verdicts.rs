//! The verdicts of B: what a control says of a day, and of how much.
//!
//! A control that found nothing to look at says `no_data`, never `ok`: an empty or misspelt root would pass every night.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::DataFrame;
use nsc_contracts::rule::Severity;
use nsc_contracts::status::verdict;
use nsc_transforms::controls::ControlDay;

use crate::controls::amount;
use crate::{PipelineError, Verdict};

/// B-1 of a day with some wallets, of which some (critical, others) are breached.
pub(crate) fn reconciliation(day: &ControlDay, wallets: u64, (critical, warn): (u64, u64)) -> Verdict {
    let rest = wallets.saturating_sub(critical + warn);
    let said = match day.dq_tag {
        _ if wallets == 0 => verdict::NO_DATA,
        _ if critical > 0 => Severity::Critical.name(),
        _ if warn > 0 => Severity::Warn.name(),
        Some(_) => verdict::SUPPRESSED,
        None => verdict::OK,
    };
    let rest_is = if day.is_suppressed() { "not judged" } else { "ok" };
    let parts = [(rest, rest_is), (critical, "critical"), (warn, "warn")];
    let parts = parts.iter().filter(|(n, _)| *n > 0);
    let parts: Vec<String> = parts.map(|(n, what)| format!("{n} {what}")).collect();
    let detail = if wallets == 0 {
        "no wallet has an entry or a snapshot of the day".to_owned()
    } else {
        format!("{}: {}", counted(wallets), parts.join(", "))
    };
    Verdict {
        control: "B-1 reconciliation".to_owned(),
        subject: day.date.to_string(),
        verdict: said.to_owned(),
        detail: detail + &gate(day),
    }
}

/// B-2 of a day, from its row.
pub(crate) async fn supply(day: &ControlDay, row: &DataFrame) -> Result<Verdict, PipelineError> {
    let columns = [
        "issued_supply",
        "wallet_total_balance",
        "pending_flow_total",
        "diff_amount",
        "wallet_cnt",
        "verdict",
    ];
    let row = row.clone().select_columns(&columns)?.collect().await?;
    let text = |column: usize| -> Result<Option<String>, PipelineError> {
        let Some(batch) = row.iter().find(|b| b.num_rows() > 0) else {
            return Ok(None);
        };
        let texts = cast(batch.column(column), &DataType::Utf8)?;
        Ok(texts
            .as_string::<i32>()
            .iter()
            .next()
            .flatten()
            .map(str::to_owned))
    };
    let wallets = row.iter().find(|b| b.num_rows() > 0).map(|b| b.column(4));
    let wallets = wallets.and_then(|c| c.as_primitive_opt::<Int64Type>());
    let wallets = wallets.map_or(0, |c| u64::try_from(c.value(0)).unwrap_or_default());
    let said = text(5)?.unwrap_or_else(|| verdict::NO_DATA.to_owned());
    let detail = if said == verdict::NO_DATA {
        "no wallet has a snapshot, and nothing was issued".to_owned()
    } else {
        format!(
            "{}: issued {}, balances {}, pending {}, difference {}",
            counted(wallets),
            amount(&row, 0)?,
            amount(&row, 1)?,
            amount(&row, 2)?,
            amount(&row, 3)?
        )
    };
    Ok(Verdict {
        control: "B-2 supply".to_owned(),
        subject: day.date.to_string(),
        verdict: said,
        detail: detail + &gate(day),
    })
}

fn counted(wallets: u64) -> String {
    format!("{wallets} wallet{}", if wallets == 1 { "" } else { "s" })
}

fn gate(day: &ControlDay) -> String {
    let tag = day.dq_tag.as_deref();
    tag.map(|t| format!(" (gated: {t})")).unwrap_or_default()
}
