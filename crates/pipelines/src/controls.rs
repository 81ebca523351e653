//! Pipeline B: reconciliation, supply and the operating metrics of a day (lakehouse contract 4, B-1 to B-6).

use std::time::Instant;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::exception::{
    RECON_DRIFT_HIGH, RECON_SNAPSHOT_MISSING, RECON_WALLET_UNKNOWN, SUPPLY_MISMATCH,
};
use nsc_contracts::rule::{Rule, RuleSet, Severity};
use nsc_core::Money;
use nsc_lake::{Conflict, Days, Scope, Table, Upsert, UpsertOutcome};
use nsc_transforms::controls::{
    ControlDay, StatusRule, positions_next, recon_exceptions, reconciliation, supply, supply_exceptions,
    wallet_day,
};
use nsc_transforms::rules::SeverityRule;
use nsc_transforms::vocabulary::Aliases;

use crate::derivation::{self, Derivation, UNCHANGED};
use crate::due::{Extent, Work};
use crate::exceptions::{self, Judged, metadata};
use crate::gate::{self, CONTROLS};
use crate::loads;
use crate::overflow;
use crate::payments::{self, Payments};
use crate::positions::{self, History, Positions};
use crate::search::Search;
use crate::soft_gate::gating_tag;
use crate::{Period, PipelineError, RunContext, RunReport, verdicts};

/// The tables B writes.
const OUTPUTS: [&str; 6] = [
    "gold.recon_daily_snapshot_flow",
    "gold.ledger_supply_balance_daily",
    payments::FAILURE,
    payments::REFUND,
    "gold.ops_ledger_pairing_quality_daily",
    "gold.admin_tx_search",
];

/// The rules B judges by.
#[derive(Debug)]
struct ControlRules {
    drift: SeverityRule,
    supply: SeverityRule,
    failed: StatusRule,
    refunded: StatusRule,
    statuses: Aliases,
    system_wallets: Vec<String>,
}

fn money_rule(rule: &Rule) -> Result<SeverityRule, PipelineError> {
    let (warn, crit) = (rule.warn()?, rule.crit()?);
    Ok(SeverityRule::new(
        rule.rule_id.clone(),
        rule.threshold()?,
        warn,
        crit,
    )?)
}

impl ControlRules {
    fn of(rules: &RuleSet) -> Result<Self, PipelineError> {
        let statuses = |metric: &str| -> Result<StatusRule, PipelineError> {
            let rule = rules.for_metric("ops", metric, None)?;
            Ok(StatusRule {
                rule_id: rule.rule_id.clone(),
                statuses: rule.allowed()?.to_vec(),
            })
        };
        Ok(Self {
            drift: money_rule(rules.for_metric("ledger", "drift_abs", None)?)?,
            supply: money_rule(rules.for_metric("ledger", "supply_diff_abs", None)?)?,
            failed: statuses("payment_failed_status")?,
            refunded: statuses("payment_refunded_status")?,
            statuses: Aliases::of(rules.optional("silver", "payment_status_alias"))?,
            system_wallets: match rules.optional("ledger", "system_wallets") {
                Some(rule) => rule.any_values()?.to_vec(),
                None => Vec::new(),
            },
        })
    }
}

/// Runs Pipeline B, day after day.
pub(crate) async fn run(
    run: &RunContext,
    period: Period,
    extent: Extent,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let ctx = run.session()?;
    let work = Work::of(run, &ctx, CONTROLS, period, extent).await?;
    report.windows.extend(work.windows());
    gate::assert_silver_ready(run, &ctx, &work.days).await?;
    let rules = run.rules(&ctx).await?;
    let control = ControlRules::of(&rules)?;
    let history = History::open(run).await?;
    report.read(&history.ledger);
    report.read(&history.snapshots);
    for date in &work.days {
        let dq_tag = gating_tag(run, &ctx, &rules, *date).await?;
        let day = ControlDay {
            date: *date,
            run_id: run.run_id.clone(),
            dq_tag,
        };
        let day = Day {
            run,
            day: &day,
            rules: &control,
            history: &history,
        };
        match day.run(report).await {
            Err(PipelineError::AmountOverflow { what, .. }) => {
                return Err(overflow::named(run, &history, *date, what).await);
            }
            done => done?,
        }
    }
    gate::succeeded(run, &ctx, work.success(CONTROLS), |_| {}).await
}

/// One day's controls.
struct Day<'a> {
    run: &'a RunContext,
    day: &'a ControlDay,
    rules: &'a ControlRules,
    history: &'a History,
}

