//! `nsc explain error`: the page of an error, and the list of all.

use nsc_core::{ErrorCode, ExitStatus, near};
use serde_json::json;

use crate::error_pages::{page, title};
use crate::failure::{OperatorMessage, Outcome};
use crate::language::Language;
use crate::output::{Cell, Column, Listing, Printer};

pub(super) fn handle(code: Option<&str>, printer: &mut Printer) -> Outcome<ExitStatus> {
    let language = printer.language();
    match code {
        Some(name) => {
            let code = ErrorCode::named(name).ok_or_else(|| unknown(name))?;
            let document = json!({
                "code": code.to_string(),
                "title": title(code, language),
                "exit_code": code.exit_status().number(),
                "page": page(code, language),
            });
            printer.document(&document, || page(code, language).to_owned())?;
        }
        None => printer.listing(&list(ErrorCode::ALL, language))?,
    }
    Ok(ExitStatus::Ok)
}

fn list(codes: &[ErrorCode], language: Language) -> Listing {
    let mut listing = Listing::of_text(&["code", "title"]);
    listing.columns.push(Column::number("exit_code"));
    for code in codes {
        listing.push([
            Cell::exact(code),
            Cell::text(title(*code, language)),
            Cell::Int(code.exit_status().number().into()),
        ]);
    }
    listing
}

fn unknown(name: &str) -> OperatorMessage {
    let refusal = OperatorMessage::usage(format!("there is no error {name}"))
        .with_hint("nsc explain error lists all of them.");
    let listed: Vec<String> = near_codes(name)
        .into_iter()
        .map(|code| format!("{code}: {}", code.title()))
        .collect();
    if listed.is_empty() {
        refusal
    } else {
        refusal.with_detail(format!("near are\n{}", listed.join("\n")))
    }
}

/// Codes that are a slip of the hand away, else those of the same kind: the first two digits say it.
fn near_codes(name: &str) -> Vec<ErrorCode> {
    let said = name.trim().to_ascii_uppercase();
    let said = match said.trim_start_matches("NSC").parse::<u16>() {
        Ok(number) => format!("NSC{number:04}"),
        Err(_) => said,
    };
    let known: Vec<String> = ErrorCode::ALL.iter().map(ToString::to_string).collect();
    let mut found = near(&said, known.iter().map(String::as_str));
    if found.is_empty()
        && let Some(kind) = said.get(.."NSC04".len())
    {
        found = known
            .iter()
            .map(String::as_str)
            .filter(|code| code.starts_with(kind))
            .collect();
    }
    found.into_iter().filter_map(ErrorCode::named).collect()
}

#[cfg(test)]
mod tests {
    use nsc_core::{ErrorCode, OperatorError};

    use super::{handle, page, unknown};
    use crate::language::Language;
    use crate::output::{Format, Printer};

    fn printed(code: Option<&str>, format: Format) -> String {
        let mut printer = Printer::into_memory(format);
        handle(code, &mut printer).unwrap();
        printer.into_text()
    }

    #[test]
    fn every_page_is_printed_as_it_is_written() {
        for code in ErrorCode::ALL {
            let page = page(*code, Language::English);
            assert!(page.starts_with(&format!("# {code}: ")), "{code} has no page");
            assert_eq!(printed(Some(&code.to_string()), Format::Table), page);
            let json: serde_json::Value =
                serde_json::from_str(&printed(Some(&code.to_string()), Format::Json)).unwrap();
            assert_eq!(json["page"], page);
        }
    }

    #[test]
    fn without_a_code_all_are_listed() {
        let json: serde_json::Value = serde_json::from_str(&printed(None, Format::Json)).unwrap();
        let listed = json.as_array().unwrap();
        assert_eq!(listed.len(), ErrorCode::ALL.len());
        assert_eq!(
            listed[0],
            serde_json::json!({"code": "NSC0001", "title": "unexpected error", "exit_code": 1})
        );
        assert!(printed(None, Format::Csv).contains("\nNSC0401,upstream not ready,3\n"));
    }

    #[test]
    fn a_misspelt_code_is_answered_with_those_near_it() {
        for name in ["NSC0411", "411", "nsc0411"] {
            let refusal = unknown(name);
            let detail = refusal.detail().unwrap();
            assert!(detail.contains("NSC0401: upstream not ready"), "{detail}");
        }
        assert!(unknown("NSC0041").detail().unwrap().contains("NSC0401"));
        assert!(unknown("NSC0499").detail().unwrap().contains("NSC0406"));
        assert_eq!(unknown("upstream").detail(), None);
    }
}
