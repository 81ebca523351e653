//! Tidy: the tree passes, and each rule finds what it is for.

use std::path::Path;

use xtask::tidy::{MOST_LINES, check, check_file};
use xtask::tree;

fn messages(path: &str, text: &str) -> Vec<String> {
    check_file(Path::new(path), text)
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn one(path: &str, text: &str) -> String {
    let mut found = messages(path, text);
    assert_eq!(found.len(), 1, "one finding expected in {path}: {found:?}");
    found.remove(0)
}

#[test]
fn the_tree_is_tidy() -> std::io::Result<()> {
    let found: Vec<String> = check(&tree::root())?.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    Ok(())
}

#[test]
fn the_tree_holds_what_the_rules_are_about() -> std::io::Result<()> {
    let files = tree::files(&tree::root())?;
    for name in [
        "Cargo.toml",
        "Makefile",
        "xtask/src/tidy.rs",
        "crates/core/src/lib.rs",
    ] {
        assert!(
            files.iter().any(|f| f == Path::new(name)),
            "{name} is missing among {} files",
            files.len()
        );
    }
    assert!(
        !files
            .iter()
            .any(|f| f.starts_with("target") || f.starts_with(".nsc")),
        "built files are no part of the tree"
    );
    Ok(())
}

#[test]
fn a_module_says_what_it_is_for() {
    assert_eq!(
        messages("a.rs", "//! Says it.\nfn a() {}\n"),
        Vec::<String>::new()
    );
    assert!(one("a.rs", "fn a() {}\n").starts_with("a.rs:1: a module starts with"));
    assert_eq!(messages("a.py", "def a(): pass\n"), Vec::<String>::new());
}

#[test]
fn a_file_fits_one_sitting() {
    let text = |lines: usize| format!("//! Long.\n{}", "\n".repeat(lines - 1));
    assert_eq!(messages("a.rs", &text(MOST_LINES)), Vec::<String>::new());
    assert!(one("a.rs", &text(MOST_LINES + 1)).starts_with("a.rs: 601 lines"));
    assert_eq!(
        messages("data.jsonl", &text(MOST_LINES + 1)),
        Vec::<String>::new()
    );
    assert_eq!(
        messages("Cargo.lock", &text(MOST_LINES + 1)),
        Vec::<String>::new()
    );
}

#[test]
fn nothing_is_left_behind() {
    for left in [
        "// TO_DO: later",
        "// FIX_ME",
        "un_implemented!()",
        "let x = to_do!();",
    ] {
        let line = left.replace('_', "");
        assert!(
            one("a.rs", &format!("//! A.\n{line}\n")).starts_with("a.rs:2: `"),
            "{line}"
        );
    }
    assert_eq!(
        messages("a.rs", "//! A.\nlet MASTODON = auto_todo_list();\n"),
        Vec::<String>::new()
    );
}

#[test]
fn no_test_is_switched_off() {
    let text = format!("//! A.\n#[test]\n{}ignore = \"slow\"]\nfn a() {{}}\n", "#[");
    assert!(one("a.rs", &text).starts_with("a.rs:3: no test is switched off"));
    // A process that another test of the file starts is none, as long as that test is there.
    let process = |starter: &str| {
        let ignored = format!("{}ignore = \"started by {starter}\"]", "#[");
        format!("//! A.\n#[test]\n{ignored}\nfn a() {{}}\n#[test]\nfn b() {{}}\n")
    };
    assert_eq!(messages("a.rs", &process("b")), Vec::<String>::new());
    assert!(one("a.rs", &process("c")).starts_with("a.rs:3: no test is switched off"));
}

#[test]
fn names_say_something() {
    assert!(one("crates/core/src/utils.rs", "//! A.\n").contains("`utils`"));
    assert!(one("crates/core/src/helpers/money.rs", "//! A.\n").contains("`helpers`"));
    assert!(one("a.rs", "//! A.\npub(crate) mod util;\n").contains("a.rs:2"));
    assert_eq!(
        messages("crates/core/src/utility_bill.rs", "//! A.\nmod utility_bill;\n"),
        Vec::<String>::new()
    );
}

#[test]
fn no_path_of_one_machine() {
    for folder in ["wo/rk", "ho/me", "ro/ot", "Us/ers"] {
        let path = format!("/{}/someone/x", folder.replace('/', ""));
        assert!(
            one("a.md", &format!("see {path}\n")).contains("a path of one machine"),
            "{path}"
        );
        assert!(
            one("a.toml", &format!("file = \"{path}\"\n")).contains("a path of one machine"),
            "{path}"
        );
    }
    // further down, another name, or a route: no machine's folder
    let fine = "bench/work/x $DIR/home/x <root>/home/x \"/home\" /workshop/x https://example.com/home/x\n";
    assert_eq!(messages("a.md", fine), Vec::<String>::new());
}

#[test]
fn no_registry_host() {
    let text = format!(
        "pip install --index-url https://{}/simple x\n",
        ["pypi", "org"].join(".")
    );
    assert!(one("scripts/a.sh", &text).contains("a registry's host"));
}
