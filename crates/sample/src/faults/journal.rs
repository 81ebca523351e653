//! The record of everything injected, and of what a right reader must find.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::source::{PerSource, Source};

/// Only the first lines of a fault are listed; all of them are counted.
const LINES_LISTED: usize = 200;

/// More about one injected line: field and value.
pub(crate) type Detail = BTreeMap<&'static str, String>;

/// All injections of one name.
#[derive(Debug, Serialize)]
pub(crate) struct Injection {
    source: Source,
    count: u64,
    /// Line numbers in the source's file, from 1.
    lines: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    detail: Vec<Detail>,
}

/// A line of the world held back for the next night's batch.
pub(crate) struct LateLine {
    pub(crate) source: Source,
    pub(crate) name: &'static str,
    pub(crate) json: String,
}

/// A wallet whose change and net flow differ on a day.
#[derive(Debug, Serialize)]
pub(crate) struct Drift {
    pub(crate) date_kst: String,
    pub(crate) user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) net_flow_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delta_error: Option<String>,
    pub(crate) why: &'static str,
}

/// An amount by which issued supply and wallet total differ, from a day on or on one day only.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from_date_kst: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) date_kst: Option<String>,
    pub(crate) issued_minus_total: String,
    pub(crate) why: &'static str,
}

/// Entries of a wallet that has no snapshot at all.
#[derive(Debug, Serialize)]
pub(crate) struct UnknownWallet {
    pub(crate) date_kst: String,
    pub(crate) wallet_id: String,
    pub(crate) pending_flow: String,
}

/// A known wallet with entries and no snapshot in the day.
#[derive(Debug, Serialize)]
pub(crate) struct MissingSnapshot {
    pub(crate) date_kst: String,
    pub(crate) user_id: String,
}

/// Entries no snapshot of the day proves yet.
#[derive(Debug, Serialize)]
pub(crate) struct PendingFlow {
    pub(crate) date_kst: String,
    pub(crate) user_id: String,
    pub(crate) pending_flow: String,
    pub(crate) why: &'static str,
}

/// A stretch of time in which a source loads nothing.
#[derive(Debug, Serialize)]
pub(crate) struct GapNote {
    pub(crate) source: Source,
    pub(crate) no_row_ingested_from: String,
    pub(crate) to: String,
    pub(crate) why: &'static str,
}

/// What the controls must find.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Controls {
    #[serde(rename = "ledger_entry_conflict_tx_ids")]
    pub(crate) conflicts: Vec<String>,
    #[serde(rename = "recon_drift")]
    pub(crate) drift: Vec<Drift>,
    #[serde(rename = "recon_wallet_unknown")]
    pub(crate) unknown_wallets: Vec<UnknownWallet>,
    #[serde(rename = "recon_snapshot_missing")]
    pub(crate) missing_snapshots: Vec<MissingSnapshot>,
    pub(crate) pending_flow: Vec<PendingFlow>,
    #[serde(rename = "supply_difference")]
    pub(crate) supply_differences: Vec<Difference>,
    pub(crate) gaps: Vec<GapNote>,
}

/// The record itself. A clean run keeps one too: collapsed versions are counted in every run.
#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) injected: BTreeMap<&'static str, Injection>,
    /// Bad lines of each source, by the reason they are quarantined for.
    pub(crate) bad: PerSource<BTreeMap<&'static str, u64>>,
    /// Lines that collapse into another one.
    pub(crate) duplicates: PerSource<u64>,
    pub(crate) late: Vec<LateLine>,
    pub(crate) controls: Controls,
}

impl Journal {
    /// How many of this name there are so far; variants of a fault take turns by it.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.injected.get(name).map_or(0, |injection| injection.count)
    }

    /// Notes an injected line.
    pub(crate) fn note(&mut self, name: &'static str, source: Source, line: u64, detail: Option<Detail>) {
        let injection = self.counted(name, source);
        injection.detail.extend(detail);
        self.arrived(name, line);
    }

    /// Counts a bad line for the reason it is quarantined for.
    pub(crate) fn mark_bad(&mut self, source: Source, reason: &'static str) {
        *self.bad[source].entry(reason).or_default() += 1;
    }

    /// Holds a line back; its number is known when it has [`arrived`](Self::arrived).
    pub(crate) fn hold_back(&mut self, name: &'static str, source: Source, json: String) {
        self.counted(name, source);
        self.late.push(LateLine { source, name, json });
    }

    /// Lists the line of an injection that is counted already.
    pub(crate) fn arrived(&mut self, name: &str, line: u64) {
        if let Some(injection) = self.injected.get_mut(name)
            && injection.lines.len() < LINES_LISTED
        {
            injection.lines.push(line);
        }
    }

    fn counted(&mut self, name: &'static str, source: Source) -> &mut Injection {
        let empty = || Injection {
            source,
            count: 0,
            lines: Vec::new(),
            detail: Vec::new(),
        };
        let injection = self.injected.entry(name).or_insert_with(empty);
        injection.count += 1;
        injection
    }
}