impl Day<'_> {
    /// Computes the day, unless nothing it follows from has changed.
    async fn run(&self, report: &mut RunReport) -> Result<(), PipelineError> {
        let since = Instant::now();
        let before = positions::before(self.run, self.history, self.day.date).await?;
        report.step(
            format!("positions before {}", self.day.date),
            since,
            before.wallets.iter().map(|b| b.num_rows() as u64).sum(),
            0,
        );
        let since = Instant::now();
        let derivation = self.derivation(&before).await?;
        let outputs = self.outputs().await?;
        let step = (format!("{UNCHANGED} {}", self.day.date), since);
        if derivation.stands(self.run, &outputs, step, report).await? {
            return Ok(());
        }
        let mark = derivation::mark(report);
        self.compute(&before, report).await?;
        derivation
            .keep(self.run, self.outputs().await?, report, mark)
            .await
    }

    /// What the day's rows follow from.
    async fn derivation(&self, before: &Positions) -> Result<Derivation, PipelineError> {
        let orders = self.run.table("silver.order_events").await?;
        let (bronze, payments) = payments::files_of_day(self.run, self.day.date).await?;
        let ctx = self.run.session()?;
        let taken_back = loads::taken_back(self.run, &ctx, &bronze.name()).await?;
        let silver = derivation::tables_hash(&[
            self.history.ledger.clone(),
            self.history.snapshots.clone(),
            orders,
            self.run.table("silver.bad_records").await?,
        ])?;
        Ok(Derivation::new(format!("b-{}", self.day.date))
            .judging([self.day.date])
            .with(&silver)
            .with(&derivation::files_hash(
                payments.iter().map(|f| ("payment_orders_raw", f)),
            ))
            .with(&taken_back.mark())
            .with(&format!(
                "{:?} {:?} {}",
                self.rules, self.day.dq_tag, before.issued_supply
            )))
    }

    /// Names the files of the day's rows.
    async fn outputs(&self) -> Result<String, PipelineError> {
        let mut files = Vec::new();
        for name in OUTPUTS {
            let table = self.run.table(name).await?;
            let of_day = table.files_of(&[self.day.date])?;
            files.extend(of_day.into_iter().map(|f| (name, f)));
        }
        Ok(derivation::files_hash(
            files.iter().map(|(name, file)| (*name, file)),
        ))
    }

    async fn compute(&self, before: &Positions, report: &mut RunReport) -> Result<(), PipelineError> {
        let ctx = self.run.session()?;
        let bytes = self.history.register_day(&ctx, self.day.date)?;
        let _room = self.run.settings.session.room_for(bytes).await;
        let beside = RunReport::beside(report);
        let payments = Payments {
            run: self.run,
            day: self.day,
            failed: &self.rules.failed,
            refunded: &self.rules.refunded,
            statuses: &self.rules.statuses,
        };
        // The two share neither inputs nor tables.
        let ((), payments) = tokio::try_join!(
            self.balances(&ctx, before, bytes, report),
            payments.run(&ctx, beside),
        )?;
        report.absorb(payments);
        Search::of(self.run, self.day, self.history)
            .run(&ctx, bytes, report)
            .await
    }

    /// B-1 and B-2; `ctx` has the day's `entries`, which take `bytes`.
    async fn balances(
        &self,
        ctx: &SessionContext,
        before: &Positions,
        bytes: u64,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let since = Instant::now();
        positions::register(ctx, before)?;
        materialise(ctx, "wallet_day", wallet_day(ctx, self.day).await?).await?;
        let recon = materialise(
            ctx,
            "recon",
            reconciliation(ctx, self.day, &self.rules.drift, &self.rules.system_wallets).await?,
        )
        .await?;
        let supply = materialise(
            ctx,
            "supply",
            supply(ctx, self.day, before.issued_supply, &self.rules.supply).await?,
        )
        .await?;
        let wallets = self
            .upsert(ctx, "gold.recon_daily_snapshot_flow", recon, report)
            .await?;
        self.upsert(ctx, "gold.ledger_supply_balance_daily", supply.clone(), report)
            .await?;
        self.carry(ctx, &supply).await?;
        self.verdicts(ctx, wallets, &supply, report).await?;
        report.step(format!("B-1 B-2 {}", self.day.date), since, wallets, bytes);
        Ok(())
    }

    /// Replaces the day's rows of a table; returns how many there are.
    async fn upsert(
        &self,
        ctx: &SessionContext,
        name: &str,
        rows: DataFrame,
        report: &mut RunReport,
    ) -> Result<u64, PipelineError> {
        let table = self.run.table(name).await?;
        let scope = Scope::of(table.files_of(&[self.day.date])?, Conflict::Replace);
        let outcome = upsert(self.run, ctx, &table, scope, rows, report).await?;
        Ok(outcome.inserted + outcome.updated + outcome.unchanged)
    }

    /// Leaves the positions before the next day for its run. Those after a day without data are the ones before it.
    async fn carry(&self, ctx: &SessionContext, supply: &DataFrame) -> Result<(), PipelineError> {
        if !self.history.has(self.day.date) {
            return Ok(());
        }
        let wallets = positions_next(ctx).await?.collect().await?;
        let issued = amount(
            &supply
                .clone()
                .select_columns(&["issued_supply"])?
                .collect()
                .await?,
            0,
        )?;
        let next = Positions {
            wallets,
            issued_supply: issued,
        };
        positions::store(self.run, self.history, self.day.date.next(), &next).await
    }

    /// Judges `wallets` reconciled wallets and the supply.
    async fn verdicts(
        &self,
        ctx: &SessionContext,
        wallets: u64,
        supply: &DataFrame,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let mut found = recon_exceptions(ctx, self.day, &self.rules.drift, self.run.now)
            .await?
            .collect()
            .await?;
        let severities = severities(&found)?;
        found.extend(
            supply_exceptions(ctx, self.day, &self.rules.supply, self.run.now)
                .await?
                .collect()
                .await?,
        );
        let mut types = vec![RECON_WALLET_UNKNOWN];
        if !self.day.is_suppressed() {
            // A gated day judges nothing else, so it closes nothing else either.
            types.extend([RECON_DRIFT_HIGH, RECON_SNAPSHOT_MISSING, SUPPLY_MISMATCH]);
        }
        let judged = Judged {
            dates: Days::of(self.day.date),
            types,
            ..Judged::default()
        };
        exceptions::record(self.run, found, judged, report).await?;
        report
            .verdicts
            .push(verdicts::reconciliation(self.day, wallets, severities));
        report.verdicts.push(verdicts::supply(self.day, supply).await?);
        Ok(())
    }
}

