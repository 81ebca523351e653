//! The daily controls of Pipeline B, each declared once (lakehouse contract 4, B-1 to B-6): what it asks, its table, its rules.
//!
//! Its rows are the SQL file of `crates/transforms/src/sql` that is named after the table; what it finds there, a second file
//! that ends in `_exceptions`. CONTRIBUTING says how to add one.

use nsc_core::Words;

use crate::ColumnType::{BigInt, Boolean, Date, Dec2, Dec6, Text, Timestamp};
use crate::exception::{EXCEPTION_TYPES, ExceptionType};
use crate::gold::{DATE_KST, MERCHANT, RULE_ID, RUN_ID};
use crate::{Column, Layer, TableContract, WriteStrategy};

/// When in a day's run a control is computed, and so what its SQL can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `entries` of the day, and `wallet_day`: each wallet with what it carries from the days before.
    Balances,
    /// `payment_day`: the day's payment orders by merchant and status.
    Payments,
    /// `entries`, of the whole day or of the `related_id`s that changed.
    Pairing,
}

/// One control.
#[derive(Debug)]
pub struct Control {
    /// `B-1` and so on.
    pub id: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// What a row of its table is about.
    pub unit: &'static str,
    /// The question it answers.
    pub asks: Words,
    /// When it is computed.
    pub stage: Stage,
    /// The rules it reads, `domain.metric`; the first one's id stands in its rows.
    pub rules: &'static [&'static str],
    /// The table it writes.
    pub table: TableContract,
}

impl Control {
    /// The id and the name, as reports say it.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.id, self.name)
    }

    /// The control called so, by its id.
    #[must_use]
    pub fn named(id: &str) -> Option<&'static Self> {
        CONTROLS.iter().copied().find(|c| c.id == id)
    }

    /// What it can find.
    pub fn exceptions(&self) -> impl Iterator<Item = &'static ExceptionType> {
        EXCEPTION_TYPES.iter().filter(|t| t.found_by == self.id)
    }

    /// Whether its table has a column.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.table.columns.iter().any(|c| c.name == column)
    }
}

const DQ_TAG: Column = Column::new(
    "dq_tag",
    Text,
    "Gating tag of the day; verdicts are suppressed when set",
);
const TOTAL: Column = Column::required("total_cnt", BigInt, "Orders of the day");

/// A table merged by key within its day.
macro_rules! daily {
    ($name:literal, $about:literal, key: [$($key:literal),+], by: $part:literal, stats: [$($stat:literal),*], $columns:expr) => {
        TableContract {
            layer: Layer::Gold,
            name: $name,
            description: $about,
            columns: $columns,
            key: &[$($key),+],
            partition: &[$part],
            write: WriteStrategy::Merge,
            identity: &[],
            lineage: &["run_id"],
            lookup: None,
            statistics: &[$($stat),*],
        }
    };
}

