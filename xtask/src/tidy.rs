//! What neither rustfmt nor clippy looks at: a file's path and text to its findings. What concerns several files at once is in
//! `doc_names`, `clauses` and `subjects`.

use std::io;
use std::path::Path;

use crate::finding::Finding;
use crate::{clauses, doc_names, tree};

/// A file longer than this is not read in one sitting.
pub const MOST_LINES: usize = 600;

/// Kinds of file that people write by hand and read in reviews.
const CODE: [&str; 8] = ["rs", "py", "sh", "sql", "toml", "yml", "yaml", "mk"];

/// Made by a tool: neither its length nor what it names is ours to choose.
const GENERATED: [&str; 2] = ["Cargo.lock", "sources.yml"];

// Spelt in two halves, or this file would report itself.
const LEFTOVERS: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("unimplemented", "!"),
    concat!("todo", "!"),
];
const SWITCHED_OFF: &str = concat!("#[", "ignore");
const NAMELESS: [&str; 5] = ["util", "utils", "helper", "helpers", "misc"];
const MACHINE_FOLDERS: [&str; 4] = [
    concat!("/wo", "rk"),
    concat!("/ho", "me"),
    concat!("/ro", "ot"),
    concat!("/Us", "ers"),
];
const REGISTRY_HOSTS: [&str; 9] = [
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("deb.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
    concat!("proxy.", "golang.org"),
];

/// Checks the whole tree under `root`.
///
/// # Errors
/// When a file cannot be read.
pub fn check(root: &Path) -> io::Result<Vec<Finding>> {
    let texts = tree::texts(root)?;
    let mut found: Vec<Finding> = texts
        .iter()
        .flat_map(|(path, text)| check_file(path, text))
        .collect();
    found.extend(doc_names::check(&texts));
    found.extend(clauses::check(&texts));
    Ok(found)
}

/// Checks one file. `path` is relative to the root.
#[must_use]
pub fn check_file(path: &Path, text: &str) -> Vec<Finding> {
    if GENERATED
        .iter()
        .any(|name| path.file_name().is_some_and(|file| file == *name))
    {
        return Vec::new();
    }
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let rust = extension == "rs";
    let code = CODE.contains(&extension);
    let mut found = Vec::new();
    let mut say = |line: usize, message: String| {
        found.push(Finding {
            path: path.to_path_buf(),
            line,
            message,
        })
    };

    if rust {
        if !text.starts_with("//! ") {
            say(
                1,
                "a module starts with a `//! ` line that says what it is for".to_owned(),
            );
        }
        if let Some(name) = nameless_part(path) {
            say(
                0,
                format!("a module called `{name}` says nothing: name it after what it does"),
            );
        }
    }
    let lines = text.lines().count();
    if code && lines > MOST_LINES {
        say(0, format!("{lines} lines: split it, {MOST_LINES} is the most"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        if rust && is_switched_off(line, text) {
            say(number, "no test is switched off: mend it or remove it".to_owned());
        }
        if rust && let Some(name) = nameless_module(line) {
            say(
                number,
                format!("a module called `{name}` says nothing: name it after what it does"),
            );
        }
        if code && let Some(word) = LEFTOVERS.iter().find(|word| has_word(line, word)) {
            say(
                number,
                format!("`{word}` left behind: do it now, or file it as an issue"),
            );
        }
        if let Some(folder) = MACHINE_FOLDERS.iter().find(|folder| has_folder(line, folder)) {
            say(
                number,
                format!("`{folder}/...` is a path of one machine: make it relative, or ask for it"),
            );
        }
        if let Some(host) = REGISTRY_HOSTS.iter().find(|host| line.contains(*host)) {
            say(
                number,
                format!(
                    "`{host}` is a registry's host: packages are named, where they come from is set up outside"
                ),
            );
        }
    }
    found
}

/// A test that does not run by itself: the only ones are processes that a test of the same file starts, and says which.
fn is_switched_off(line: &str, text: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix(SWITCHED_OFF) else {
        return false;
    };
    let starter = rest
        .strip_prefix(" = \"started by ")
        .and_then(|rest| rest.strip_suffix("\"]"));
    !starter.is_some_and(|starter| text.contains(&format!("fn {starter}()")))
}

fn nameless_part(path: &Path) -> Option<&'static str> {
    path.with_extension("")
        .components()
        .find_map(|part| NAMELESS.into_iter().find(|name| part.as_os_str() == *name))
}

fn nameless_module(line: &str) -> Option<&'static str> {
    let rest = line.trim_start();
    let rest = rest
        .strip_prefix("pub(crate) ")
        .or_else(|| rest.strip_prefix("pub "))
        .unwrap_or(rest);
    let name = rest.strip_prefix("mod ")?.trim_end_matches([' ', ';', '{', '}']);
    NAMELESS.into_iter().find(|bad| *bad == name)
}

/// Does `line` hold `word` on its own, not inside a longer one?
fn has_word(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(inside) && (word.ends_with('!') || !line[at + word.len()..].starts_with(inside))
    })
}

/// Does `line` name this top-level folder, rather than one further down (`bench/` + folder) or a longer name?
fn has_folder(line: &str, folder: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    line.match_indices(folder).any(|(at, _)| {
        let after = &line[at + folder.len()..];
        !line[..at].ends_with(|c: char| part_of_name(c) || "/}>)*]".contains(c))
            && after.starts_with('/')
            && after[1..].starts_with(part_of_name)
    })
}
