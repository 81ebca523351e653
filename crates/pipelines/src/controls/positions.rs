//! Wallet positions before a day, carried from day to day so that a day's controls cost the day.
//!
//! Positions are a cache: each day's set names the Silver data files it was computed from. Data files are
//! immutable, so equal names mean equal rows; any change of an earlier day (late entries, corrections, even a
//! compaction) makes the later sets stale, and they are rolled forward again from the newest valid day, or from
//! the beginning. The result is always that of the whole history. Only days with data are gone through: between two of
//! them nothing moves, however many years lie there.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Date32Array, Decimal128Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, Decimal128Type};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::SessionContext;
use nsc_contracts::internal::{SUPPLY_POSITION, WALLET_POSITION};
use nsc_core::{DateKst, Money, RunId};
use nsc_lake::{DataFile, FilesTable, Table};
use nsc_transforms::controls::{ControlDay, empty_positions, positions_next, wallet_day};

use crate::held_rows::in_memory;
use crate::silver::scope::instant;
use crate::{PipelineError, RunContext};

/// While days are rolled forward, a set of positions is stored every so many of them.
const KEPT_EVERY: usize = 32;

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
    /// For each day with data the name of all data files up to its end.
    names: BTreeMap<DateKst, String>,
}

impl History {
    pub(crate) async fn open(run: &RunContext) -> Result<Self, PipelineError> {
        let ledger = run.table("silver.ledger_entries").await?;
        let snapshots = run.table("silver.wallet_snapshot").await?;
        let (ledger_files, snapshot_files) = (ledger.files()?, snapshots.files()?);
        Ok(Self {
            names: names(ledger_files.iter().chain(&snapshot_files)),
            ledger_files,
            snapshot_files,
            ledger,
            snapshots,
        })
    }

    /// Names the data files of every day before `date`.
    fn fingerprint(&self, date: DateKst) -> &str {
        let before = self.names.range(..date).next_back();
        before.map_or("", |(_, name)| name)
    }

    /// The days with data from `from` to `to` (exclusive), oldest first.
    fn days(&self, from: DateKst, to: DateKst) -> Vec<DateKst> {
        self.names.range(from..to).map(|(day, _)| *day).collect()
    }

    /// Whether a day has data.
    pub(crate) fn has(&self, day: DateKst) -> bool {
        self.names.contains_key(&day)
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

/// For each day with files a hash of the paths of all files up to its end.
fn names<'a>(files: impl Iterator<Item = &'a DataFile>) -> BTreeMap<DateKst, String> {
    let mut paths: Vec<(DateKst, &str)> = files
        .filter_map(|f| Some((f.partition_date()?, f.path.as_str())))
        .collect();
    paths.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    let mut names = BTreeMap::new();
    for of_day in paths.chunk_by(|a, b| a.0 == b.0) {
        for (_, path) in of_day {
            hasher.update(path.as_bytes()).update(b"\n");
        }
        if let Some((day, _)) = of_day.first() {
            names.insert(*day, hasher.finalize().to_hex().to_string());
        }
    }
    names
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
    let (mut positions, at) = match newest_valid(run, history, day).await? {
        Some((at, stored)) => (stored, at),
        None => (empty, DateKst::BEGINNING),
    };
    let days = history.days(at, day);
    let count = days.len();
    for (n, rolled) in (1..).zip(days) {
        positions = roll(run, history, rolled, &positions).await?;
        // A set now and then is enough to begin at when an earlier day changes.
        if n == count || n % KEPT_EVERY == 0 {
            store(run, history, rolled.next(), &positions).await?;
        }
    }
    Ok(positions)
}

/// The newest stored set at or before a day that still holds, and its day. Mostly it is the newest of all; when an early
/// day has changed, it may be the oldest.
async fn newest_valid(
    run: &RunContext,
    history: &History,
    day: DateKst,
) -> Result<Option<(DateKst, Positions)>, PipelineError> {
    let supply = run.lake.table(&SUPPLY_POSITION).await?;
    let dated = |f: DataFile| Some((f.partition_date().filter(|d| *d <= day)?, f));
    let mut files: Vec<(DateKst, DataFile)> = supply.files()?.into_iter().filter_map(dated).collect();
    files.sort_unstable_by_key(|(at, _)| std::cmp::Reverse(*at));
    let (mut files, mut lot) = (files.into_iter().map(|(_, f)| f).peekable(), 1);
    while files.peek().is_some() {
        let looked_at = supply.scan(files.by_ref().take(lot).collect());
        if let Some((at, issued_supply)) = valid_supply(run, history, looked_at).await? {
            let wallets = wallets_at(run, history, at).await?;
            return Ok(Some((
                at,
                Positions {
                    wallets,
                    issued_supply,
                },
            )));
        }
        lot *= 8;
    }
    Ok(None)
}

/// The day and the supply of the newest set among some that still holds.
async fn valid_supply(
    run: &RunContext,
    history: &History,
    sets: Arc<FilesTable>,
) -> Result<Option<(DateKst, Money)>, PipelineError> {
    let rows = run
        .session()?
        .read_table(sets)?
        .select_columns(&["as_of_date_kst", "fingerprint", "issued_supply"])?
        .collect()
        .await?;
    let mut newest = None;
    for batch in &rows {
        let names = cast(batch.column(1), &DataType::Utf8)?;
        let (days, names) = (
            batch.column(0).as_primitive::<Date32Type>(),
            names.as_string::<i32>(),
        );
        let supply = batch.column(2).as_primitive::<Decimal128Type>();
        for i in 0..batch.num_rows() {
            let at = DateKst::from_days(days.value(i));
            if names.value(i) == history.fingerprint(at)
                && let Some(supply) = Money::from_units(supply.value(i))
            {
                newest = newest.max(Some((at, supply)));
            }
        }
    }
    Ok(newest)
}

/// The wallets of a set.
async fn wallets_at(
    run: &RunContext,
    history: &History,
    at: DateKst,
) -> Result<Vec<RecordBatch>, PipelineError> {
    let wallets = run.lake.table(&WALLET_POSITION).await?;
    let rows = run
        .session()?
        .read_table(wallets.scan(wallets.files_of(&[at])?))?
        .filter(col("fingerprint").eq(lit(history.fingerprint(at))))?
        .select_columns(&["user_id", "snapshot_ts", "balance_total", "flow_after"])?;
    Ok(rows.collect().await?)
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
            day: None,
            rows: Vec::new(),
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
                Arc::new(StringArray::from(vec![fingerprint; rows])),
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
            .overwrite(&ctx, files, in_memory(&ctx, rows)?, Vec::new())
            .await?;
    }
    Ok(())
}