/// Declares the controls: a name for each, and the list of all.
macro_rules! controls {
    ($($(#[$doc:meta])+ $name:ident = $control:expr;)+) => {
        $($(#[$doc])+ pub static $name: Control = $control;)+

        /// Every control, in the order of the contract.
        pub static CONTROLS: &[&Control] = &[$(&$name),+];
    };
}

controls! {
    /// Did each wallet's balance change by what its entries say?
    RECONCILIATION = Control {
        id: "B-1",
        name: "reconciliation",
        unit: "wallet",
        asks: Words {
            en: "Did each wallet's balance change by what its entries say?",
            ko: "지갑마다 잔액의 변동이 원장 항목의 합과 같은가?",
        },
        stage: Stage::Balances,
        rules: &["ledger.drift_abs", "ledger.system_wallets"],
        table: daily!("recon_daily_snapshot_flow", "B-1: one row per wallet and day, balance change against net flow.",
        key: ["date_kst", "user_id"], by: "date_kst", stats: ["user_id"], &[
        DATE_KST,
        Column::required("user_id", Text, "Wallet"),
        Column::required("delta_balance_total", Dec2, "closing - opening balance"),
        Column::required("net_flow_total", Dec2, "Sum of amount_signed in [opening_ts, closing_ts)"),
        Column::required("drift_abs", Dec2, "|delta - net flow|"),
        Column::new("drift_pct", Dec6, "drift_abs / |net flow|; null when the flow is 0"),
        DQ_TAG,
        RUN_ID,
        RULE_ID,
        Column::new("opening_ts", Timestamp, "Instant of the opening snapshot"),
        Column::new("closing_ts", Timestamp, "Instant of the closing snapshot"),
        Column::required("pending_flow", Dec2, "Entries in [closing_ts, end): no snapshot proves them yet"),
    ]),
    };
    /// Is what was issued what the wallets hold, and what is on its way to them?
    SUPPLY = Control {
        id: "B-2",
        name: "supply",
        unit: "wallet",
        asks: Words {
            en: "Is what was issued what the wallets hold, and what is on its way to them?",
            ko: "발행량이 지갑 잔액의 합과 아직 확인되지 않은 흐름을 더한 값과 같은가?",
        },
        stage: Stage::Balances,
        rules: &["ledger.supply_diff_abs"],
        table: daily!("ledger_supply_balance_daily", "B-2: one row per day, issued supply against the sum of all wallets.",
        key: ["date_kst"], by: "date_kst", stats: [], &[
        DATE_KST,
        Column::required("issued_supply", Dec2, "All MINT + CHARGE - BURN - WITHDRAW up to the day's end"),
        Column::required("wallet_total_balance", Dec2, "Sum over all wallets of the newest snapshot at or before the end"),
        Column::required("diff_amount", Dec2, "issued_supply - wallet_total_balance - pending_flow_total"),
        Column::required("is_ok", Boolean, "|diff_amount| <= threshold"),
        DQ_TAG,
        RUN_ID,
        RULE_ID,
        Column::required("pending_flow_total", Dec2, "Known wallets' entries after their snapshot, before the end"),
        Column::required("opening_supply", Dec2, "issued_supply at the day's start"),
        Column::required("minted", Dec2, "MINT of the day"),
        Column::required("charged", Dec2, "CHARGE of the day"),
        Column::required("burned", Dec2, "BURN of the day"),
        Column::required("withdrawn", Dec2, "WITHDRAW of the day"),
        Column::new("wallet_cnt", BigInt, "Wallets whose balance was counted: those with a snapshot at or before the end"),
        Column::new("reconciled_cnt", BigInt, "Wallets B-1 has a row of on the day"),
        Column::new("verdict", Text, "ok, WARN, CRITICAL, suppressed (gated day), or no_data: nothing was there to judge"),
    ]),
    };
    /// What share of a merchant's payment orders failed?
    PAYMENT_FAILURE = Control {
        id: "B-3",
        name: "payment failure",
        unit: "merchant",
        asks: Words {
            en: "What share of a merchant's payment orders failed?",
            ko: "가맹점마다 결제 주문 중 실패한 것의 비율은?",
        },
        stage: Stage::Payments,
        rules: &["ops.payment_failed_status"],
        table: daily!("ops_payment_failure_daily", "B-3: one row per day and merchant, share of failed payment orders.",
        key: ["date_kst", "merchant_name"], by: "date_kst", stats: ["merchant_name"], &[
        DATE_KST,
        MERCHANT,
        TOTAL,
        Column::required("failed_cnt", BigInt, "Orders with a status of rule ops.payment_failed_status"),
        Column::required("failure_rate", Dec6, "failed_cnt / total_cnt"),
        RUN_ID,
        RULE_ID,
    ]),
    };
    /// What share of a merchant's payment orders was refunded?
    PAYMENT_REFUND = Control {
        id: "B-4",
        name: "payment refund",
        unit: "merchant",
        asks: Words {
            en: "What share of a merchant's payment orders was refunded?",
            ko: "가맹점마다 결제 주문 중 환불된 것의 비율은?",
        },
        stage: Stage::Payments,
        rules: &["ops.payment_refunded_status"],
        table: daily!("ops_payment_refund_daily", "B-4: one row per day and merchant, share of refunded payment orders.",
        key: ["date_kst", "merchant_name"], by: "date_kst", stats: ["merchant_name"], &[
        DATE_KST,
        MERCHANT,
        TOTAL,
        Column::required("refunded_cnt", BigInt, "Orders with a status of rule ops.payment_refunded_status"),
        Column::required("refund_rate", Dec6, "refunded_cnt / total_cnt"),
        RUN_ID,
        RULE_ID,
    ]),
    };
    /// How well do entries name and complete their pair?
    PAIRING_QUALITY = Control {
        id: "B-5",
        name: "pairing quality",
        unit: "day",
        asks: Words {
            en: "How well do entries name and complete their pair?",
            ko: "원장 항목이 짝을 얼마나 잘 가리키고 이루는가?",
        },
        stage: Stage::Pairing,
        rules: &[],
        table: daily!("ops_ledger_pairing_quality_daily", "B-5: one row per day, how well entries name and complete their pair.",
        key: ["date_kst"], by: "date_kst", stats: [], &[
        DATE_KST,
        Column::required("entry_cnt", BigInt, "Entries of the day"),
        Column::required("related_id_null_rate", Dec6, "Entries with no related_id / entries"),
        Column::required("pair_candidate_rate", Dec6, "Groups of exactly two entries of two wallets / groups"),
        Column::required("join_payment_orders_rate", Dec6, "Groups whose related_id is a known payment order / groups"),
        RUN_ID,
        RULE_ID,
    ]),
    };
    /// Which entries are there, with their pair and their payment order, for an operator to find?
    ORDER_SEARCH = Control {
        id: "B-6",
        name: "transaction search",
        unit: "entry",
        asks: Words {
            en: "Which entries are there, with their pair and their payment order, for an operator to find?",
            ko: "운영자가 찾을 수 있도록, 항목마다 짝과 결제 주문은 무엇인가?",
        },
        stage: Stage::Pairing,
        rules: &[],
        table: daily!("admin_tx_search", "B-6: one row per ledger entry, flat for the operator's search.",
        key: ["event_date_kst", "tx_id", "wallet_id"], by: "event_date_kst", stats: ["tx_id", "wallet_id", "event_time"], &[
        Column::required("event_date_kst", Date, "KST day of event_time"),
        Column::required("tx_id", Text, "Entry id"),
        Column::required("wallet_id", Text, "Wallet"),
        Column::required("entry_type", Text, "Entry type"),
        Column::required("amount", Dec2, "Positive amount"),
        Column::new("amount_signed", Dec2, "Signed amount"),
        Column::required("event_time", Timestamp, "When it happened"),
        Column::new("related_id", Text, "Order, hold or transfer"),
        Column::new("related_type", Text, "What related_id names"),
        Column::new("merchant_name", Text, "Merchant of the payment order"),
        Column::new("payment_status", Text, "Status of the payment order"),
        Column::new("paired_tx_id", Text, "The other half, when there is exactly one of each in the day"),
        RUN_ID,
        RULE_ID,
    ]),
    };
}

#[cfg(test)]
mod tests {
    use super::{CONTROLS, Control};
    use crate::rule::KNOWN_METRICS;

    #[test]
    fn every_control_has_its_own_id_and_rules_that_are_looked_up() {
        for control in CONTROLS {
            assert_eq!(Control::named(control.id).map(|c| c.name), Some(control.name));
            for rule in control.rules {
                assert!(
                    KNOWN_METRICS.iter().any(|k| k.subject() == *rule),
                    "{}: {rule}",
                    control.id
                );
            }
        }
    }
}
