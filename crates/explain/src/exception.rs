//! The rows behind an exception, by its type.

use nsc_contracts::control::{Control, SUPPLY};
use nsc_contracts::exception::{EXCEPTION_TYPES, Evidence, ExceptionType};
use nsc_core::{DateKst, ErrorCode, OperatorMessage};
use nsc_query::{Engine, QueryError, Rows};

use crate::Sections;
use crate::finder::{Finder, Meaning, date_literal, literal};
use crate::recon::recon_sections;
use crate::supply::supply_sections;

/// Which exceptions.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// KST business day.
    pub date_kst: DateKst,
    /// Only this type, e.g. `RECON_DRIFT_HIGH`.
    pub exception_type: Option<String>,
    /// Only this wallet, `tx_id` or merchant.
    pub subject: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// The exceptions of a day, their rules, and, when they are all about one subject, the rows behind it.
///
/// # Errors
/// When there are none, or the lake cannot be read.
pub async fn exceptions(engine: &Engine, args: &Wanted) -> Result<Sections, QueryError> {
    let finder = Finder { engine };
    let mut filter = vec![format!("date_kst = {}", date_literal(args.date_kst))];
    filter.extend(
        args.exception_type
            .as_ref()
            .map(|t| format!("exception_type = {}", literal(t))),
    );
    filter.extend(args.subject.as_ref().map(|s| format!("subject = {}", literal(s))));
    let found = finder
        .rows(&format!(
            "SELECT exception_type, severity, state, subject, source_table, metric, metric_value, message, rule_id, run_id, \
             window_start_ts, window_end_ts, generated_at FROM gold.exception_ledger WHERE {} \
             ORDER BY severity, exception_type IN ({}) DESC, generated_at DESC, exception_type, subject LIMIT {}",
            filter.join(" AND "),
            of_controls(),
            args.limit
        ))
        .await?;
    if found.count() == 0 {
        return none_found(&finder, args).await;
    }
    let rules = finder.rules(&found.texts("rule_id")).await?;
    let meaning = finder.meaning(of_types(&found.texts("exception_type"))).await?;
    let asked = controls(&finder, &found.texts("exception_type")).await?;
    let mut evidence = Sections::default();
    if let Some(subject) = single_subject(&found) {
        behind(&finder, args.date_kst, &subject, &mut evidence).await?;
    }
    let mut sections = Sections::default();
    // In a sentence and a sum what it is about, then what that means, then the rows.
    sections.take(&mut evidence, &["verdict", "equation"]);
    sections.push_records("meaning", meaning);
    let shown = found.count();
    if shown == 1 {
        sections.push_records("exceptions", found);
    } else {
        sections.push("exceptions", found);
    }
    if shown == args.limit {
        let all = format!(
            "SELECT {shown} AS shown, count(*) AS found FROM gold.exception_ledger WHERE {}",
            filter.join(" AND ")
        );
        sections.push("shown", finder.rows(&all).await?);
    }
    sections.push_records("control", asked);
    sections.push("rules", rules);
    sections.append(evidence);
    Ok(sections)
}

/// The types that the daily controls find, as a list: what is wrong with money comes before what is wrong with its data.
fn of_controls() -> String {
    let of_controls = EXCEPTION_TYPES
        .iter()
        .filter(|t| Control::named(t.found_by).is_some());
    let names: Vec<String> = of_controls.map(|t| literal(t.name)).collect();
    names.join(", ")
}

/// A day without an exception that matches: what was judged of it, or the error that nothing was.
async fn none_found(finder: &Finder<'_>, args: &Wanted) -> Result<Sections, QueryError> {
    let date = args.date_kst;
    let day = date_literal(date);
    let judged = format!(
        "SELECT date_kst, verdict, reconciled_cnt AS wallets_judged, dq_tag, rule_id, run_id \
         FROM gold.ledger_supply_balance_daily WHERE date_kst = {day}"
    );
    let judged = finder.rows(&judged).await?;
    if judged.count() == 0 {
        let refusal = OperatorMessage::new(
            ErrorCode::UpstreamNotReady,
            format!("the controls have not judged {date}"),
        )
        .with_hint(format!(
            "nsc run b --date-kst {date} judges it, once Silver has processed the day."
        ));
        return Err(refusal.into());
    }
    if let Some(subject) = &args.subject {
        assert_known(finder, date, subject).await?;
    }
    let mut sections = Sections::default();
    sections.push("exceptions", Rows::none());
    sections.push_records("judged", judged);
    Ok(sections)
}

/// Refuses a subject that nothing of the day is called: a name that is misspelt is not clean.
async fn assert_known(finder: &Finder<'_>, date: DateKst, subject: &str) -> Result<(), QueryError> {
    let (day, name) = (date_literal(date), literal(subject));
    for wanted in [
        format!("gold.recon_daily_snapshot_flow WHERE date_kst = {day} AND user_id = {name}"),
        format!(
            "silver.ledger_entries WHERE event_date_kst = {day} AND (tx_id = {name} OR wallet_id = {name})"
        ),
        format!("gold.ops_payment_failure_daily WHERE date_kst = {day} AND merchant_name = {name}"),
    ] {
        if finder
            .rows(&format!("SELECT 1 AS found FROM {wanted} LIMIT 1"))
            .await?
            .count()
            > 0
        {
            return Ok(());
        }
    }
    let refusal = OperatorMessage::new(
        ErrorCode::Usage,
        format!("{subject} is no wallet, tx_id or merchant of {date}"),
    );
    Err(refusal
        .with_hint("Names are compared exactly; without --subject all exceptions of the day are shown.")
        .into())
}

