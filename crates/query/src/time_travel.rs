//! A table as it was: `version_of('silver.x', 12)` and `as_of('silver.x', '2026-01-05T15:00:00Z')`.

use std::sync::Arc;

use datafusion::catalog::{TableFunctionImpl, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use nsc_contracts::TableContract;
use nsc_core::UtcMicros;
use nsc_lake::{Lake, LakeError};

#[derive(Debug, Clone, Copy)]
enum Kind {
    Version,
    Instant,
}

/// One of the two functions.
#[derive(Debug)]
struct TimeTravel {
    lake: Lake,
    kind: Kind,
}

/// Makes both functions known to a session.
pub(crate) fn register(ctx: &SessionContext, lake: &Lake) {
    for (name, kind) in [("version_of", Kind::Version), ("as_of", Kind::Instant)] {
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

#[derive(Debug, Clone, Copy)]
enum Point {
    Version(u64),
    Instant(UtcMicros),
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
        Point::Version(version) if version > newest.version() => {
            return Err(plan_error(&format!(
                "{} has no version {version}; its newest is {}",
                contract.full_name(),
                newest.version()
            )));
        }
        Point::Version(version) => version,
        Point::Instant(at) => {
            let found = newest.version_at(at).await.map_err(external)?;
            found.ok_or_else(|| plan_error(&format!("{} has no version at {at}", contract.full_name())))?
        }
    };
    let table = lake
        .unchecked(contract, Some(version))
        .await
        .map_err(external)?
        .ok_or_else(missing)?;
    Ok(table.scan_all().map_err(external)?)
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
