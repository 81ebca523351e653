//! Bad lines of `transaction_ledger`.

use super::BadLine;
use crate::calendar::utc;
use crate::record::Record;
use crate::world::World;

/// What is done to a good line to spoil it.
enum Spoil {
    Remove(&'static str),
    Text(&'static str, &'static str),
    Raw(&'static str, &'static str),
    /// A month and a day that do not exist, in the right year.
    ImpossibleTime,
    /// Half the line.
    Cut,
    /// JSON, but not an object.
    Array,
    /// A bare NaN, which is not JSON.
    BareNan,
}

/// One of them after the other: reason, category, what to do.
#[rustfmt::skip] // one way a line
const WAYS: [(&str, &str, Spoil); 19] = [
    ("missing_tx_or_wallet", "missing_tx_id", Spoil::Remove("tx_id")),
    ("missing_tx_or_wallet", "blank_wallet_id", Spoil::Text("wallet_id", "   ")),
    ("missing_entry_type", "null_type", Spoil::Raw("type", "null")),
    ("invalid_entry_type", "unknown_type", Spoil::Text("type", "AIRDROP")),
    ("invalid_amount", "amount_too_precise", Spoil::Text("amount", "10.005")),
    ("invalid_amount", "amount_nan", Spoil::Text("amount", "NaN")),
    ("invalid_amount", "amount_infinity", Spoil::Text("amount", "Infinity")),
    ("invalid_amount", "amount_text", Spoil::Text("amount", "12,000")),
    ("invalid_amount", "amount_overflow", Spoil::Text("amount", "1000000000000000000000000000000000000")),
    ("invalid_amount", "amount_missing", Spoil::Text("amount", "")),
    ("invalid_amount", "amount_number_too_precise", Spoil::Raw("amount", "0.001")),
    ("non_positive_amount", "amount_negative", Spoil::Text("amount", "-5.00")),
    ("non_positive_amount", "amount_zero", Spoil::Text("amount", "0.00")),
    ("missing_event_time", "time_garbage", Spoil::Text("created_at", "not-a-time")),
    ("missing_event_time", "time_impossible", Spoil::ImpossibleTime),
    ("missing_event_time", "time_absent", Spoil::Remove("created_at")),
    ("malformed_json", "malformed_cut", Spoil::Cut),
    ("malformed_json", "malformed_array", Spoil::Array),
    ("malformed_json", "malformed_bare_nan", Spoil::BareNan),
];

impl World<'_> {
    pub(super) fn bad_entry(&mut self, nth: u64, at_us: i64) -> BadLine {
        let arrival = self.arrive(at_us, self.today.ledger_gap);
        let wallet = self.draws.below(self.plan.users);
        let mut record = Record::default();
        record.text("tx_id", format!("tx-bad-{nth:07}"));
        record.text("wallet_id", self.accounts.id(wallet));
        record.text("type", "CHARGE");
        record.text("amount", "1000.00");
        record.raw("related_id", "null");
        record.raw("related_type", "null");
        record.text("status", "POSTED");
        record.text("created_at", utc(at_us));
        record.extend(self.load_fields(arrival, "account-svc"));

        let (reason, category, spoil) = &WAYS[(nth % WAYS.len() as u64) as usize];
        match spoil {
            Spoil::Remove(field) => record.remove(field),
            Spoil::Text(field, text) => record.text(field, *text),
            Spoil::Raw(field, json) => record.raw(field, *json),
            Spoil::ImpossibleTime => {
                let time = format!(
                    "{}-13-45T00:00:00Z",
                    utc(at_us).split('-').next().unwrap_or_default()
                );
                record.text("created_at", time);
            }
            Spoil::BareNan => record.raw("amount", "NaN"),
            Spoil::Cut | Spoil::Array => {}
        }
        let mut line = record.json();
        match spoil {
            Spoil::Cut => line.truncate(line.len() / 2),
            Spoil::Array => line = r#"["not","an","object"]"#.to_owned(),
            _ => {}
        }
        BadLine {
            reason,
            category,
            line,
        }
    }
}
