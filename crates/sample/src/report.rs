//! What a run reports: the summary every run returns, and the ledger of faults a faulty run writes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::PrettyFormatter;

use crate::faults::Journal;
use crate::options::Plan;
use crate::source::PerSource;

/// What a run wrote.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SampleSummary {
    /// Lines of all six files.
    pub lines: u64,
    /// How long it took, to the hundredth.
    pub seconds: f64,
    /// Lines per second.
    pub lines_per_s: u64,
    /// Lines of each file.
    pub by_source: PerSource<u64>,
    /// What a right reader makes of them.
    pub expected: Expected,
    /// Each day's closing totals.
    pub days: Vec<DaySummary>,
}

/// What a right reader makes of the lines: the three counts of a table add up to its lines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expected {
    /// Rows left after quarantine and collapse.
    pub silver_rows: PerSource<u64>,
    /// Lines collapsed into a newer or identical one.
    pub duplicates_collapsed: PerSource<u64>,
    /// Lines quarantined, by reason.
    pub bad_records: PerSource<BTreeMap<&'static str, u64>>,
}

/// The world's own totals at the end of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DaySummary {
    /// The KST day.
    pub date_kst: String,
    /// MINT + CHARGE - BURN - WITHDRAW since the first day, without the injected differences.
    pub issued_supply_of_the_world: String,
    /// The sum of all balances, available and frozen.
    pub wallet_total_of_the_world: String,
    /// Wallets so far.
    pub wallets: usize,
    /// Bad ledger lines added during the day.
    pub bad_ledger_lines: u64,
}

impl Expected {
    pub(crate) fn new(lines: &PerSource<u64>, journal: &Journal) -> Self {
        let silver_rows = PerSource::from_fn(|source| {
            let bad: u64 = journal.bad[source].values().sum();
            lines[source].saturating_sub(bad + journal.duplicates[source])
        });
        Self {
            silver_rows,
            duplicates_collapsed: journal.duplicates.clone(),
            bad_records: journal.bad.clone(),
        }
    }
}

#[derive(Serialize)]
struct Arguments<'a> {
    seed: u64,
    wallets: usize,
    entries_per_day: u64,
    days: u32,
    first_date_kst: &'a str,
    mode: &'static str,
    bad_rate: Option<f64>,
}

#[derive(Serialize)]
struct Findings<'a> {
    #[serde(flatten)]
    counts: &'a Expected,
    #[serde(flatten)]
    controls: &'a crate::faults::Controls,
    /// How to read the lists above.
    reading: &'static str,
}

#[derive(Serialize)]
struct FaultsFile<'a> {
    args: Arguments<'a>,
    lines: &'a PerSource<u64>,
    expected: Findings<'a>,
    days: &'a [DaySummary],
    injected: &'a BTreeMap<&'static str, crate::faults::Injection>,
}

const READING: &str = "counts hold when every day of the run is processed; \
    malformed lines count on whatever day their load falls; \
    supply_difference: from_date_kst adds from that day on, date_kst on that day only";

/// Writes the ledger of faults to `path`.
pub(crate) fn write_faults(
    path: &Path,
    plan: &Plan,
    journal: &Journal,
    summary: &SampleSummary,
) -> io::Result<()> {
    let options = &plan.options;
    let report = FaultsFile {
        args: Arguments {
            seed: options.seed,
            wallets: options.wallets,
            entries_per_day: options.entries_per_day,
            days: options.days,
            first_date_kst: &options.first_date_kst,
            mode: "faults",
            bad_rate: options.bad_rate,
        },
        lines: &summary.by_source,
        expected: Findings {
            counts: &summary.expected,
            controls: &journal.controls,
            reading: READING,
        },
        days: &summary.days,
        injected: &journal.injected,
    };
    let mut file = BufWriter::new(File::create(path)?);
    report.serialize(&mut Serializer::with_formatter(
        &mut file,
        PrettyFormatter::with_indent(b" "),
    ))?;
    file.write_all(b"\n")?;
    file.flush()
}
