//! Wallet positions before a day, carried from day to day so that a day's controls cost the day.
//!
//! Positions are a cache: each day's set names the Silver data files it was computed from. Data files are
//! immutable, so equal names mean equal rows; any change of an earlier day (late entries, corrections, even a
//! compaction) makes the later sets stale, and they are rolled forward again from the newest valid day, or from
//! the beginning. The result is always that of the whole history.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Date32Array, Decimal128Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::SessionContext;
use nsc_contracts::internal::{SUPPLY_POSITION, WALLET_POSITION};
use nsc_core::{DateKst, Money, RunId};
use nsc_lake::{DataFile, Table};
use nsc_transforms::controls::{ControlDay, empty_positions, positions_next, wallet_day};

use crate::silver::scope::instant;
use crate::{PipelineError, RunContext};

/// The state strictly before a day.
#[derive(Debug, Clone)]
pub(crate) struct Positions {
    pub(crate) wallets: Vec<RecordBatch>,
    pub(crate) issued_supply: Money,
}

/// The Silver tables positions are computed from.
pub(crate) struct History {
    pub(crate) ledger: Table,
    pub(crate) snapshots: Table,
    ledger_files: Vec<DataFile>,
    snapshot_files: Vec<DataFile>,
}

impl History {
    pub(crate) async fn open(run: &RunContext) -> Result<Self, PipelineError> {
        let ledger = run.table("silver.ledger_entries").await?;
        let snapshots = run.table("silver.wallet_snapshot").await?;
        Ok(Self {
            ledger_files: ledger.files()?,
            snapshot_files: snapshots.files()?,
            ledger,
            snapshots,
        })
    }

    /// Names the data files of every day before `date`.
    fn fingerprint(&self, date: DateKst) -> String {
        let before = |f: &&DataFile| f.partition_date().is_some_and(|d| d < date);
        let mut paths: Vec<&str> = self
            .ledger_files
            .iter()
            .chain(&self.snapshot_files)
            .filter(before)
            .map(|f| f.path.as_str())
            .collect();
        paths.sort_unstable();
        blake3::hash(paths.join("\n").as_bytes()).to_hex().to_string()
    }

    fn first_day(&self) -> Option<DateKst> {
        self.ledger_files
            .iter()
            .chain(&self.snapshot_files)
            .filter_map(DataFile::partition_date)
            .min()
    }

    /// Registers `entries` and `snapshots` of a day.
    pub(crate) fn register_day(&self, ctx: &SessionContext, day: DateKst) -> Result<u64, PipelineError> {
        let of_day: Vec<DataFile> = self
            .ledger_files
            .iter()
            .filter(|f| f.partition_date() == Some(day))
            .cloned()
            .collect();
        let bytes = of_day.iter().map(|f| f.size).sum();
        ctx.register_table("entries", self.ledger.scan(of_day))?;
        // A snapshot on the day's end stands in the next day's partition.
        let edges = |f: &&DataFile| {
            f.partition_date() == Some(day)
                || (f.partition_date() == Some(day.next())
                    && f.may_hold_instant("snapshot_ts", day.end(), day.end()))
        };
        let files = self.snapshot_files.iter().filter(edges).cloned().collect();
        let inside = col("snapshot_ts")
            .gt_eq(instant(day.start()))
            .and(col("snapshot_ts").lt_eq(instant(day.end())));
        ctx.register_table(
            "snapshots",
            ctx.read_table(self.snapshots.scan(files))?
                .filter(inside)?
                .into_view(),
        )?;
        Ok(bytes)
    }
}

/// Registers the carried positions.
pub(crate) fn register(ctx: &SessionContext, positions: &Positions) -> Result<(), PipelineError> {
    let empty = empty_positions();
    let schema = positions
        .wallets
        .first()
        .map_or_else(|| empty.schema(), RecordBatch::schema);
    let batches = if positions.wallets.is_empty() {
        vec![empty]
    } else {
        positions.wallets.clone()
    };
    ctx.register_table("positions", Arc::new(MemTable::try_new(schema, vec![batches])?))?;
    Ok(())
}

/// The positions strictly before a day.
pub(crate) async fn before(
    run: &RunContext,
    history: &History,
    day: DateKst,
) -> Result<Positions, PipelineError> {
    let empty = Positions {
        wallets: Vec::new(),
        issued_supply: Money::ZERO,
    };
    let Some(first) = history.first_day().filter(|f| *f < day) else {
        return Ok(empty);
    };
    let (mut at, mut positions) = match newest_valid(run, history, first, day).await? {
        Some((at, stored)) => (at, stored),
        None => (first, empty),
    };
    while at < day {
        positions = roll(run, history, at, &positions).await?;
        at = at.next();
        store(run, history, at, &positions).await?;
    }
    Ok(positions)
}

async fn newest_valid(
    run: &RunContext,
    history: &History,
    first: DateKst,
    day: DateKst,
) -> Result<Option<(DateKst, Positions)>, PipelineError> {
    let supply = run.lake.table(&SUPPLY_POSITION).await?;
    let mut days: Vec<DateKst> = supply
        .files()?
        .iter()
        .filter_map(DataFile::partition_date)
        .filter(|d| first < *d && *d <= day)
        .collect();
    days.sort_unstable();
    for at in days.into_iter().rev() {
        if let Some(positions) = load(run, history, &supply, at).await? {
            return Ok(Some((at, positions)));
        }
    }
    Ok(None)
}