/// What some types say, and what to look at first.
fn of_types(names: &[String]) -> Vec<Meaning> {
    let types = names.iter().filter_map(|name| ExceptionType::named(name));
    types
        .map(|t| Meaning {
            name: t.name,
            means: t.means,
            look_at: Some(t.look_at),
        })
        .collect()
}

/// The control that finds a type; none of B's finds those of A and of Silver.
fn control_of(exception_type: &str) -> Option<&'static Control> {
    Control::named(ExceptionType::named(exception_type)?.found_by)
}

/// The controls that found something, and what they ask.
async fn controls(finder: &Finder<'_>, types: &[String]) -> Result<Rows, QueryError> {
    let mut found: Vec<&Control> = types.iter().filter_map(|t| control_of(t)).collect();
    found.dedup_by_key(|c| c.id);
    let meanings = found.iter().map(|c| Meaning {
        name: c.id,
        means: c.asks,
        look_at: None,
    });
    finder.meaning(meanings.collect()).await
}

/// What one kind of exception is about.
struct Subject {
    exception_type: String,
    subject: Option<String>,
    source_table: Option<String>,
    run_id: Option<String>,
}

fn single_subject(found: &Rows) -> Option<Subject> {
    let types = found.texts("exception_type");
    let subjects = found.texts("subject");
    let [exception_type] = types.as_slice() else {
        return None;
    };
    (subjects.len() <= 1).then(|| Subject {
        exception_type: exception_type.clone(),
        subject: subjects.first().cloned(),
        source_table: found.first_text("source_table"),
        run_id: found.first_text("run_id"),
    })
}

async fn behind(
    finder: &Finder<'_>,
    date: DateKst,
    what: &Subject,
    sections: &mut Sections,
) -> Result<(), QueryError> {
    let day = date_literal(date);
    let evidence = ExceptionType::named(&what.exception_type).map(|t| t.evidence);
    match (evidence, &what.subject) {
        (Some(Evidence::Wallet), Some(wallet)) => {
            recon_sections(finder, date, wallet, sections).await?;
            came_since(finder, &day, wallet, sections).await?;
        }
        (Some(Evidence::Copies), Some(tx_id)) => {
            let copies = format!(
                "SELECT * FROM bronze.transaction_ledger_raw WHERE tx_id = {} ORDER BY ingested_at",
                literal(tx_id)
            );
            sections.push_records("copies in Bronze", finder.rows(&copies).await?);
            let kept = format!(
                "SELECT * FROM silver.ledger_entries WHERE tx_id = {}",
                literal(tx_id)
            );
            sections.push_records("kept in Silver", finder.rows(&kept).await?);
        }
        (Some(Evidence::Day), _) => {
            let Some(control) = control_of(&what.exception_type) else {
                return Ok(());
            };
            let table = control.table.full_name();
            let row = format!("SELECT * FROM {table} WHERE date_kst = {day}");
            sections.push_records("numbers of the day", finder.rows(&row).await?);
            if control.id == SUPPLY.id {
                supply_sections(finder, &day, sections).await?;
            }
        }
        (Some(Evidence::Reasons), _) => {
            let is = |column: &str, value: &Option<String>| match value {
                Some(value) => format!("{column} = {}", literal(value)),
                None => "true".to_owned(),
            };
            let reasons = format!(
                "SELECT source_table, reason, count(*) AS rows, min(source_ref) AS for_example FROM silver.bad_records \
                 WHERE {} AND {} GROUP BY 1, 2 ORDER BY 3 DESC",
                is("run_id", &what.run_id),
                is("source_table", &what.source_table)
            );
            sections.push("reasons", finder.rows(&reasons).await?);
        }
        (Some(Evidence::Windows), _) => {
            let Some(table) = &what.source_table else {
                return Ok(());
            };
            let windows = format!(
                "SELECT window_start_ts, window_end_ts, freshness_sec, event_count, dup_rate, bad_records_rate, dq_tag, severity, rule_id \
                 FROM silver.dq_status WHERE date_kst = {day} AND source_table = {} AND dq_tag IS NOT NULL \
                 ORDER BY window_start_ts LIMIT 200",
                literal(table)
            );
            sections.push("windows that fired", finder.rows(&windows).await?);
        }
        // Written by another version of the program, or without the subject it is about.
        _ => {}
    }
    Ok(())
}

/// Entries of a wallet's day that came after something was found of it: they may be what closes it.
async fn came_since(
    finder: &Finder<'_>,
    day: &str,
    wallet: &str,
    sections: &mut Sections,
) -> Result<(), QueryError> {
    let since = format!(
        "SELECT event_time, tx_id, entry_type, amount_signed, ingested_at, source_ref FROM silver.ledger_entries \
         WHERE wallet_id = {} AND event_date_kst = {day} AND ingested_at > \
           (SELECT min(generated_at) FROM gold.exception_ledger WHERE date_kst = {day} AND subject = {} AND state = 'OPEN') \
         ORDER BY ingested_at, tx_id LIMIT 100",
        literal(wallet),
        literal(wallet)
    );
    let since = finder.rows(&since).await?;
    if since.count() > 0 {
        sections.push("entries that came after it was found", since);
    }
    Ok(())
}
