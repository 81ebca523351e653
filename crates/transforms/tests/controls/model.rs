//! B-1 and B-2 straight from the contract, over the whole history of a ledger: no carried state, no plans.

use std::collections::{BTreeMap, BTreeSet};

use nsc_core::{DateKst, sign_of};

/// One ledger entry.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) wallet: String,
    /// Microseconds.
    pub(crate) time: i64,
    pub(crate) entry_type: &'static str,
    /// Hundredths.
    pub(crate) amount: i128,
}

impl Entry {
    pub(crate) fn signed(&self) -> i128 {
        self.amount * i128::from(sign_of(self.entry_type).unwrap())
    }
}

/// Everything that ever happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) entries: Vec<Entry>,
    /// (wallet, time) to balance.
    pub(crate) snapshots: BTreeMap<(String, i64), i128>,
}

/// A row of B-1, without its stamps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReconRow {
    pub(crate) wallet: String,
    pub(crate) delta: i128,
    pub(crate) net_flow: i128,
    pub(crate) drift_abs: i128,
    pub(crate) drift_pct: Option<i128>,
    pub(crate) opening_ts: Option<i64>,
    pub(crate) closing_ts: Option<i64>,
    pub(crate) pending_flow: i128,
}

/// A row of `positions`: wallet, snapshot time, balance, flow after it.
pub(crate) type PositionRow = (String, Option<i64>, Option<i128>, i128);

/// The row of B-2, without its stamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SupplyRow {
    pub(crate) issued: i128,
    pub(crate) wallets: i128,
    pub(crate) diff: i128,
    pub(crate) is_ok: bool,
    pub(crate) pending: i128,
    pub(crate) opening: i128,
    /// MINT, CHARGE, BURN, WITHDRAW of the day.
    pub(crate) moved: [i128; 4],
}

impl History {
    fn wallets(&self) -> BTreeSet<&str> {
        self.entries
            .iter()
            .map(|e| e.wallet.as_str())
            .chain(self.snapshots.keys().map(|(w, _)| w.as_str()))
            .collect()
    }

    fn snapshots_of(&self, wallet: &str) -> BTreeMap<i64, i128> {
        self.snapshots
            .iter()
            .filter(|((w, _), _)| w == wallet)
            .map(|((_, t), b)| (*t, *b))
            .collect()
    }

    /// Sum of the wallet's entries in `[from, to)`.
    pub(crate) fn flow(&self, wallet: &str, from: i64, to: i64) -> i128 {
        self.entries
            .iter()
            .filter(|e| e.wallet == wallet && e.time >= from && e.time < to)
            .map(Entry::signed)
            .sum()
    }

    /// Issued supply up to `end`.
    pub(crate) fn issued(&self, end: i64) -> i128 {
        let total = |ty| -> i128 {
            self.entries
                .iter()
                .filter(|e| e.entry_type == ty && e.time < end)
                .map(|e| e.amount)
                .sum()
        };
        total("MINT") + total("CHARGE") - total("BURN") - total("WITHDRAW")
    }

    /// "Rows: every wallet with a snapshot in (start, end] or an entry of the day."
    pub(crate) fn recon(&self, day: DateKst) -> Vec<ReconRow> {
        self.wallets()
            .into_iter()
            .filter_map(|w| self.recon_of(w, day))
            .collect()
    }

    fn recon_of(&self, wallet: &str, day: DateKst) -> Option<ReconRow> {
        let (start, end) = (day.start().micros(), day.end().micros());
        let snapshots = self.snapshots_of(wallet);
        let has_snapshot = snapshots.range(start + 1..=end).next().is_some();
        let has_entry = self
            .entries
            .iter()
            .any(|e| e.wallet == wallet && e.time >= start && e.time < end);
        if !has_snapshot && !has_entry {
            return None;
        }
        let Some((closing_ts, closing)) = snapshots.range(..=end).next_back() else {
            let pending_flow = self.flow(wallet, i64::MIN, end);
            return Some(ReconRow {
                wallet: wallet.to_owned(),
                delta: 0,
                net_flow: 0,
                drift_abs: 0,
                drift_pct: None,
                opening_ts: None,
                closing_ts: None,
                pending_flow,
            });
        };
        let (opening_ts, opening) = snapshots
            .range(..=start)
            .next_back()
            .or_else(|| snapshots.range(start + 1..=end).next())
            .unwrap();
        let delta = closing - opening;
        let net_flow = self.flow(wallet, *opening_ts, *closing_ts);
        let drift_abs = (delta - net_flow).abs();
        let flow = net_flow.abs();
        Some(ReconRow {
            wallet: wallet.to_owned(),
            delta,
            net_flow,
            drift_abs,
            drift_pct: (flow != 0).then(|| (drift_abs * 2_000_000 + flow) / (2 * flow)),
            opening_ts: Some(*opening_ts),
            closing_ts: Some(*closing_ts),
            pending_flow: self.flow(wallet, *closing_ts, end),
        })
    }

    /// The carried state strictly before `end`: wallet, newest snapshot before it, and the flow since.
    pub(crate) fn positions(&self, end: i64) -> Vec<PositionRow> {
        let seen = |wallet: &str| {
            self.entries.iter().any(|e| e.wallet == wallet && e.time < end)
                || self.snapshots.keys().any(|(w, t)| w == wallet && *t < end)
        };
        let wallets = self.wallets().into_iter().filter(|w| seen(w));
        let position = |wallet: &str| {
            let newest = self
                .snapshots_of(wallet)
                .range(..end)
                .next_back()
                .map(|(t, b)| (*t, *b));
            let since = newest.map_or(i64::MIN, |(t, _)| t);
            (
                wallet.to_owned(),
                newest.map(|n| n.0),
                newest.map(|n| n.1),
                self.flow(wallet, since, end),
            )
        };
        wallets.map(position).collect()
    }

    pub(crate) fn supply(&self, day: DateKst) -> SupplyRow {
        let (start, end) = (day.start().micros(), day.end().micros());
        let (mut wallets, mut pending) = (0, 0);
        for wallet in self.wallets() {
            if let Some((t, balance)) = self.snapshots_of(wallet).range(..=end).next_back() {
                wallets += balance;
                pending += self.flow(wallet, *t, end);
            }
        }
        let of_day = |ty: &str| -> i128 {
            let day = self.entries.iter().filter(|e| e.time >= start && e.time < end);
            day.filter(|e| e.entry_type == ty).map(|e| e.amount).sum()
        };
        let issued = self.issued(end);
        let diff = issued - wallets - pending;
        let moved = ["MINT", "CHARGE", "BURN", "WITHDRAW"].map(of_day);
        SupplyRow {
            issued,
            wallets,
            diff,
            is_ok: diff == 0,
            pending,
            opening: self.issued(start),
            moved,
        }
    }
}
