//! Where an entry of the ledger is: from the line it came in to what the controls say of it.

use nsc_query::{Engine, QueryError, Rows};

use crate::finder::{Finder, literal};
use crate::{Sections, nothing};

/// Everything the lake holds of a `tx_id`: its lines and loads, its row of Silver or why it has none, its order and its pair, and
/// what the controls found of it and of its wallet on its day. A sentence says it first.
///
/// # Errors
/// When nothing of that name came, or the lake cannot be read.
pub async fn tx(engine: &Engine, tx_id: &str) -> Result<Sections, QueryError> {
    let finder = Finder { engine };
    let id = literal(tx_id);
    let lines = lines(&finder, &id).await?;
    if lines.count() == 0 {
        let hint = "nsc sql \"SELECT tx_id, source_ref FROM bronze.transaction_ledger_raw LIMIT 20\" shows how they are written.";
        return Err(nothing(format!("no entry {tx_id} has been loaded"), hint).into());
    }
    let loads = loads(&finder, &lines).await?;
    let kept = finder
        .rows(&format!(
            "SELECT * FROM silver.ledger_entries WHERE tx_id = {id} ORDER BY wallet_id"
        ))
        .await?;
    let refused = finder
        .rows(&format!(
            "SELECT source_ref, reason, rule_id, run_id, detected_at FROM silver.bad_records \
             WHERE source_table = 'transaction_ledger_raw' AND source_ref IN ({}) AND record_json LIKE {} ORDER BY detected_at",
            list(&lines.texts("source_ref")),
            literal(&format!("%{tx_id}%"))
        ))
        .await?;
    let search = finder
        .rows(&format!(
            "SELECT * FROM gold.admin_tx_search WHERE tx_id = {id} ORDER BY wallet_id"
        ))
        .await?;
    let orders = finder
        .rows(&format!(
            "SELECT order_ref, order_source, status, amount, merchant_name, event_time, source_ref FROM silver.order_events \
             WHERE order_ref IN ({}) ORDER BY event_time",
            list(&kept.texts("related_id"))
        ))
        .await?;
    let days = days(&kept);
    let judged = format!(
        "SELECT 1 AS judged FROM gold.ledger_supply_balance_daily WHERE date_kst IN ({days}) LIMIT 1"
    );
    let is_judged = finder.rows(&judged).await?.count() > 0;
    let findings = findings(&finder, tx_id, &kept, &days).await?;
    let mut sections = Sections::default();
    let found = Found {
        lines: &lines,
        loads: &loads,
        kept: &kept,
        refused: &refused,
        search: &search,
        is_judged,
        findings: &findings,
    };
    let verdict = verdict(&finder, tx_id, &found).await?;
    sections.push_records("verdict", verdict);
    sections.push("lines it came in", lines);
    sections.push("their loads", loads);
    if refused.count() > 0 {
        sections.push("quarantined", refused);
    }
    sections.push_records("entry", kept);
    sections.push("order", orders);
    sections.push_records("pair", search);
    sections.push("findings of the entry and its wallet", findings);
    Ok(sections)
}

/// The lines an entry came in, as Bronze has them.
async fn lines(finder: &Finder<'_>, id: &str) -> Result<Rows, QueryError> {
    finder
        .rows(&format!(
            "SELECT source_ref, load_id, ingested_at, source_system, wallet_id, coalesce(type, entry_type) AS entry_type, amount, \
             related_id, related_type, status, coalesce(created_at, event_time) AS created_at FROM bronze.transaction_ledger_raw \
             WHERE tx_id = {id} ORDER BY ingested_at, source_ref LIMIT 100"
        ))
        .await
}

/// What became of the loads of some lines; `now` is what each is today.
async fn loads(finder: &Finder<'_>, lines: &Rows) -> Result<Rows, QueryError> {
    finder
        .rows(&format!(
            "SELECT load_id, state, last_value(state) OVER (PARTITION BY load_id ORDER BY recorded_at \
                    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS now, input, actor, reason, recorded_at \
             FROM ops.load WHERE load_id IN ({}) ORDER BY recorded_at",
            list(&lines.texts("load_id"))
        ))
        .await
}

/// What the controls found of an entry, and of its wallet on the days it stands on: the newest row of each finding.
async fn findings(finder: &Finder<'_>, tx_id: &str, kept: &Rows, days: &str) -> Result<Rows, QueryError> {
    let mut subjects = kept.texts("wallet_id");
    subjects.push(tx_id.to_owned());
    finder
        .rows(&format!(
            "SELECT concat(exception_type, ' ', state) AS finding, date_kst, exception_type, severity, state, subject, \
                    metric_value, rule_id, run_id, generated_at FROM ( \
               SELECT *, row_number() OVER (PARTITION BY date_kst, exception_type, subject ORDER BY generated_at DESC) AS age \
               FROM gold.exception_ledger WHERE date_kst IN ({}) AND subject IN ({})) AS told \
             WHERE age = 1 ORDER BY severity, exception_type",
            days,
            list(&subjects)
        ))
        .await
}

