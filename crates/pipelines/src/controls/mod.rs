//! Pipeline B: reconciliation, supply and the operating metrics of a day (lakehouse contract 4, B-1 to B-6).

mod overflow;
mod pairing;
mod payments;
mod positions;
mod soft_gate;
mod verdicts;

use std::collections::BTreeMap;
use std::time::Instant;

use async_trait::async_trait;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Decimal128Type;
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::control::{CONTROLS, Control, SUPPLY, Stage};
use nsc_contracts::exception::ExceptionType;
use nsc_contracts::rule::RuleSet;
use nsc_core::{DateKst, Money};
use nsc_lake::{Conflict, Days, Scope, Table, Upsert, UpsertOutcome};
use nsc_transforms::controls::{self as plans, ControlDay, ControlRules, positions_next, wallet_day};
use nsc_transforms::vocabulary::Aliases;
use nsc_transforms::{Parameter, TransformError, money};

use crate::cursors::{Input, SNAPSHOTS, input};
use crate::daily::{self, Daily};
use crate::derivation::{self, Derivation, UNCHANGED};
use crate::exceptions::{self, Judged};
use crate::loads;
use crate::pipeline::{Extent, Pipeline};
use crate::{Period, PipelineError, RunContext, RunReport};

use pairing::Pairing;
use payments::Payments;
use positions::{History, Positions};
use soft_gate::gating_tag;

/// What the rules in force say to B.
#[derive(Debug)]
struct Judging {
    /// By control.
    controls: BTreeMap<&'static str, ControlRules>,
    /// What a source's words for the status of a payment order stand for.
    statuses: Aliases,
}

impl Judging {
    fn of(rules: &RuleSet) -> Result<Self, PipelineError> {
        let controls = CONTROLS
            .iter()
            .map(|control| Ok((control.id, ControlRules::of(control, rules)?)));
        Ok(Self {
            controls: controls.collect::<Result<_, TransformError>>()?,
            statuses: Aliases::of(rules.optional("silver", "payment_status_alias"))?,
        })
    }
}

/// Pipeline B.
#[derive(Debug, Clone, Copy)]
pub struct Controls;

#[async_trait]
impl Pipeline for Controls {
    fn name(&self) -> &'static str {
        Run::NAME
    }

    async fn run(
        &self,
        run: &RunContext,
        period: Period,
        extent: Extent,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        daily::run::<Run>(run, period, extent, report).await
    }
}

/// What all days of a run share.
struct Run {
    ctx: SessionContext,
    rules: RuleSet,
    judging: Judging,
    history: History,
}

impl Daily for Run {
    const NAME: &'static str = "pipeline_b";
    const INPUTS: &'static [Input] = &[
        Input {
            chains: true,
            reach: false,
            ..input("silver.ledger_entries")
        },
        Input {
            chains: true,
            ..input(SNAPSHOTS)
        },
        input("silver.order_events"),
        Input {
            days: false,
            ..input("silver.bad_records")
        },
    ];

    async fn begin(run: &RunContext, report: &mut RunReport) -> Result<Self, PipelineError> {
        let ctx = run.session()?;
        let rules = report.judging_by(run.rules(&ctx).await?);
        let judging = Judging::of(&rules)?;
        let history = History::open(run).await?;
        report.read(&history.ledger);
        report.read(&history.snapshots);
        Ok(Self {
            ctx,
            rules,
            judging,
            history,
        })
    }

    async fn day(
        &self,
        run: &RunContext,
        date: DateKst,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let day = ControlDay {
            date,
            run_id: run.run_id.clone(),
            dq_tag: gating_tag(run, &self.ctx, &self.rules, date).await?,
        };
        let day = Day {
            run,
            day: &day,
            rules: &self.judging,
            history: &self.history,
        };
        match day.run(report).await {
            Err(PipelineError::AmountOverflow { what, .. }) => {
                Err(overflow::named(run, &self.history, date, what).await)
            }
            done => done,
        }
    }
}

