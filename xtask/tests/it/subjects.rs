//! Subjects of commits.

use xtask::subjects::{MOST_CHARS, check, too_long};
use xtask::tree;

#[test]
fn a_subject_fits_a_line() {
    assert_eq!(too_long(&format!("abc123 {}", "s".repeat(MOST_CHARS))), None);
    let found = too_long(&format!("abc123 {}", "ü".repeat(MOST_CHARS + 1))).unwrap_or_default();
    assert!(
        found.starts_with("commit abc123: a subject of 73 characters"),
        "{found}"
    );
}

#[test]
fn the_subjects_since_the_rule_fit_a_line() -> std::io::Result<()> {
    assert_eq!(check(&tree::root())?, Vec::<String>::new());
    Ok(())
}
