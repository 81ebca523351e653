//! Ledger entries that carry a fault.

use super::catalogue::Fault;
use super::journal::{Difference, Drift};
use crate::calendar::{naive, utc, with_offset};
use crate::clock_text::Arrival;
use crate::emit::{Entry, EntryKind};
use crate::record::Record;
use crate::source::Source;
use crate::text::money;
use crate::world::World;

const LEDGER: Source = Source::TransactionLedger;
/// Between a late line's extraction and its load.
const LATE_LAG_US: i64 = 5_000_000;

impl World<'_> {
    /// Writes an entry with its fault, and whatever other line the fault needs.
    pub(crate) fn faulted_entry(&mut self, fault: Fault, entry: &Entry, arrival: Arrival) {
        let mut record = self.entry_record(entry, arrival);
        let nth = self.journal.count(fault.name());
        match fault {
            Fault::LateEntry => return self.hold_back(fault, LEDGER, record, entry.at_us),
            _ if fault.is_conflict() => {
                let older = self.conflicting_copy(fault, entry, &record, arrival);
                self.out.push(LEDGER, older.json().as_bytes());
                self.journal.controls.conflicts.push(self.numbers.tx_id());
            }
            _ => self.restate(fault, nth, entry, &mut record),
        }
        let line = record.json();
        self.out.push(LEDGER, line.as_bytes());
        if fault.is_conflict() {
            self.note_with(fault.name(), LEDGER, "tx_id", self.numbers.tx_id());
        } else {
            self.note(fault.name(), LEDGER);
        }
        if fault == Fault::DupIdentical {
            self.out.push(LEDGER, line.as_bytes());
        }
        // Copies of one entry collapse, except those of two wallets: they are two rows.
        if fault == Fault::DupIdentical || (fault.is_conflict() && fault != Fault::ConflictWallet) {
            self.journal.duplicates[LEDGER] += 1;
        }
    }

    /// Keeps a line for the next night's batch.
    pub(super) fn hold_back(&mut self, fault: Fault, source: Source, mut record: Record, at_us: i64) {
        let loaded = self.today.late_load_us(at_us);
        record.text("ingested_at", utc(loaded));
        record.text("source_extracted_at", utc(loaded - LATE_LAG_US));
        self.journal.hold_back(fault.name(), source, record.json());
    }

    fn entry_record(&self, entry: &Entry, arrival: Arrival) -> Record {
        let mut record = Record::default();
        record.text("tx_id", self.numbers.tx_id());
        record.text("wallet_id", self.accounts.id_of(entry.holder));
        record.text(entry.kind.type_field(), entry.kind.name());
        record.text("amount", money(entry.cents));
        match entry.related.type_name() {
            Some(related_type) => {
                record.text("related_id", entry.related.text());
                record.text("related_type", related_type);
            }
            None => {
                record.raw("related_id", "null");
                record.raw("related_type", "null");
            }
        }
        record.text("status", "POSTED");
        record.text(entry.kind.time_field(), utc(entry.at_us));
        record.extend(self.load_fields(arrival, entry.kind.system()));
        record
    }

    /// Says the same in another valid way.
    fn restate(&self, fault: Fault, nth: u64, entry: &Entry, record: &mut Record) {
        let first_variant = nth.is_multiple_of(2);
        let amount = money(entry.cents);
        let time_field = entry.kind.time_field();
        match fault {
            Fault::OffsetTime => record.text(
                time_field,
                with_offset(entry.at_us, if first_variant { 540 } else { -330 }),
            ),
            Fault::NaiveTime if first_variant => record.text(time_field, naive(entry.at_us)),
            Fault::NaiveTime => record.text(time_field, naive(entry.at_us).replace('T', " ")),
            Fault::NanoTime => record.text(time_field, naive(entry.at_us) + "987Z"),
            Fault::NumberAmount => record.raw("amount", amount),
            Fault::PaddedAmount if first_variant => record.text("amount", format!(" {amount} ")),
            Fault::PaddedAmount => record.text("amount", amount + "0"),
            Fault::ExponentAmount => record.text("amount", format!("{}e-2", entry.cents)),
            Fault::ExtraFields => {
                record.raw("risk_score", "0.870");
                record.raw("geo", r#"{"cc":"KR","ip":null}"#);
                if !first_variant {
                    record.text("메모", "급여 \"이체\"");
                }
            }
            Fault::NumericRelatedId => {
                record.raw("related_id", (900_000_000 + self.numbers.tx).to_string());
                record.text("related_type", "BANK_TRANSFER");
            }
            _ => {}
        }
    }

    /// An older copy of the entry that disagrees with it in one field.
    fn conflicting_copy(&mut self, fault: Fault, entry: &Entry, record: &Record, arrival: Arrival) -> Record {
        let mut older = record.clone();
        let extracted = arrival.extracted.saturating_sub(1);
        let ingested = self
            .today
            .ledger_gap
            .filter(|gap| gap.contains(extracted))
            .map_or(extracted, |gap| gap.to);
        older.text("source_extracted_at", self.today.clock.instant(extracted, ""));
        older.text("ingested_at", self.today.clock.instant(ingested, ".500000"));
        match fault {
            Fault::ConflictAmountOlder => older.text("amount", money(entry.cents + 100)),
            Fault::ConflictTimeOlder => older.text(entry.kind.time_field(), utc(entry.at_us - 1)),
            Fault::ConflictTypeOlder => {
                let other = if entry.kind == EntryKind::Receive {
                    EntryKind::Charge
                } else {
                    EntryKind::Receive
                };
                older.text(entry.kind.type_field(), other.name());
            }
            _ => older.text("wallet_id", self.double_booked(fault, entry)),
        }
        older
    }

    /// Another wallet, whose ledger the entry's older copy stays in. Lists what that breaks.
    fn double_booked(&mut self, fault: Fault, entry: &Entry) -> String {
        let users = self.plan.users;
        let mut other = (entry.holder.index() + 1) % users;
        if Some(other) == self.unseen {
            other = (other + 1) % users;
        }
        let user_id = self.accounts.id(other);
        let amount = money(entry.cents * entry.kind.sign());
        let controls = &mut self.journal.controls;
        controls.drift.push(Drift {
            date_kst: self.today.date.iso(),
            user_id: user_id.clone(),
            net_flow_error: Some(amount.clone()),
            delta_error: None,
            why: fault.name(),
        });
        if entry.kind.moves_supply() {
            controls.supply_differences.push(Difference {
                from_date_kst: Some(self.today.date.iso()),
                date_kst: None,
                issued_minus_total: amount,
                why: fault.name(),
            });
        }
        user_id
    }
}