/// One day's controls.
pub(crate) struct Day<'a> {
    pub(crate) run: &'a RunContext,
    pub(crate) day: &'a ControlDay,
    rules: &'a Judging,
    pub(crate) history: &'a History,
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
        for control in CONTROLS {
            let table = self.table(control).await?;
            let of_day = table.files_of(&[self.day.date])?;
            files.extend(of_day.into_iter().map(|f| (control.table.name, f)));
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
            day: self,
            statuses: &self.rules.statuses,
        };
        // The two share neither inputs nor tables.
        let ((), payments) = tokio::try_join!(
            self.balances(&ctx, before, bytes, report),
            payments.run(&ctx, beside),
        )?;
        report.absorb(payments);
        Pairing::of(self).run(&ctx, bytes, report).await
    }

    /// The controls of balances; `ctx` has the day's `entries`, which take `bytes`.
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
        let carried = ("opening_supply", money(before.issued_supply.units()));
        let rows = self.judge(ctx, Stage::Balances, vec![carried], report).await?;
        self.carry(ctx).await?;
        report.step(format!("B-1 B-2 {}", self.day.date), since, rows, bytes);
        Ok(())
    }

    /// Computes the controls of a stage, whose inputs are registered, and records what they find. Returns the rows of the
    /// first one. `more` are parameters of the stage.
    pub(crate) async fn judge(
        &self,
        ctx: &SessionContext,
        stage: Stage,
        more: Vec<Parameter>,
        report: &mut RunReport,
    ) -> Result<u64, PipelineError> {
        let (mut found, mut judged) = (Vec::new(), Judged::default());
        let mut first = None;
        for control in CONTROLS.iter().filter(|c| c.stage == stage) {
            let rows = self.rows(ctx, control, more.clone()).await?;
            let rows = materialise(ctx, control.table.name, rows).await?;
            let count = self.replace(ctx, control, rows.clone(), report).await?;
            first.get_or_insert(count);
            let rules = &self.rules.controls[control.id];
            let of_control = plans::exceptions(ctx, control, self.day, rules, self.run.now).await?;
            let Some(of_control) = of_control else {
                continue;
            };
            let of_control = of_control.collect().await?;
            let verdict = verdicts::of(control, self.day, count, &rows, &of_control).await?;
            report.verdicts.push(verdict);
            found.extend(of_control);
            // A gated day judges nothing else, so it closes nothing else either.
            let is_judged = |t: &&ExceptionType| !(t.is_gated && self.day.is_suppressed());
            judged
                .types
                .extend(control.exceptions().filter(is_judged).map(|t| t.name));
        }
        if !judged.types.is_empty() {
            judged.dates = Days::of(self.day.date);
            exceptions::record(self.run, found, judged, report).await?;
        }
        Ok(first.unwrap_or_default())
    }

    /// A control's rows of the day.
    pub(crate) async fn rows(
        &self,
        ctx: &SessionContext,
        control: &'static Control,
        more: Vec<Parameter>,
    ) -> Result<DataFrame, PipelineError> {
        let rules = &self.rules.controls[control.id];
        Ok(plans::rows(ctx, control, self.day, rules, more).await?)
    }

    /// The table of a control.
    pub(crate) async fn table(&self, control: &Control) -> Result<Table, PipelineError> {
        self.run.table(&control.table.full_name()).await
    }

    /// Replaces a control's rows of the day; returns how many there are.
    pub(crate) async fn replace(
        &self,
        ctx: &SessionContext,
        control: &Control,
        rows: DataFrame,
        report: &mut RunReport,
    ) -> Result<u64, PipelineError> {
        let table = self.table(control).await?;
        let scope = Scope::of(table.files_of(&[self.day.date])?, Conflict::Replace);
        let outcome = upsert(self.run, ctx, &table, scope, rows, report).await?;
        Ok(outcome.inserted + outcome.updated + outcome.unchanged)
    }

    /// Leaves the positions before the next day for its run. Those after a day without data are the ones before it.
    async fn carry(&self, ctx: &SessionContext) -> Result<(), PipelineError> {
        if !self.history.has(self.day.date) {
            return Ok(());
        }
        let wallets = positions_next(ctx).await?.collect().await?;
        let supply = ctx.table(SUPPLY.table.name).await?;
        let issued = supply.select_columns(&["issued_supply"])?.collect().await?;
        let next = Positions {
            wallets,
            issued_supply: amount(&issued, 0)?,
        };
        positions::store(self.run, self.history, self.day.date.next(), &next).await
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
    let (table, outcome) = staged.commit(run.commit_metadata()).await?;
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
