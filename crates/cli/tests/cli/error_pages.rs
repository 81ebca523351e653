//! Every code has a page, every page a code, and they agree.

use std::collections::BTreeSet;
use std::path::Path;

use nsc_core::ErrorCode;

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
