//! Every code has a page, every page a code, and they agree.

use std::collections::BTreeSet;
use std::path::Path;

use nsc_core::ErrorCode;

use crate::{nsc, stderr, stdout};

#[test]
fn codes_and_pages_are_the_same_list() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let pages: BTreeSet<String> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .collect();
    let codes: BTreeSet<String> = ErrorCode::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(pages, codes);
}

#[test]
fn a_page_has_the_codes_title_and_exit_code_and_says_what_to_do() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    for code in ErrorCode::ALL {
        let page = std::fs::read_to_string(dir.join(format!("{code}.md"))).unwrap();
        assert!(
            page.starts_with(&format!("# {code}: {}\n", code.title())),
            "{code}: title"
        );
        assert!(
            page.contains(&format!("\nExit code {}.\n", code.exit_status().number())),
            "{code}: exit code"
        );
        for part in [
            "## What happened, and why",
            "## What to do",
            "## Example",
            &format!("ERROR {code}: "),
        ] {
            assert!(page.contains(part), "{code}: {part}");
        }
    }
}

#[test]
fn an_error_ends_with_the_command_that_prints_its_page_whatever_is_configured() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("nsc.toml"), "[lake]\nrooot = 1\n").unwrap();
    let refused = nsc(dir, &["config", "show"]);
    assert!(
        stderr(&refused).ends_with("\nnsc explain error NSC0003\n"),
        "{}",
        stderr(&refused)
    );
    let explained = nsc(dir, &["explain", "error", "NSC0003"]);
    assert_eq!(explained.status.code(), Some(0), "{}", stderr(&explained));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors/NSC0003.md");
    assert_eq!(stdout(&explained), std::fs::read_to_string(page).unwrap());
    let refused = nsc(dir, &["explain", "error", "NSC0411"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("NSC0401: upstream not ready"),
        "{}",
        stderr(&refused)
    );
    let listed = nsc(dir, &["explain", "error", "--format", "csv"]);
    assert_eq!(stdout(&listed).lines().count(), 1 + ErrorCode::ALL.len());
}
