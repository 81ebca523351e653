//! A run's report for people, made from its JSON: the same text right after the run and from the stored report.

use nsc_contracts::rule::Severity;
use nsc_contracts::status::verdict;
use serde_json::Value;

use crate::config::rounded;
use crate::language::Language;
use crate::output::{Cell, Column, Listing, Look, listing_text};

/// Every list is cut after so many lines: a run over years is still read by a person. `--format json` has them all.
const AT_MOST: usize = 25;

/// How soon a verdict or an exception has to be looked at; 0 first.
fn rank(row: &Value) -> usize {
    let said = row.get("verdict").or_else(|| row.get("severity"));
    let known = [
        Severity::Critical.name(),
        Severity::Warn.name(),
        verdict::NO_DATA,
        verdict::SUPPRESSED,
    ];
    let at = known.iter().position(|k| said.and_then(Value::as_str) == Some(k));
    at.unwrap_or(known.len())
}

/// The report and those of its parts.
pub(crate) fn report_text(report: &Value, look: Look) -> String {
    let mut text = Text {
        out: String::new(),
        look,
    };
    text.report(report);
    text.out
}

struct Text {
    out: String,
    look: Look,
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

fn list<'a>(report: &'a Value, name: &str) -> &'a [Value] {
    report
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn field(report: &Value, name: &str) -> String {
    report.get(name).map_or_else(|| "-".to_owned(), text)
}

fn cell(row: &Value, name: &str) -> Cell {
    match row.get(name) {
        None | Some(Value::Null) => Cell::Null,
        Some(Value::String(s)) => Cell::text(s),
        Some(Value::Number(n)) => n.as_u64().map_or_else(|| Cell::exact(n), Cell::UInt),
        Some(other) => Cell::Json(other.clone()),
    }
}

impl Text {
    /// An instant of the report, as the reader's clocks show it.
    fn time(&self, report: &Value, name: &str) -> String {
        self.look.zone.shown(&field(report, name))
    }