/// Writes rows over those of a scope, and reports it; returns what changed.
pub(crate) async fn upsert(
    run: &RunContext,
    ctx: &SessionContext,
    table: &Table,
    scope: Scope,
    rows: DataFrame,
    report: &mut RunReport,
) -> Result<UpsertOutcome, PipelineError> {
    let upsert = Upsert::begin(ctx, table, scope).await?;
    let parts = upsert.write(rows).await?;
    let staged = upsert.finish(ctx, parts).await?;
    let (table, outcome) = staged.commit(metadata(run)).await?;
    report.committed(&table, outcome);
    Ok(outcome)
}

/// Runs a plan once and registers its rows.
pub(crate) async fn materialise(
    ctx: &SessionContext,
    name: &str,
    plan: DataFrame,
) -> Result<DataFrame, PipelineError> {
    let rows = plan.cache().await?;
    ctx.register_table(name, rows.clone().into_view())?;
    Ok(rows)
}

/// The amount in a column of the first row.
pub(crate) fn amount(batches: &[RecordBatch], column: usize) -> Result<Money, PipelineError> {
    let first = batches
        .iter()
        .find(|b| b.num_rows() > 0)
        .and_then(|b| b.columns().get(column).cloned());
    let units = first
        .as_ref()
        .and_then(|c| c.as_primitive_opt::<Decimal128Type>())
        .filter(|c| c.is_valid(0) && c.scale() == 2)
        .map(|c| c.value(0));
    units
        .and_then(Money::from_units)
        .ok_or_else(|| PipelineError::AmountOverflow {
            what: format!("column {column} of the supply row"),
            day: None,
            rows: Vec::new(),
        })
}

/// How many exceptions are CRITICAL, and how many are not.
fn severities(found: &[RecordBatch]) -> Result<(u64, u64), PipelineError> {
    let (mut critical, mut warn) = (0, 0);
    for batch in found {
        let Some(column) = batch.column_by_name("severity") else {
            continue;
        };
        let column = cast(column, &DataType::Utf8)?;
        for severity in column.as_string::<i32>().iter().flatten() {
            if severity == Severity::Critical.name() {
                critical += 1;
            } else {
                warn += 1;
            }
        }
    }
    Ok((critical, warn))
}
