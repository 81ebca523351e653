//! Which time a run is about: the flags, and the combinations that make sense.

use clap::{Args, ValueEnum};
use nsc_core::{DateKst, ErrorCode, UtcMicros};
use nsc_pipelines::Period;

use super::{PipelineName, yesterday};
use crate::failure::{OperatorMessage, Outcome};

/// The time a run is about.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Window")]
pub(super) struct PeriodArgs {
    /// incremental: from where the last success ended, or the given window; backfill: the given window, or yesterday
    #[arg(long, value_enum, value_name = "MODE", ignore_case = true)]
    run_mode: Option<RunModeName>,
    /// One KST business day
    #[arg(long, value_name = "DATE", conflicts_with_all = ["date_kst_start", "date_kst_end", "start_ts", "end_ts"])]
    date_kst: Option<DateKst>,
    /// First of several KST business days
    #[arg(long, value_name = "DATE", requires = "date_kst_end", conflicts_with_all = ["start_ts", "end_ts"])]
    date_kst_start: Option<DateKst>,
    /// Last of several KST business days, included
    #[arg(long, value_name = "DATE", requires = "date_kst_start", conflicts_with_all = ["start_ts", "end_ts"])]
    date_kst_end: Option<DateKst>,
    /// First instant of the window
    #[arg(long, value_name = "TIME", requires = "end_ts")]
    start_ts: Option<UtcMicros>,
    /// First instant after the window
    #[arg(long, value_name = "TIME", requires = "start_ts")]
    end_ts: Option<UtcMicros>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RunModeName {
    /// From where the last success ended
    Incremental,
    /// The given window
    Backfill,
}

impl PeriodArgs {
    /// The period the pipelines take.
    pub(super) fn resolve(&self, pipeline: PipelineName, now: UtcMicros) -> Outcome<Period> {
        let window = self.window(now)?;
        if window.is_some() && pipeline == PipelineName::SyncRules {
            return Err(OperatorMessage::usage("sync-rules takes no window").into());
        }
        match (window, self.run_mode) {
            // A carries a count from window to window; to the others a window is a window.
            (Some(Period::Window(window)), Some(RunModeName::Incremental)) if pipeline == PipelineName::A => {
                Ok(Period::Incremental(window))
            }
            (Some(window), _) => Ok(window),
            (None, Some(RunModeName::Backfill)) => match pipeline {
                PipelineName::A => Err(OperatorMessage::usage("a backfill of A needs a window")
                    .with_hint("Give --date-kst, or --start-ts and --end-ts.")
                    .into()),
                PipelineName::SyncRules => Err(OperatorMessage::usage("sync-rules takes no run mode").into()),
                _ => Ok(Period::dates(yesterday(now), yesterday(now))?),
            },
            (None, _) => Ok(Period::Scheduled),
        }
    }

    fn window(&self, now: UtcMicros) -> Outcome<Option<Period>> {
        if let Some(date) = self.date_kst {
            return dates(date, date, now).map(Some);
        }
        if let (Some(first), Some(last)) = (self.date_kst_start, self.date_kst_end) {
            return dates(first, last, now).map(Some);
        }
        let (Some(start), Some(end)) = (self.start_ts, self.end_ts) else {
            return Ok(None);
        };
        if end > now {
            return Err(future(&format!("--end-ts {end} is after now, {now}")).into());
        }
        Ok(Some(Period::window(start, end)?))
    }
}

fn dates(first: DateKst, last: DateKst, now: UtcMicros) -> Outcome<Period> {
    if last < first {
        return Err(
            OperatorMessage::new(ErrorCode::InvalidWindow, "the window is reversed")
                .with_detail(format!("its last day {last} is before its first {first}"))
                .with_hint("Swap --date-kst-start and --date-kst-end.")
                .into(),
        );
    }
    if last > now.date_kst() {
        return Err(future(&format!("{last} is after today (KST), {}", now.date_kst())).into());
    }
    Ok(Period::dates(first, last)?)
}

fn future(detail: &str) -> OperatorMessage {
    OperatorMessage::new(ErrorCode::InvalidWindow, "the window lies in the future")
        .with_detail(detail)
        .with_hint("Name a past business day; --now sets the run's time.")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use nsc_core::UtcMicros;
    use nsc_pipelines::Period;

    use super::super::PipelineName;
    use super::PeriodArgs;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        period: PeriodArgs,
    }

    fn said(pipeline: PipelineName, line: &str) -> String {
        let parsed = match Line::try_parse_from(format!("x {line}").split_whitespace()) {
            Ok(parsed) => parsed,
            Err(e) => return e.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let now = UtcMicros::parse("2026-01-06T03:00:00Z").unwrap();
        match parsed.period.resolve(pipeline, now) {
            Ok(Period::Scheduled) => "scheduled".to_owned(),
            Ok(Period::Window(w)) => w.to_string(),
            Ok(Period::Incremental(w)) => format!("on to {w}"),
            Err(f) => {
                let e = f.error();
                format!("{} {e}: {}", e.code(), e.detail().unwrap_or_default())
            }
        }
    }

    #[test]
    fn a_period_is_one_of_its_forms() {
        let silver = |line| said(PipelineName::Silver, line);
        let day = "[2026-01-04T15:00:00Z, 2026-01-05T15:00:00Z)";
        assert_eq!(silver(""), "scheduled");
        assert_eq!(silver("--run-mode incremental"), "scheduled");
        assert_eq!(silver("--run-mode BACKFILL"), day);
        assert_eq!(silver("--run-mode incremental --date-kst 2026-01-05"), day);
        assert_eq!(
            said(PipelineName::A, "--run-mode Incremental --date-kst 2026-01-05"),
            format!("on to {day}")
        );
        assert_eq!(silver("--date-kst 2026-01-05"), day);
        assert_eq!(
            silver("--date-kst-start 2026-01-05 --date-kst-end 2026-01-05"),
            day
        );
        assert_eq!(
            silver("--start-ts 2026-01-04T15:00:00Z --end-ts 2026-01-06T00:00:00+09:00"),
            day
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = [
            (
                PipelineName::Silver,
                "--date-kst 2026-01-05 --start-ts 2026-01-05T00:00:00Z --end-ts 2026-01-05T01:00:00Z",
            ),
            (PipelineName::Silver, "--date-kst-start 2026-01-05"),
            (PipelineName::Silver, "--end-ts 2026-01-05T00:00:00Z"),
            (PipelineName::Silver, "--date-kst 2026-02-30"),
            (PipelineName::Silver, "--date-kst 2026-01-07"),
            (
                PipelineName::Silver,
                "--date-kst-start 2026-01-05 --date-kst-end 2026-01-04",
            ),
            (
                PipelineName::A,
                "--start-ts 2026-01-05T00:00:00Z --end-ts 2026-01-05T00:00:00Z",
            ),
            (
                PipelineName::A,
                "--start-ts 2026-01-06T02:00:00Z --end-ts 2026-01-06T04:00:00Z",
            ),
            (PipelineName::A, "--run-mode backfill"),
            (PipelineName::SyncRules, "--date-kst 2026-01-05"),
        ];
        let said: Vec<String> = refused
            .into_iter()
            .map(|(p, line)| format!("{line}\n  {}", said(p, line)))
            .collect();
        insta::assert_snapshot!(said.join("\n"));
    }
}
