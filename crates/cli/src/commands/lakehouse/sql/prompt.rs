//! The prompt, and when an input is complete: at its semicolon, or at once for a backslash command.

use std::borrow::Cow;

use nsc_query::{has_code, split};
use reedline::{Prompt, PromptEditMode, PromptHistorySearch, ValidationResult, Validator};

/// `nsc=>`, and `  ->` on the lines after it.
pub(super) struct SqlPrompt;

impl Prompt for SqlPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("nsc")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("=> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("  -> ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("(history: {}) ", search.term))
    }
}

/// Lets a statement run over several lines.
pub(super) struct UntilSemicolon;

impl Validator for UntilSemicolon {
    fn validate(&self, line: &str) -> ValidationResult {
        if is_complete(line) {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

fn is_complete(text: &str) -> bool {
    let (ended, rest) = split(text);
    text.trim_start().starts_with('\\') || (!has_code(rest) && (!ended.is_empty() || !has_code(text)))
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    #[test]
    fn a_statement_ends_at_its_semicolon() {
        for text in [
            "",
            "\\d",
            "\\d silver.dq_status",
            "SELECT 1;",
            "SELECT 1; ",
            "SELECT ';';",
            "SELECT 1; -- done",
        ] {
            assert!(is_complete(text), "{text}");
        }
        for text in [
            "SELECT 1",
            "SELECT ';",
            "SELECT ';'",
            "SELECT 1 -- ;",
            "SELECT \";",
            "SELECT 1; SELECT",
            "SELECT 1; /* open",
            "SELECT $$;",
        ] {
            assert!(!is_complete(text), "{text}");
        }
    }
}
