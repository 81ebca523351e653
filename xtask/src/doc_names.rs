//! Names in the documentation: every file, module, function, test, link and make target that a page mentions is there.
//!
//! A page that names what is gone misleads longer than one that names nothing. What a page puts between backticks is looked
//! at by its shape: a path, a name with `::`, a name with `_`, `make` with a target. Anything else is prose.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::finding::Finding;

/// What others say (the seed) or what was so once (the changelog) may name what is not here.
const NOT_OURS: [&str; 2] = ["docs/contract/seed-architecture.ko.md", "CHANGELOG.md"];
/// Kinds of file that pages name without a folder.
const NAMED_ALONE: [&str; 2] = ["rs", "sql"];
/// Kinds of file that a path ends in.
const NAMED_BY_PATH: [&str; 9] = ["rs", "sql", "sh", "py", "yaml", "yml", "toml", "md", "json"];
/// First parts of names that are no code of this tree, beside the packages of Cargo.lock.
const ELSEWHERE: [&str; 4] = ["std", "core", "clippy", "testing"];

/// Words of PostgreSQL, a pooler, SQL and librdkafka that pages talk about and no file of ours holds.
const WORDS_OF_OTHERS: [&str; 6] = [
    "sent_lsn",
    "replay_lsn",
    "max_standby_streaming_delay",
    "ignore_startup_parameters",
    "percentile_cont",
    "rd_kafka_queue_get_partition",
];

/// The text files of the tree, by path, and what can be looked up in them.
pub struct Names<'a> {
    texts: &'a BTreeMap<PathBuf, String>,
    /// Every path and every folder, with `/`.
    places: BTreeSet<String>,
    /// Every word of every file that is no page.
    words: BTreeSet<&'a str>,
    /// Rust files by their module's path, `cli/serving/killed`.
    modules: Vec<(String, &'a str)>,
    elsewhere: BTreeSet<String>,
    targets: BTreeSet<&'a str>,
}

/// Checks every page.
#[must_use]
pub fn check(texts: &BTreeMap<PathBuf, String>) -> Vec<Finding> {
    let names = Names::of_tree(texts);
    let pages = texts.iter().filter(|(path, _)| is_page(path));
    pages
        .filter(|(path, _)| !NOT_OURS.iter().any(|other| path == &Path::new(other)))
        .flat_map(|(path, text)| names.check_page(path, text))
        .collect()
}

impl<'a> Names<'a> {
    /// What the tree holds.
    #[must_use]
    pub fn of_tree(texts: &'a BTreeMap<PathBuf, String>) -> Self {
        let mut places = BTreeSet::new();
        for path in texts.keys() {
            for part in path.ancestors().filter(|part| *part != Path::new("")) {
                places.insert(slashed(part));
            }
        }
        let code = || texts.iter().filter(|(path, _)| !is_page(path));
        let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
        let named = |file: &str| texts.get(Path::new(file)).map_or("", String::as_str);
        Self {
            places,
            words: code()
                .flat_map(|(_, text)| text.split(move |c: char| !part_of_word(c)))
                .collect(),
            modules: code()
                .filter(|(path, _)| path.extension().is_some_and(|e| e == "rs"))
                .map(|(path, text)| (module_of(path, texts), text.as_str()))
                .collect(),
            elsewhere: named("Cargo.lock")
                .lines()
                .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
                .filter(|package| !package.starts_with("nsc-") && *package != "xtask")
                .chain(ELSEWHERE)
                .map(|package| package.replace('-', "_"))
                .collect(),
            targets: named("Makefile")
                .lines()
                .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
                .filter_map(|line| line.split_once(':').map(|(target, _)| target))
                .collect(),
            texts,
        }
    }

