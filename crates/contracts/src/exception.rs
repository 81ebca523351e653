//! The exceptions a check can record in `gold.exception_ledger`, each declared once (lakehouse contract 3 and 4).
//!
//! What records one names it by the constant here. The list and the meanings feed `nsc findings`, `nsc explain` and the page
//! `docs/contracts.md`.

use nsc_core::Words;

/// What shows why an exception of a type was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The windows of the source that fired (`silver.dq_status`).
    Windows,
    /// The subject is a wallet: its reconciliation and entries of the day.
    Wallet,
    /// The subject is a `tx_id`: its copies in Bronze, and the one in Silver.
    Copies,
    /// The day's row of the control's table.
    Day,
    /// The reasons for which the run quarantined rows of the source.
    Reasons,
}

/// Whether an exception is still found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExceptionState {
    /// Found, and not closed by a later run.
    Open,
    /// A later run judged the same and no longer found it.
    Cleared,
}

impl ExceptionState {
    /// As the ledger stores it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Cleared => "CLEARED",
        }
    }
}

/// Where the severity of an exception comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeverityFrom {
    /// The `severity_map` of the rule for this `domain.metric`.
    Rule(&'static str),
    /// Always WARN.
    AlwaysWarn,
    /// Always CRITICAL.
    AlwaysCritical,
}

/// One type of exception.
#[derive(Debug)]
pub struct ExceptionType {
    /// `exception_type` in the ledger.
    pub name: &'static str,
    /// The check that records it: `Silver`, `A`, or a control of B.
    pub found_by: &'static str,
    /// Whether it says nothing on a day whose sources are not to be trusted.
    pub is_gated: bool,
    /// How grave it is.
    pub severity: SeverityFrom,
    /// The rows that show it.
    pub evidence: Evidence,
    /// What it says.
    pub means: Words,
    /// What to look at first.
    pub look_at: Words,
}

