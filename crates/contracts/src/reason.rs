//! Why a Bronze row is quarantined: the first failing check names the reason (lakehouse contract 3).

/// The line is not a JSON object.
pub const MALFORMED_JSON: &str = "malformed_json";
/// A wallet without a user.
pub const MISSING_USER_ID: &str = "missing_user_id";
/// Either balance missing or not exact money, or their total over 38 digits.
pub const INVALID_BALANCE: &str = "invalid_balance";
/// Either balance below zero.
pub const NEGATIVE_BALANCE: &str = "negative_balance";
/// Neither `source_extracted_at` nor `ingested_at`.
pub const MISSING_SNAPSHOT_TS: &str = "missing_snapshot_ts";
/// A ledger entry without `tx_id` or `wallet_id`.
pub const MISSING_TX_OR_WALLET: &str = "missing_tx_or_wallet";
/// A ledger entry without a type.
pub const MISSING_ENTRY_TYPE: &str = "missing_entry_type";
/// A type outside rule `silver.entry_type_allowed`.
pub const INVALID_ENTRY_TYPE: &str = "invalid_entry_type";
/// An amount that is missing where required, or not exact money.
pub const INVALID_AMOUNT: &str = "invalid_amount";
/// A ledger amount of zero or less.
pub const NON_POSITIVE_AMOUNT: &str = "non_positive_amount";
/// An allowed type whose sign is not known.
pub const AMOUNT_SIGNED_UNAVAILABLE: &str = "amount_signed_unavailable";
/// No usable event time.
pub const MISSING_EVENT_TIME: &str = "missing_event_time";
/// An order without `order_id`.
pub const MISSING_ORDER_ID: &str = "missing_order_id";
/// `item_id`, `order_id` or `product_id` absent or not an integer.
pub const MISSING_REQUIRED_KEYS: &str = "missing_required_keys";
/// A product without an integer `product_id`.
pub const MISSING_PRODUCT_ID: &str = "missing_product_id";