    fn check_page(&self, path: &Path, text: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut fenced = false;
        // A section about some crates names their files by what they are called in there.
        let mut section: Vec<&str> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
                continue;
            }
            if fenced {
                continue;
            }
            let spans = || line.split('`').skip(1).step_by(2);
            if line.starts_with("##") {
                section = spans().filter(|span| self.has_place(span)).collect();
            }
            let names = spans().filter_map(|span| self.problem(span, &section));
            let links = links(line).filter_map(|link| self.broken_link(path, link));
            found.extend(names.chain(links).map(|message| Finding {
                path: path.to_path_buf(),
                line: number,
                message,
            }));
        }
        found
    }

    /// What is wrong with a name, if anything is. `section` are the folders that its section is about.
    #[must_use]
    pub fn problem(&self, span: &str, section: &[&str]) -> Option<String> {
        if let Some(target) = span.strip_prefix("make ") {
            let target = target.split(' ').next().unwrap_or_default();
            return (!self.targets.contains(target))
                .then(|| format!("the Makefile has no target `{target}`"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "_./:-".contains(c);
        if span.is_empty()
            || !span.chars().all(plain)
            || span.starts_with(['/', '.', '-'])
            || is_pattern(span)
        {
            return None;
        }
        let there = if let Some((file, name)) = span.split_once(".rs::") {
            self.file_defines(&format!("{file}.rs"), name)
        } else if span.contains("::") {
            self.is_defined(&span.split("::").collect::<Vec<_>>())
        } else if is_path(span, &self.places) {
            let name = span.trim_end_matches('/');
            let near = |place: &String| {
                section.iter().any(|folder| place.starts_with(folder)) && ends_in(place, name)
            };
            self.has_place(name) && (name.contains('/') || section.is_empty() || self.places.iter().any(near))
        } else {
            !is_snake(span) || self.has_word(span)
        };
        (!there).then(|| format!("there is no `{span}` here: name what is, or say what was in plain words"))
    }

    fn broken_link(&self, page: &Path, link: &str) -> Option<String> {
        let file = link.split('#').next().unwrap_or_default();
        if file.is_empty() || file.contains(':') {
            return None;
        }
        let mut target = PathBuf::new();
        for part in page.parent().unwrap_or(page).join(file).components() {
            match part {
                std::path::Component::ParentDir => _ = target.pop(),
                std::path::Component::CurDir => {}
                other => target.push(other),
            }
        }
        (!self.places.contains(&slashed(&target))).then(|| format!("the link to `{file}` leads nowhere"))
    }

    /// Is there a file or folder of this path, or one whose path ends in it?
    fn has_place(&self, name: &str) -> bool {
        let ending = format!("/{name}");
        self.places.contains(name) || self.places.iter().any(|place| place.ends_with(&ending))
    }

    /// A word of the code, or the name that serde gives to a variant of it.
    fn has_word(&self, word: &str) -> bool {
        let variant: String = word
            .split('_')
            .filter_map(|part| part.split_at_checked(1))
            .map(|(first, rest)| first.to_ascii_uppercase() + rest)
            .collect();
        self.words.contains(word) || self.words.contains(variant.as_str()) || WORDS_OF_OTHERS.contains(&word)
    }

    fn file_defines(&self, file: &str, name: &str) -> bool {
        self.texts
            .iter()
            .any(|(path, text)| ends_in(&slashed(path), file) && defines(text, name))
    }

    /// `module::item`, `Type::item`, `crate::module::test`, or modules alone.
    fn is_defined(&self, parts: &[&str]) -> bool {
        let (Some(first), Some((last, before))) = (parts.first(), parts.split_last()) else {
            return false;
        };
        if self.elsewhere.contains(*first) {
            return true;
        }
        let owner = before.last().copied().unwrap_or_default();
        if owner.starts_with(|c: char| c.is_ascii_uppercase()) {
            return self.type_has(owner, last);
        }
        let has = |module: &[&str], item: Option<&str>| {
            let module = module.join("/");
            let module = module.strip_prefix("nsc_").unwrap_or(&module);
            let named = self.modules.iter().filter(|(path, _)| ends_in(path, module));
            named
                .into_iter()
                .any(|(_, text)| item.is_none_or(|item| defines(text, item)))
        };
        has(parts, None) || has(before, Some(last))
    }

    /// A type of ours has such an item somewhere in its crate; of a type that our code uses and has from others, nothing is
    /// known.
    fn type_has(&self, owner: &str, item: &str) -> bool {
        let crate_of = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
        let declares = |text: &str| {
            ["struct ", "enum ", "trait ", "type "]
                .iter()
                .any(|kind| text.contains(&format!("{kind}{owner}")))
        };
        let crates: BTreeSet<String> = self
            .modules
            .iter()
            .filter(|(_, text)| declares(text))
            .map(|(path, _)| crate_of(path))
            .collect();
        if crates.is_empty() {
            return self.words.contains(owner);
        }
        let mut near = self
            .modules
            .iter()
            .filter(|(path, _)| crates.contains(&crate_of(path)));
        near.any(|(_, text)| text.contains(owner) && defines(text, item))
    }
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "md")
}

fn slashed(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

/// Is `ending` all of the path, or its last parts?
fn ends_in(path: &str, ending: &str) -> bool {
    path.strip_suffix(ending)
        .is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// A path of the tree, rather than a type of content, a topic or a ratio.
fn is_path(span: &str, places: &BTreeSet<String>) -> bool {
    let extension = span.rsplit_once('.').map_or("", |(_, extension)| extension);
    match span.split_once('/') {
        None => NAMED_ALONE.contains(&extension),
        Some((first, _)) => NAMED_BY_PATH.contains(&extension) || places.contains(first),
    }
}

/// A path in which capitals or dots stand for what differs: `tests/NAME/main.rs`.
fn is_pattern(span: &str) -> bool {
    let stands_for = |part: &str| {
        part.len() > 3
            && part.chars().all(|c| c.is_ascii_uppercase())
            && !["README", "LICENSE"].contains(&part)
    };
    span.contains("...")
        || span.contains("nnnn")
        || span.contains('/') && span.split(['/', '.']).any(stands_for)
}

fn is_snake(span: &str) -> bool {
    span.contains('_')
        && span.starts_with(|c: char| c.is_ascii_lowercase())
        && span
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The parts by which other code names the module: without `crates`, `src`, `tests` and the folder of a test binary.
fn module_of(path: &Path, texts: &BTreeMap<PathBuf, String>) -> String {
    let mut parts = Vec::new();
    let mut so_far = PathBuf::new();
    let whole = path.with_extension("");
    let mut after_tests = false;
    for part in whole
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
    {
        so_far.push(&part);
        let binary = after_tests && texts.contains_key(&so_far.join("main.rs"));
        after_tests = part == "tests";
        if !binary && !["crates", "src", "tests", "mod", "lib", "main"].contains(&part.as_str()) {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// Does the text define the name: as a function, a type, a constant, a module, a variant, a line of a macro's list, or
/// by handing on another's?
fn defines(text: &str, name: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |rest: &str| !rest.starts_with(inside);
    text.lines().any(|line| {
        let line = line.trim_start();
        let declared = [
            "fn ",
            "struct ",
            "enum ",
            "trait ",
            "type ",
            "const ",
            "static ",
            "mod ",
            "macro_rules! ",
        ];
        let is_declared = declared
            .iter()
            .filter_map(|kind| line.split_once(kind))
            .any(|(before, rest)| !before.ends_with(inside) && rest.strip_prefix(name).is_some_and(whole));
        let is_passed_on = || {
            line.starts_with("pub")
                && line.contains(" use ")
                && line.split(|c| !inside(c)).any(|word| word == name)
        };
        is_declared
            || is_passed_on()
            || line
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([',', '(', ' ', ':']))
    })
}