/// The business days of entries as a list that SQL takes.
fn days(kept: &Rows) -> String {
    let days: Vec<String> = kept
        .texts("event_date_kst")
        .iter()
        .map(|day| format!("DATE '{day}'"))
        .collect();
    if days.is_empty() {
        "NULL".to_owned()
    } else {
        days.join(", ")
    }
}

/// Texts as a list that SQL takes; one that nothing equals when there are none.
fn list(texts: &[String]) -> String {
    if texts.is_empty() {
        return "NULL".to_owned();
    }
    let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
    texts.join(", ")
}

struct Found<'a> {
    lines: &'a Rows,
    loads: &'a Rows,
    kept: &'a Rows,
    refused: &'a Rows,
    search: &'a Rows,
    /// Whether the controls have judged a day it stands on.
    is_judged: bool,
    findings: &'a Rows,
}

/// The whole in a few sentences, in both languages.
async fn verdict(finder: &Finder<'_>, tx_id: &str, found: &Found<'_>) -> Result<Rows, QueryError> {
    let mut said = vec![came(tx_id, found)];
    if found.kept.count() > 0 {
        said.push(stands(found));
    }
    let reasons = found.refused.texts("reason").join(", ");
    if !reasons.is_empty() {
        let count = found.refused.count();
        said.push((
            format!("In quarantine: {count} ({reasons})."),
            format!("격리된 레코드: {count}({reasons})."),
        ));
    }
    if taken_back(found.loads) {
        said.push((
            "A load of it was taken back: what that brought counts nowhere once Silver has run.".to_owned(),
            "되돌린 적재가 있습니다. 그 적재가 가져온 것은 Silver 실행 뒤 어디에도 집계되지 않습니다."
                .to_owned(),
        ));
    } else if found.kept.count() == 0 && reasons.is_empty() {
        said.push((
            "No run of Silver has taken it yet.".to_owned(),
            "아직 Silver에 반영되지 않았습니다.".to_owned(),
        ));
    }
    if found.kept.count() > 0 {
        said.push(judged(found));
    }
    let (english, korean): (Vec<String>, Vec<String>) = said.into_iter().unzip();
    let (english, korean) = (literal(&english.join(" ")), literal(&korean.join(" ")));
    finder
        .rows(&format!("SELECT {english} AS verdict, {korean} AS verdict_ko"))
        .await
}

/// How it came.
fn came(tx_id: &str, found: &Found<'_>) -> (String, String) {
    let lines = match found.lines.count() {
        1 => "one line".to_owned(),
        count => format!("{count} lines"),
    };
    (
        format!("{tx_id} came in {lines}."),
        format!("{tx_id}: 레코드 {}개로 들어왔습니다.", found.lines.count()),
    )
}

/// What Silver has of it: one entry with its other leg, or several of one name.
fn stands(found: &Found<'_>) -> (String, String) {
    let kept = found.kept;
    let text = |rows: &Rows, name: &str| rows.first_text(name).unwrap_or_default();
    if kept.count() > 1 {
        let wallets = kept.texts("wallet_id").join(", ");
        return (
            format!(
                "Silver has {} entries of that name, of wallets {wallets}.",
                kept.count()
            ),
            format!(
                "Silver에 같은 tx_id의 거래가 {}건 있습니다(지갑 {wallets}).",
                kept.count()
            ),
        );
    }
    let (kind, amount) = (text(kept, "entry_type"), text(kept, "amount"));
    let (wallet, day) = (text(kept, "wallet_id"), text(kept, "event_date_kst"));
    let peer = text(found.search, "paired_tx_id");
    let (pair, pair_ko) = if peer.is_empty() {
        (
            "no other leg of it is known".to_owned(),
            "페어의 상대 거래 없음".to_owned(),
        )
    } else {
        (
            format!("its other leg is {peer}"),
            format!("페어의 상대 거래 {peer}"),
        )
    };
    (
        format!("It is a {kind} of {amount} of wallet {wallet} on {day} (KST); {pair}."),
        format!("{day}(KST) 지갑 {wallet}의 {kind} {amount}입니다. {pair_ko}."),
    )
}

/// Whether one of some loads is taken back now.
fn taken_back(loads: &Rows) -> bool {
    loads.texts("now").iter().any(|state| state == "RETRACTED")
}

/// What the controls say.
fn judged(found: &Found<'_>) -> (String, String) {
    let said = found.findings.texts("finding");
    match (found.is_judged, said.is_empty()) {
        (false, _) => (
            "The controls have not judged its day.".to_owned(),
            "통제가 아직 그날을 판정하지 않았습니다.".to_owned(),
        ),
        (true, true) => (
            "Nothing was found of it or its wallet that day.".to_owned(),
            "그날 이 거래와 지갑에서 발견된 예외가 없습니다.".to_owned(),
        ),
        (true, false) => (
            format!("Found of it or its wallet that day: {}.", said.join(", ")),
            format!("그날 이 거래나 지갑에서 발견된 예외: {}.", said.join(", ")),
        ),
    }
}
