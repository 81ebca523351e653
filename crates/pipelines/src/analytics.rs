//! Pipeline C: the anonymised payment fact, one day's partition at a time (lakehouse contract 4, "Pipeline C").

use std::time::Instant;

use async_trait::async_trait;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::SessionContext;
use nsc_core::DateKst;
use nsc_lake::Table;
use nsc_transforms::analytics::payment_fact;

use crate::cursors::{Input, input};
use crate::daily::{self, Daily};
use crate::derivation::{self, Derivation, UNCHANGED};
use crate::pipeline::{Extent, Pipeline};
use crate::silver::scope;
use crate::{Period, PipelineError, RunContext, RunReport, Salt};

const FACT: &str = "gold.fact_payment_anonymized";
const DUMMY_NOTE: &str = "user_key is made with the published dummy salt local-salt-v1, which hides nobody: for trying things out only";

/// Pipeline C.
#[derive(Debug, Clone, Copy)]
pub struct Analytics;

#[async_trait]
impl Pipeline for Analytics {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    async fn run(
        &self,
        run: &RunContext,
        period: Period,
        extent: Extent,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        daily::run::<Self>(run, period, extent, report).await
    }
}

impl Daily for Analytics {
    const NAME: &'static str = "pipeline_c";
    const INPUTS: &'static [Input] = &[
        Input {
            reach: false,
            ..input("silver.order_events")
        },
        Input {
            days: false,
            ..input("silver.order_items")
        },
        Input {
            days: false,
            ..input("silver.products")
        },
    ];

    async fn begin(run: &RunContext, report: &mut RunReport) -> Result<Self, PipelineError> {
        if run.settings.salt.as_ref().is_some_and(Salt::is_dummy) {
            tracing::warn!("{DUMMY_NOTE}");
            report.notes.push(DUMMY_NOTE.to_owned());
        }
        Ok(Self)
    }

    async fn day(
        &self,
        run: &RunContext,
        date: DateKst,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        day_fact(run, date, report).await
    }
}

async fn day_fact(run: &RunContext, day: DateKst, report: &mut RunReport) -> Result<(), PipelineError> {
    let since = Instant::now();
    let ctx = run.session()?;
    let orders = run.table("silver.order_events").await?;
    let items = run.table("silver.order_items").await?;
    let products = run.table("silver.products").await?;
    for table in [&orders, &items, &products] {
        report.read(table);
    }
    let of_day = orders.files_of(&[day])?;
    let mut table = run.table(FACT).await?;
    let derivation = Derivation::new(format!("c-{day}"))
        .with(&derivation::files_hash(
            of_day.iter().map(|f| ("silver.order_events", f)),
        ))
        .with(&derivation::tables_hash(&[items.clone(), products.clone()])?)
        .with(&salt_mark(run.settings.salt.as_ref()));
    let step = (format!("{UNCHANGED} {day}"), since);
    if derivation
        .stands(run, &outputs(&table, day)?, step, report)
        .await?
    {
        return Ok(());
    }
    let mark = derivation::mark(report);
    let bytes = of_day.iter().map(|f| f.size).sum();
    let _room = run.settings.session.room_for(bytes).await;
    let of_day = ctx
        .read_table(orders.scan(of_day))?
        .filter(col("order_source").eq(lit("PAYMENT_ORDERS")))?;
    register_items(&ctx, &items, of_day.clone()).await?;
    ctx.register_table("orders", of_day.into_view())?;
    ctx.register_table("products", products.scan_all()?)?;
    let salt = match &run.settings.salt {
        Some(salt) => salt.expose(),
        None if has_user(&ctx, day).await? => return Err(PipelineError::SaltMissing { date: day }),
        // Nothing will be hashed with it.
        None => "",
    };
    let fact = payment_fact(&ctx, day, &run.run_id, salt).await?;

    let files = table.files_of(&[day])?;
    let outcome = table.overwrite(&ctx, files, fact, run.commit_metadata()).await?;
    report.committed(&table, outcome);
    let rows = outcome.inserted + outcome.unchanged;
    report.step(format!("C fact {day}"), since, rows, 0);
    derivation.keep(run, outputs(&table, day)?, report, mark).await
}

/// Names the files of the day's facts.
fn outputs(table: &Table, day: DateKst) -> Result<String, PipelineError> {
    let files = table.files_of(&[day])?;
    Ok(derivation::files_hash(files.iter().map(|f| (FACT, f))))
}

/// Whether the fact of the day will name anybody.
async fn has_user(ctx: &SessionContext, day: DateKst) -> Result<bool, PipelineError> {
    let orders = ctx.table("orders").await?;
    let named = orders.parse_sql_expr("NOT nsc_is_missing(user_id)")?;
    let of_day = col("event_date_kst").eq(lit(ScalarValue::Date32(Some(day.days()))));
    let first = orders.filter(of_day.and(named))?.limit(0, Some(1))?;
    Ok(first.count().await? > 0)
}

/// Tells one salt from another in a record, and from none, without saying what it is.
fn salt_mark(salt: Option<&Salt>) -> String {
    let salt = salt.map_or("", Salt::expose);
    blake3::Hash::from_bytes(blake3::derive_key("nsc salt of a derivation", salt.as_bytes()))
        .to_hex()
        .to_string()
}

/// Items of files that may hold the day's orders.
async fn register_items(
    ctx: &SessionContext,
    items: &Table,
    orders: datafusion::prelude::DataFrame,
) -> Result<(), PipelineError> {
    let refs = orders.select(vec![col("order_ref").alias("order_id")])?;
    let order_id = refs.parse_sql_expr("nsc_integer(order_id)")?;
    let files = scope::overlapping(items.files()?, "order_id", refs, order_id).await?;
    ctx.register_table("order_items", items.scan(files))?;
    Ok(())
}