/// Declares the types: a constant with the name of each, and the list of all.
macro_rules! exception_types {
    ($($name:ident: $found_by:literal, $is_gated:literal, $severity:expr, $evidence:expr,
       means: $means_en:literal, $means_ko:literal,
       look_at: $look_en:literal, $look_ko:literal;)+) => {
        $(#[doc = $means_en] pub const $name: &str = stringify!($name);)+

        /// Every type a run can record, in the order of their names.
        pub static EXCEPTION_TYPES: &[ExceptionType] = &[$(ExceptionType {
            name: $name,
            found_by: $found_by,
            is_gated: $is_gated,
            severity: $severity,
            evidence: $evidence,
            means: Words { en: $means_en, ko: $means_ko },
            look_at: Words { en: $look_en, ko: $look_ko },
        },)+];
    };
}

exception_types! {
    BAD_RECORDS_RATE_EXCEEDED: "Silver", false, SeverityFrom::AlwaysCritical, Evidence::Reasons,
    means: "More rows of a load, or of the run, were quarantined than the rule allows; Silver wrote none of the run's rows.",
        "적재 한 건 또는 실행 전체에서 격리된 행의 비율이 규칙의 한도를 넘어 Silver가 아무 행도 쓰지 않고 멈췄습니다.",
    look_at: "The counts by reason; take a wrong file back (nsc loads retract), load the right one, run again.",
        "사유별 건수를 보고, 잘못된 파일은 되돌린 뒤(nsc loads retract) 고친 파일을 적재하고 다시 실행합니다.";
    CONTRACT_VIOLATION: "A", false, SeverityFrom::Rule("dq.contract_bad_records_rate"), Evidence::Windows,
    means: "More rows of a window break the contract of their table than the rule allows.",
        "한 구간에서 테이블 계약을 어긴 행의 비율이 규칙의 한도를 넘었습니다.",
    look_at: "The reasons in silver.bad_records.",
        "silver.bad_records의 사유를 봅니다.";
    DUP_SUSPECTED: "A", false, SeverityFrom::Rule("dq.dup_rate_*"), Evidence::Windows,
    means: "More rows of a window repeat a key than the rule allows.",
        "한 구간에서 같은 키가 반복된 행의 비율이 규칙의 한도를 넘었습니다.",
    look_at: "Whether the source sent or exported the same rows twice.",
        "원천이 같은 행을 두 번 보내거나 추출했는지 봅니다.";
    EVENT_DROP_SUSPECTED: "A", false, SeverityFrom::Rule("dq.completeness_zero_windows"), Evidence::Windows,
    means: "A source had no row in more windows in a row than the rule allows.",
        "원천의 행이 하나도 없는 구간이 규칙의 한도보다 길게 이어졌습니다.",
    look_at: "Whether the source was idle, or its rows were lost on the way.",
        "원천에 정말 거래가 없었는지, 오는 길에 행이 유실되었는지 봅니다.";
    LEDGER_ENTRY_CONFLICT: "Silver", false, SeverityFrom::AlwaysCritical, Evidence::Copies,
    means: "Copies of one tx_id disagree on wallet, type, amount or time, although a ledger is only ever added to.",
        "같은 tx_id의 사본이 지갑, 유형, 금액 또는 시각에서 서로 다릅니다. 원장은 추가만 가능해야 합니다.",
    look_at: "The ledger service: which copy is right, and why there is another one.",
        "원장 시스템에서 어느 사본이 맞는지, 다른 사본이 왜 생겼는지 확인합니다.";
    RECON_DRIFT_HIGH: "B-1", true, SeverityFrom::Rule("ledger.drift_abs"), Evidence::Wallet,
    means: "A wallet's balance changed by another amount than its entries say, by more than the rule allows.",
        "지갑 잔액의 변동이 원장 항목의 합과 규칙의 한도를 넘어 어긋납니다.",
    look_at: "Both snapshots of the wallet and the entries between them: one is missing, doubled or wrong.",
        "지갑의 두 스냅샷과 그 사이의 항목을 보고, 빠졌거나 겹쳤거나 틀린 항목을 찾습니다.";
    RECON_SNAPSHOT_MISSING: "B-1", true, SeverityFrom::AlwaysWarn, Evidence::Wallet,
    means: "A known wallet has entries of the day and no snapshot of it: nothing proves the entries yet.",
        "알려진 지갑에 그날의 항목은 있으나 그날의 스냅샷이 없어, 아직 항목을 증명할 수 없습니다.",
    look_at: "Whether the wallet extract of the day came whole.",
        "그날의 지갑 추출이 빠짐없이 들어왔는지 봅니다.";
    RECON_WALLET_UNKNOWN: "B-1", false, SeverityFrom::AlwaysCritical, Evidence::Wallet,
    means: "A wallet has entries and never had a snapshot: the wallet service does not know it.",
        "항목은 있으나 스냅샷이 한 번도 없는 지갑입니다. 지갑 시스템이 이 지갑을 알지 못합니다.",
    look_at: "Whether the wallet exists; a wallet that issues and burns belongs in rule ledger.system_wallets.",
        "실제로 있는 지갑인지 봅니다. 발행·소각용 지갑이면 규칙 ledger.system_wallets에 넣습니다.";
    SOURCE_STALE: "A", false, SeverityFrom::Rule("dq.freshness_sec"), Evidence::Windows,
    means: "The newest row of a source was older at the end of a window than the rule allows.",
        "구간이 끝난 시점에 원천의 가장 최근 행이 규칙이 허용하는 것보다 오래되었습니다.",
    look_at: "The extract and its transport.",
        "추출과 전송 경로를 봅니다.";
    SUPPLY_MISMATCH: "B-2", true, SeverityFrom::Rule("ledger.supply_diff_abs"), Evidence::Day,
    means: "What was issued is not what the wallets hold and what is still on its way, by more than the rule allows.",
        "발행량이 지갑 잔액의 합과 아직 확인되지 않은 흐름을 더한 값과 규칙의 한도를 넘어 다릅니다.",
    look_at: "The drifts of the same day: their sum often is the difference.",
        "같은 날 RECON 예외의 합계와 비교합니다. 그 합이 차이인 경우가 많습니다.";
}

impl ExceptionType {
    /// The type called so, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        EXCEPTION_TYPES.iter().find(|t| t.name.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::{EXCEPTION_TYPES, ExceptionType, SeverityFrom};
    use crate::rule::KNOWN_METRICS;

    #[test]
    fn types_are_in_order_and_their_rules_are_looked_up() {
        assert!(EXCEPTION_TYPES.is_sorted_by(|a, b| a.name < b.name));
        for t in EXCEPTION_TYPES {
            let SeverityFrom::Rule(rule) = t.severity else {
                continue;
            };
            let prefix = rule.trim_end_matches('*');
            let is_known = KNOWN_METRICS.iter().any(|k| k.subject().starts_with(prefix));
            assert!(is_known, "{}: no rule {rule}", t.name);
        }
    }

    #[test]
    fn a_type_is_found_in_any_case() {
        let found = |name| ExceptionType::named(name).map(|t| t.name);
        assert_eq!(found("source_stale"), Some("SOURCE_STALE"));
        assert_eq!(found("SOURCE_STAL"), None);
    }
}
