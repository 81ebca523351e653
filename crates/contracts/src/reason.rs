//! Why a Bronze row is quarantined: the first failing check names the reason (lakehouse contract 3). Each is declared once.
//!
//! The list and the meanings feed `nsc explain` and the page `docs/contracts.md`.

use nsc_core::Words;

/// One reason.
#[derive(Debug)]
pub struct Reason {
    /// `reason` in `silver.bad_records`.
    pub name: &'static str,
    /// The Silver tables whose check can name it.
    pub tables: &'static [&'static str],
    /// What is wrong with the row.
    pub means: Words,
}

/// Declares the reasons: a constant with the name of each, and the list of all.
macro_rules! reasons {
    ($($constant:ident = $name:literal, $tables:expr, $en:literal, $ko:literal;)+) => {
        $(#[doc = $en] pub const $constant: &str = $name;)+

        /// Every reason, in the order in which the checks ask.
        pub static REASONS: &[Reason] = &[$(Reason {
            name: $constant,
            tables: $tables,
            means: Words { en: $en, ko: $ko },
        },)+];
    };
}

const WALLETS: &[&str] = &["wallet_snapshot"];
const LEDGER: &[&str] = &["ledger_entries"];
const ALL: &[&str] = &[
    "wallet_snapshot",
    "ledger_entries",
    "order_events",
    "order_items",
    "products",
];

reasons! {
    MALFORMED_JSON = "malformed_json", ALL,
        "The line is not a JSON object.",
        "줄이 JSON 객체가 아닙니다.";
    MISSING_USER_ID = "missing_user_id", WALLETS,
        "The wallet has no user_id.",
        "지갑에 user_id가 없습니다.";
    INVALID_BALANCE = "invalid_balance", WALLETS,
        "Either balance is missing or not exact money, or their total has more than 38 digits.",
        "두 잔액 중 하나가 없거나 정확한 금액이 아니거나, 합이 38자리를 넘습니다.";
    NEGATIVE_BALANCE = "negative_balance", WALLETS,
        "Either balance is below zero.",
        "두 잔액 중 하나가 0보다 작습니다.";
    MISSING_SNAPSHOT_TS = "missing_snapshot_ts", WALLETS,
        "There is neither source_extracted_at nor ingested_at.",
        "source_extracted_at도 ingested_at도 없습니다.";
    MISSING_TX_OR_WALLET = "missing_tx_or_wallet", LEDGER,
        "The entry has no tx_id or no wallet_id.",
        "항목에 tx_id 또는 wallet_id가 없습니다.";
    MISSING_ENTRY_TYPE = "missing_entry_type", LEDGER,
        "The entry has no type.",
        "항목에 유형이 없습니다.";
    INVALID_ENTRY_TYPE = "invalid_entry_type", LEDGER,
        "The entry's type is not among those of rule silver.entry_type_allowed.",
        "항목의 유형이 규칙 silver.entry_type_allowed에 없습니다.";
    INVALID_AMOUNT = "invalid_amount", &["ledger_entries", "order_events", "order_items", "products"],
        "The amount is missing where it must be, or is not exact money.",
        "금액이 있어야 할 곳에 없거나 정확한 금액이 아닙니다.";
    NON_POSITIVE_AMOUNT = "non_positive_amount", LEDGER,
        "The entry's amount is zero or less.",
        "항목의 금액이 0 이하입니다.";
    AMOUNT_SIGNED_UNAVAILABLE = "amount_signed_unavailable", LEDGER,
        "The entry's type is allowed and its sign is not known: whether it adds or takes away.",
        "허용된 유형이지만 부호(더하는지 빼는지)를 알 수 없습니다.";
    MISSING_EVENT_TIME = "missing_event_time", LEDGER,
        "The entry has no usable time.",
        "항목에 쓸 수 있는 시각이 없습니다.";
    MISSING_ORDER_ID = "missing_order_id", &["order_events"],
        "The order has no order_id.",
        "주문에 order_id가 없습니다.";
    MISSING_REQUIRED_KEYS = "missing_required_keys", &["order_items"],
        "item_id, order_id or product_id is missing or not an integer.",
        "item_id, order_id, product_id 중 하나가 없거나 정수가 아닙니다.";
    MISSING_PRODUCT_ID = "missing_product_id", &["products"],
        "The product has no integer product_id.",
        "상품에 정수인 product_id가 없습니다.";
}

impl Reason {
    /// The reason called so.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        REASONS.iter().find(|r| r.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::REASONS;

    #[test]
    fn every_reason_is_of_a_silver_table() {
        for reason in REASONS {
            for table in reason.tables {
                let known = crate::table(&format!("silver.{table}"));
                assert!(known.is_some(), "{}: {table}", reason.name);
            }
        }
    }
}
