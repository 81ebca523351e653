//! From a statement's text to printed rows, streamed batch by batch.

use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use nsc_contracts::TableContract;
use nsc_core::ErrorCode;
use nsc_lake::{Lake, LakeError, session};

use super::{catalog, exact, statement, time_travel};
use crate::app::App;
use crate::failure::{Failure, Outcome, OutputError};
use crate::output::{BatchCells, Printer, Sheet, columns_of};

/// A session over the lake.
pub(crate) struct Engine {
    ctx: SessionContext,
    lake: Lake,
}

impl Engine {
    /// Opens no table yet.
    pub(crate) fn new(app: &App) -> Outcome<Self> {
        let lake = app.lake()?;
        let ctx = session(&app.session_options())?;
        catalog::register(&ctx, &lake).map_err(|e| statement::failed(&e))?;
        time_travel::register(&ctx, &lake);
        exact::register(&ctx);
        Ok(Self { ctx, lake })
    }

    /// The lake underneath.
    pub(super) fn lake(&self) -> &Lake {
        &self.lake
    }

    async fn frame(&self, text: &str) -> Outcome<DataFrame> {
        let parsed = statement::parse(text)?;
        let state = self.ctx.state();
        let named = state.resolve_table_references(&parsed).unwrap_or_default();
        match statement::plan(&state, parsed).await {
            Ok(plan) => Ok(DataFrame::new(state, plan)),
            Err(refusal) => {
                // "table not found" of a table the contract has: it was never written.
                for reference in named {
                    let mut full =
                        format!("{}.{}", reference.schema().unwrap_or_default(), reference.table());
                    if full.strip_prefix("gold.") == Some(catalog::OPEN_FINDINGS) {
                        catalog::FINDINGS.clone_into(&mut full);
                    }
                    if let Some(contract) = nsc_contracts::open_tables().find(|t| t.full_name() == full) {
                        self.refuse_missing(contract).await?;
                    }
                }
                Err(refusal.into())
            }
        }
    }

    /// Runs a statement of our own and keeps its rows; it carries its own limit. A table that was never written
    /// has no rows.
    pub(crate) async fn sheet(&self, text: &str) -> Outcome<Sheet> {
        let frame = match self.frame(text).await {
            Ok(frame) => frame,
            Err(failure) if failure.error().code() == ErrorCode::TableMissing => {
                return Ok(Sheet::of_text(&[]));
            }
            Err(failure) => return Err(failure),
        };
        let mut sheet = Sheet {
            columns: columns_of(frame.schema().as_arrow()),
            rows: Vec::new(),
        };
        for batch in frame.collect().await.map_err(|e| statement::failed(&e))? {
            let cells = BatchCells::new(&batch).map_err(|e| Failure::unexpected("reading a result", e))?;
            for row in cells.rows() {
                sheet.push(row.map_err(|e| Failure::unexpected("reading a result", e))?);
            }
        }
        Ok(sheet)
    }

    async fn refuse_missing(&self, contract: &'static TableContract) -> Outcome {
        match self.lake.existing(contract).await? {
            Some(_) => Ok(()),
            None => Err(LakeError::Missing {
                table: contract.full_name(),
            }
            .into()),
        }
    }
}

/// Runs one statement and prints its rows; returns how many.
pub(super) async fn print(engine: &Engine, text: &str, printer: &mut Printer) -> Outcome<u64> {
    let frame = engine.frame(text).await?;
    let columns = columns_of(frame.schema().as_arrow());
    let mut batches = frame.execute_stream().await.map_err(|e| statement::failed(&e))?;
    let mut count = 0;
    let mut sink = printer.rows(&columns)?;
    while let Some(batch) = batches.try_next().await.map_err(|e| statement::failed(&e))? {
        let cells = BatchCells::new(&batch).map_err(|e| Failure::unexpected("reading a result", e))?;
        for row in cells.rows() {
            sink.row(row.map_err(|e| Failure::unexpected("reading a result", e))?)
                .map_err(OutputError)?;
            count += 1;
        }
    }
    sink.end().map_err(OutputError)?;
    drop(sink);
    printer.flush()?;
    Ok(count)
}