    /// A word of ours in the language of the reader.
    const fn word(&self, english: &'static str, korean: &'static str) -> &'static str {
        self.look.language.pick(english, korean)
    }

    /// A list on one line.
    fn in_line(&self, items: &[String], between: &str) -> String {
        let shown = items.get(..AT_MOST.min(items.len())).unwrap_or_default();
        let mut shown = shown.join(between);
        if items.len() > AT_MOST {
            shown += between;
            shown += &self.more(items.len() - AT_MOST);
        }
        shown
    }

    fn more(&self, count: usize) -> String {
        match self.look.language {
            Language::English => format!("and {count} more"),
            Language::Korean => format!("외 {count}건"),
        }
    }

    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn report(&mut self, report: &Value) {
        self.line(&format!(
            "{}: {}   run {}   now {}",
            field(report, "pipeline"),
            field(report, "status"),
            field(report, "run_id"),
            self.time(report, "now")
        ));
        self.invocation(report);
        if let Some(error) = report.get("error") {
            self.line(&format!("  {}: {}", self.word("error", "오류"), text(error)));
        }
        for note in list(report, "notes") {
            self.line(&format!("  {}: {}", self.word("note", "참고"), text(note)));
        }
        self.windows(list(report, "windows"));
        let days: Vec<String> = list(report, "affected_days").iter().map(text).collect();
        if !days.is_empty() {
            self.line(&format!(
                "  {}: {}",
                self.word("other days changed", "바뀐 다른 날짜"),
                self.in_line(&days, ", ")
            ));
        }
        self.rules(report.get("rules"));
        self.tables(list(report, "tables"));
        self.section(
            self.word("exceptions", "예외"),
            list(report, "exceptions"),
            &["date_kst", "exception_type", "severity", "state"],
            &["count"],
        );
        self.section(
            self.word("verdicts", "판정"),
            list(report, "verdicts"),
            &["control", "subject", "verdict", "detail"],
            &[],
        );
        self.steps(list(report, "steps"));
        self.versions(
            self.word("versions read", "읽은 버전"),
            report.get("versions_read"),
        );
        self.versions(
            self.word("versions written", "쓴 버전"),
            report.get("versions_written"),
        );
        self.totals(report);
        for part in list(report, "parts") {
            self.out.push('\n');
            self.report(part);
        }
    }

    /// When it really ran, by whom, with what; reports of earlier versions do not say.
    fn invocation(&mut self, report: &Value) {
        if report.get("invoked_by").is_none() {
            return;
        }
        let configuration = field(report, "configuration");
        let configuration = configuration.get(..12).unwrap_or(&configuration);
        let (from, to) = (self.time(report, "started_at"), self.time(report, "finished_at"));
        let (who, version) = (field(report, "invoked_by"), field(report, "version"));
        self.line(&match self.look.language {
            Language::English => {
                format!("  ran {from} to {to} by {who}, nsc {version}, configuration {configuration}")
            }
            Language::Korean => {
                format!("  실행 {from} ~ {to}, 실행자 {who}, nsc {version}, 설정 {configuration}")
            }
        });
    }

    fn windows(&mut self, windows: &[Value]) {
        let shown = |w: &Value| format!("[{}, {})", self.time(w, "start"), self.time(w, "end"));
        let line = match windows {
            [] => return,
            [one] => format!("  {} {}", self.word("window", "기간"), shown(one)),
            [first, .., last] => {
                let (count, first, last) = (windows.len(), shown(first), shown(last));
                match self.look.language {
                    Language::English => format!("  {count} windows, {first} to {last}"),
                    Language::Korean => format!("  기간 {count}개, {first} ~ {last}"),
                }
            }
        };
        self.line(&line);
    }

    fn rules(&mut self, rules: Option<&Value>) {
        let Some(rules) = rules.filter(|r| !r.is_null()) else {
            return;
        };
        let (opened, closed) = (list(rules, "opened"), list(rules, "closed"));
        self.line(&format!(
            "  rules: {} opened, {} closed, {} unchanged",
            opened.len(),
            closed.len(),
            field(rules, "unchanged")
        ));
        let missing: Vec<String> = list(rules, "missing").iter().map(text).collect();
        if !missing.is_empty() {
            self.line(&format!("  rules missing: {}", missing.join(", ")));
        }
        for warning in list(rules, "warnings") {
            self.line(&format!("  rules warning: {}", text(warning)));
        }
    }

    fn tables(&mut self, tables: &[Value]) {
        let numbers = [
            "lines",
            "rows",
            "duplicates",
            "inserted",
            "updated",
            "deleted",
            "unchanged",
        ];
        self.section(self.word("tables", "테이블"), tables, &["table"], &numbers);
        let mut listing = Listing {
            columns: vec![
                Column::text("table"),
                Column::text("reason"),
                Column::number("rows"),
            ],
            rows: Vec::new(),
        };
        for table in tables {
            for (reason, count) in table
                .get("quarantined")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                listing.push([
                    cell(table, "table"),
                    Cell::text(reason),
                    count.as_u64().map_or(Cell::Null, Cell::UInt),
                ]);
            }
        }
        self.listing(self.word("quarantined", "격리"), listing);
    }

    fn steps(&mut self, steps: &[Value]) {
        let mut listing = Listing {
            columns: vec![Column::text("step")],
            rows: Vec::new(),
        };
        listing
            .columns
            .extend(["rows", "MB", "seconds", "MB/s"].map(Column::number));
        for step in steps {
            let seconds = step.get("seconds").and_then(Value::as_f64).unwrap_or_default();
            let megabytes = step.get("bytes").and_then(Value::as_f64).unwrap_or_default() / 1e6;
            let rate = if seconds > 0.0 && megabytes > 0.0 {
                Cell::exact(format!("{:.0}", megabytes / seconds))
            } else {
                Cell::Null
            };
            let size = if megabytes > 0.0 {
                Cell::exact(format!("{megabytes:.1}"))
            } else {
                Cell::Null
            };
            listing.push([
                cell(step, "step"),
                cell(step, "rows"),
                size,
                Cell::exact(format!("{seconds:.2}")),
                rate,
            ]);
        }
        self.listing(self.word("steps", "단계"), listing);
    }

    fn versions(&mut self, what: &'static str, versions: Option<&Value>) {
        let Some(versions) = versions.and_then(Value::as_object).filter(|v| !v.is_empty()) else {
            return;
        };
        let shown: Vec<String> = versions.iter().map(|(table, v)| format!("{table}@{v}")).collect();
        self.line(&format!("  {what}: {}", self.in_line(&shown, " ")));
    }

    fn totals(&mut self, report: &Value) {
        let seconds = report.get("seconds").and_then(Value::as_f64).unwrap_or_default();
        let memory = report.get("peak_memory_bytes").and_then(Value::as_u64);
        let memory = memory
            .map(|bytes| format!(", {} {}", self.word("peak memory", "최대 메모리"), rounded(bytes)))
            .unwrap_or_default();
        self.line(&format!("  {seconds:.2} s{memory}"));
    }

    /// Some fields of each row; columns no row has are left out.
    fn section(&mut self, title: &str, rows: &[Value], texts: &[&str], numbers: &[&str]) {
        let used = |name: &&&str| rows.iter().any(|r| r.get(**name).is_some_and(|v| !v.is_null()));
        let (texts, numbers): (Vec<&&str>, Vec<&&str>) = (
            texts.iter().filter(used).collect(),
            numbers.iter().filter(used).collect(),
        );
        let columns = texts
            .iter()
            .map(|n| Column::text(n))
            .chain(numbers.iter().map(|n| Column::number(n)))
            .collect();
        let cells = |row: &&Value| texts.iter().chain(&numbers).map(|n| cell(row, n)).collect();
        let mut rows: Vec<&Value> = rows.iter().collect();
        if rows.len() > AT_MOST {
            // What has to be looked at must not be among what is left out.
            rows.sort_by_key(|row| rank(row));
        }
        let listing = Listing {
            columns,
            rows: rows.iter().map(cells).collect(),
        };
        self.listing(title, listing);
    }

    fn listing(&mut self, title: &str, mut listing: Listing) {
        if listing.rows.is_empty() {
            return;
        }
        let more = listing.rows.len().saturating_sub(AT_MOST);
        listing.rows.truncate(AT_MOST);
        self.line(&format!("  {title}"));
        for line in listing_text(&listing, self.look.narrower(4)).lines() {
            self.line(&format!("    {line}"));
        }
        if more > 0 {
            self.line(&format!("    {}", self.more(more)));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Language, Look, report_text};

    #[test]
    fn a_report_reads_from_top_to_bottom() {
        let report = json!({
            "run_id": "r1", "pipeline": "pipeline_silver", "status": "success", "now": "2026-01-06T00:00:00Z",
            "windows": [{"start": "2026-01-04T15:00:00Z", "end": "2026-01-05T15:00:00Z"}],
            "affected_days": ["2026-01-04"], "notes": ["what must be known"],
            "tables": [
                {"table": "silver.ledger_entries", "lines": 10, "rows": 7, "duplicates": 1, "inserted": 7, "updated": 0, "deleted": 0, "unchanged": 0,
                 "quarantined": {"invalid_amount": 2}},
                {"table": "silver.products", "lines": 3, "rows": 3, "duplicates": 0, "inserted": 0, "updated": 0, "deleted": 0, "unchanged": 3},
            ],
            "exceptions": [{"date_kst": "2026-01-05", "exception_type": "LEDGER_ENTRY_CONFLICT", "severity": "CRITICAL", "state": "OPEN", "count": 1}],
            "verdicts": [{"control": "B-2 supply", "subject": "2026-01-05", "verdict": "ok", "detail": "diff 0.00"}],
            "steps": [{"step": "validate", "rows": 13, "bytes": 2_000_000, "seconds": 0.5}],
            "versions_read": {"bronze.transaction_ledger_raw": 1}, "versions_written": {"silver.ledger_entries": 3},
            "seconds": 1.25, "peak_memory_bytes": 314_572_800_u64,
            "parts": [{"run_id": "r1.a", "pipeline": "pipeline_a", "status": "failure", "error": "no", "now": "n", "seconds": 0.0,
                       "peak_memory_bytes": null}],
        });
        insta::assert_snapshot!(report_text(&report, Look::of_a_pipe()));
    }

    #[test]
    fn every_list_of_a_report_ends_with_how_many_more_there_are() {
        let many = |row: &dyn Fn(usize) -> serde_json::Value| (0..1_000).map(row).collect::<Vec<_>>();
        let report = json!({
            "run_id": "r1", "pipeline": "pipeline_b", "status": "success", "now": "n", "seconds": 0.0,
            "affected_days": many(&|n| json!(format!("day-{n}"))),
            "exceptions": many(&|n| json!({"date_kst": format!("on-{n}"), "severity": if n == 900 { "CRITICAL" } else { "WARN" }, "count": 1})),
            "verdicts": many(&|n| json!({"subject": format!("of-{n}"), "verdict": if n == 999 { "no_data" } else { "ok" }})),
            "tables": many(&|n| json!({"table": format!("t{n}"), "rows": 1, "quarantined": {"reason": 1}})),
            "steps": many(&|n| json!({"step": format!("step {n}"), "rows": 1, "bytes": 0, "seconds": 0.1})),
            "versions_read": (0..1_000).map(|n| (format!("v{n}"), json!(n))).collect::<serde_json::Map<_, _>>(),
        });
        let text = report_text(&report, Look::of_a_pipe());
        assert!(text.lines().count() < 200, "{}", text.lines().count());
        assert_eq!(text.matches("and 975 more").count(), 7, "{text}");
        // The gravest come first where some are left out.
        assert!(text.contains("on-900") && text.contains("of-999"), "{text}");
    }

    #[test]
    fn a_korean_reads_it_in_korean() {
        let report = json!({
            "run_id": "r1", "pipeline": "pipeline_b", "status": "success", "now": "n", "seconds": 0.0,
            "affected_days": ["2026-01-04"],
            "verdicts": [{"control": "B-2 supply", "verdict": "ok"}],
        });
        let look = Look {
            language: Language::Korean,
            ..Look::of_a_pipe()
        };
        let text = report_text(&report, look);
        assert!(
            text.contains("바뀐 다른 날짜: 2026-01-04") && text.contains("  판정\n"),
            "{text}"
        );
    }
}
