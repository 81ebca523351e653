//! A table as it was: `version_of('silver.x', 12)`, `as_of('silver.x', '2026-01-05T15:00:00Z')` and `as_of_run('silver.x', 'last')`.

use std::sync::Arc;

use datafusion::catalog::{TableFunctionImpl, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use nsc_contracts::TableContract;
use nsc_core::UtcMicros;
use nsc_lake::{Lake, LakeError, NamedRun};

use crate::in_order::InOrder;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Version,
    Instant,
    Run,
}

/// One of the functions.
#[derive(Debug)]
struct TimeTravel {
    lake: Lake,
    kind: Kind,
}

/// Makes the functions known to a session.
pub(crate) fn register(ctx: &SessionContext, lake: &Lake) {
    for (name, kind) in [
        ("version_of", Kind::Version),
        ("as_of", Kind::Instant),
        ("as_of_run", Kind::Run),
    ] {
        ctx.register_udtf(
            name,
            Arc::new(TimeTravel {
                lake: lake.clone(),
                kind,
            }),
        );
    }
}

impl TableFunctionImpl for TimeTravel {
    fn call(&self, arguments: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let usage = || match self.kind {
            Kind::Version => {
                plan_error("version_of takes a table and a version: version_of('silver.ledger_entries', 12)")
            }
            Kind::Run => plan_error(
                "as_of_run takes a table and a run, by its id or the beginning of it: as_of_run('gold.recon_daily_snapshot_flow', 'last')",
            ),
            Kind::Instant => plan_error(
                "as_of takes a table and a time: as_of('silver.ledger_entries', '2026-01-05T15:00:00Z')",
            ),
        };
        let [Expr::Literal(table, _), Expr::Literal(point, _)] = arguments else {
            return Err(usage());
        };
        let name = text_of(table).ok_or_else(usage)?;
        let contract = nsc_contracts::table(&name)
            .ok_or_else(|| plan_error(&format!("the contract has no table {name}")))?;
        let point = match (self.kind, point) {
            (Kind::Version, point) => Point::Version(version_of(point).ok_or_else(usage)?),
            (Kind::Run, point) => Point::Run(text_of(point).ok_or_else(usage)?),
            (Kind::Instant, point) => Point::Instant(
                text_of(point)
                    .and_then(|t| UtcMicros::parse(&t))
                    .ok_or_else(usage)?,
            ),
        };
        let lake = self.lake.clone();
        // The engine asks for tables of functions synchronously; opening one reads the log.
        let handle = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| handle.block_on(open(&lake, contract, point)))
    }
}

#[derive(Debug)]
enum Point {
    Version(u64),
    Instant(UtcMicros),
    Run(String),
}

/// The version of a table that a run is said to have left or read.
async fn version_of_run(lake: &Lake, table: &str, run: &str) -> Result<u64> {
    let entry = match lake
        .run_named(run)
        .await
        .map_err(|e| DataFusionError::External(Box::new(e)))?
    {
        NamedRun::One(entry) => entry,
        NamedRun::None => {
            return Err(plan_error(&format!(
                "no report of a run {run} is stored (nsc runs list)"
            )));
        }
        NamedRun::Several(count) => {
            return Err(plan_error(&format!(
                "{count} runs have ids that begin with {run}; give more of it"
            )));
        }
    };
    let version = entry.version_of(table);
    version.ok_or_else(|| plan_error(&format!("the run {} neither wrote nor read {table}", entry.name)))
}

async fn open(lake: &Lake, contract: &'static TableContract, point: Point) -> Result<Arc<dyn TableProvider>> {
    let external = |e: LakeError| DataFusionError::External(Box::new(e));
    let missing = || {
        external(LakeError::Missing {
            table: contract.full_name(),
        })
    };
    let newest = lake
        .unchecked(contract, None)
        .await
        .map_err(external)?
        .ok_or_else(missing)?;
    let version = match point {
        Point::Version(version) => version,
        Point::Run(run) => version_of_run(lake, &contract.full_name(), &run).await?,
        Point::Instant(at) => {
            let found = newest.version_at(at).await.map_err(external)?;
            found.ok_or_else(|| plan_error(&format!("{} has no version at {at}", contract.full_name())))?
        }
    };
    if version > newest.version() {
        return Err(plan_error(&format!(
            "{} has no version {version}; its newest is {}",
            contract.full_name(),
            newest.version()
        )));
    }
    let table = lake
        .unchecked(contract, Some(version))
        .await
        .map_err(external)?
        .ok_or_else(missing)?;
    InOrder::of(table.scan_all().map_err(external)?, contract)
}

fn plan_error(message: &str) -> DataFusionError {
    DataFusionError::Plan(message.to_owned())
}

fn text_of(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Utf8(Some(t)) | ScalarValue::LargeUtf8(Some(t)) | ScalarValue::Utf8View(Some(t)) => {
            Some(t.clone())
        }
        _ => None,
    }
}

fn version_of(value: &ScalarValue) -> Option<u64> {
    match value {
        ScalarValue::Int64(Some(n)) => u64::try_from(*n).ok(),
        ScalarValue::UInt64(Some(n)) => Some(*n),
        _ => None,
    }
}