async fn load(
    run: &RunContext,
    history: &History,
    supply: &Table,
    at: DateKst,
) -> Result<Option<Positions>, PipelineError> {
    let ctx = run.session()?;
    let fingerprint = history.fingerprint(at);
    let valid = col("fingerprint").eq(lit(fingerprint));
    let found = ctx
        .read_table(supply.scan(supply.files_of(&[at])?))?
        .filter(valid.clone())?
        .select_columns(&["issued_supply"])?
        .collect()
        .await?;
    let Some(batch) = found.iter().find(|b| b.num_rows() > 0) else {
        return Ok(None);
    };
    let issued_supply = batch
        .column(0)
        .as_primitive_opt::<Decimal128Type>()
        .map(|c| c.value(0))
        .and_then(Money::from_units);
    let Some(issued_supply) = issued_supply else {
        return Ok(None);
    };
    let wallets = run.lake.table(&WALLET_POSITION).await?;
    let rows = ctx
        .read_table(wallets.scan(wallets.files_of(&[at])?))?
        .filter(valid)?;
    let rows = rows
        .select_columns(&["user_id", "snapshot_ts", "balance_total", "flow_after"])?
        .collect()
        .await?;
    Ok(Some(Positions {
        wallets: rows,
        issued_supply,
    }))
}

/// The state after one more day.
async fn roll(
    run: &RunContext,
    history: &History,
    day: DateKst,
    positions: &Positions,
) -> Result<Positions, PipelineError> {
    let ctx = run.session()?;
    history.register_day(&ctx, day)?;
    register(&ctx, positions)?;
    let control = ControlDay {
        date: day,
        run_id: RunId::fresh(),
        dq_tag: None,
    };
    let wallets = wallet_day(&ctx, &control).await?.cache().await?;
    ctx.register_table("wallet_day", wallets.into_view())?;
    let next = positions_next(&ctx).await?.collect().await?;
    Ok(Positions {
        wallets: next,
        issued_supply: issued_after(&ctx, positions.issued_supply).await?,
    })
}

async fn issued_after(ctx: &SessionContext, before: Money) -> Result<Money, PipelineError> {
    let sql = "SELECT coalesce(nsc_sum_money(CASE WHEN entry_type IN ('MINT', 'CHARGE') THEN amount ELSE -amount END), CAST(0 AS DECIMAL(38, 2))) \
               FROM entries WHERE entry_type IN ('MINT', 'CHARGE', 'BURN', 'WITHDRAW')";
    let day = ctx.sql(sql).await?.collect().await?;
    let units = match day.first() {
        Some(batch) => cast(batch.column(0), &DataType::Decimal128(38, 2))?
            .as_primitive::<Decimal128Type>()
            .value(0),
        None => 0,
    };
    Money::from_units(units)
        .and_then(|day| before.checked_add(day))
        .ok_or(PipelineError::AmountOverflow {
            what: "issued supply".to_owned(),
        })
}

/// Stores positions for later days; the supply row comes last and makes the set valid.
pub(crate) async fn store(
    run: &RunContext,
    history: &History,
    at: DateKst,
    positions: &Positions,
) -> Result<(), PipelineError> {
    let ctx = run.session()?;
    let fingerprint = history.fingerprint(at);
    let stamp = |batch: &RecordBatch| -> Result<RecordBatch, PipelineError> {
        let rows = batch.num_rows();
        let mut columns: Vec<(String, datafusion::arrow::array::ArrayRef)> = vec![
            (
                "as_of_date_kst".to_owned(),
                Arc::new(Date32Array::from(vec![at.days(); rows])),
            ),
            (
                "fingerprint".to_owned(),
                Arc::new(StringArray::from(vec![fingerprint.as_str(); rows])),
            ),
        ];
        columns.extend(
            batch
                .schema()
                .fields()
                .iter()
                .map(|f| f.name().clone())
                .zip(batch.columns().iter().cloned()),
        );
        Ok(RecordBatch::try_from_iter(columns)?)
    };
    let mut wallets = positions
        .wallets
        .iter()
        .map(stamp)
        .collect::<Result<Vec<_>, _>>()?;
    wallets.push(stamp(&empty_positions())?);
    let supply =
        Decimal128Array::from(vec![positions.issued_supply.units()]).with_precision_and_scale(38, 2)?;
    let supply = stamp(&RecordBatch::try_from_iter([(
        "issued_supply",
        Arc::new(supply) as datafusion::arrow::array::ArrayRef,
    )])?)?;
    for (contract, rows) in [(&WALLET_POSITION, wallets), (&SUPPLY_POSITION, vec![supply])] {
        let mut table = run.lake.table(contract).await?;
        let files = table.files_of(&[at])?;
        if rows.iter().all(|b| b.num_rows() == 0) && files.is_empty() {
            continue;
        }
        table
            .overwrite(&ctx, files, crate::silver::in_memory(&ctx, rows)?, Vec::new())
            .await?;
    }
    Ok(())
}
