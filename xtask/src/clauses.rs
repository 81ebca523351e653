//! Clause of the contract, module, test: a table made from what modules, statements, tests and scenarios say they follow.
//!
//! A module or test says `lakehouse contract 4, B-1` or `serving contract 4 and 9` in a comment, an SQL file `Contract: serving 3`,
//! a scenario quotes. What is cited must be there, and every section must have somebody who keeps it and somebody who tests it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::finding::Finding;

/// Where the table is kept.
pub const PAGE: &str = "docs/clauses.md";
const CONTRACTS: [&str; 2] = ["lakehouse", "serving"];
/// A section that lists what the others' tests must think of: modules cite the others.
const ONLY_TESTED: (&str, u32) = ("serving", 9);
const HEAD: &str = "\
# Clauses, modules, tests

Which module keeps a clause of the contract, and which test holds it: made from what modules, SQL files, tests and scenarios
cite, by `cargo run --release -p xtask -- clauses`. A test holds that it is current and that every section has both.
";

/// A section of a contract page: page and number.
type Section = (&'static str, u32);

/// What the contract pages hold.
#[derive(Debug, Default)]
pub struct Contract {
    titles: BTreeMap<Section, String>,
    texts: BTreeMap<Section, String>,
}

/// One mention of a clause.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Citation {
    section: Section,
    /// What of it: a heading, a rule, a control; empty for the whole.
    part: String,
    role: Role,
    path: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Module,
    Test,
    Scenario,
}

impl Contract {
    /// Reads the pages.
    #[must_use]
    pub fn read(texts: &BTreeMap<PathBuf, String>) -> Self {
        let mut contract = Self::default();
        for page in CONTRACTS {
            let text = texts.get(Path::new(&format!("docs/contract/{page}.md")));
            let mut section = None;
            for line in text.map_or("", String::as_str).lines() {
                let heading = line.strip_prefix("## ").and_then(|rest| rest.split_once(". "));
                if let Some((number, title)) = heading
                    && let Ok(number) = number.parse()
                {
                    section = Some((page, number));
                    contract.titles.insert((page, number), title.to_owned());
                }
                if let Some(section) = section {
                    let text = contract.texts.entry(section).or_default();
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        for text in contract.texts.values_mut() {
            *text = plain(text);
        }
        contract
    }

    fn holds(&self, section: Section, words: &str) -> bool {
        self.texts
            .get(&section)
            .is_some_and(|text| text.contains(&plain(words)))
    }

    /// Every mention of a clause, and what is wrong with some.
    #[must_use]
    pub fn citations(&self, texts: &BTreeMap<PathBuf, String>) -> (BTreeSet<Citation>, Vec<Finding>) {
        let (mut cited, mut found) = (BTreeSet::new(), Vec::new());
        for (path, text) in texts {
            let mut say = |message: String| {
                found.push(Finding {
                    path: path.clone(),
                    line: 0,
                    message,
                })
            };
            let scenario = path.ends_with("scenario.yaml");
            let mentions = if scenario {
                self.quoted(text, &mut say)
            } else if path.extension().is_some_and(|e| e == "rs" || e == "sql") && !path.starts_with("xtask")
            {
                mentions(&comments(text))
            } else {
                continue;
            };
            for (section, part) in mentions {
                if !self.titles.contains_key(&section) {
                    say(format!("the {} contract has no section {}", section.0, section.1));
                } else if !self.holds(section, &part) {
                    say(format!(
                        "section {} of the {} contract has no \"{part}\"",
                        section.1, section.0
                    ));
                } else {
                    cited.insert(Citation {
                        section,
                        part,
                        role: role(path, scenario),
                        path: if scenario {
                            path.parent().unwrap_or(path)
                        } else {
                            path
                        }
                        .to_path_buf(),
                    });
                }
            }
        }
        (cited, found)
    }

    /// The sections that a scenario's `clause` quotes; what stands between quotation marks must be in the contract.
    fn quoted(&self, text: &str, say: &mut impl FnMut(String)) -> Vec<(Section, String)> {
        let clause: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.starts_with("clause:"))
            .take_while(|line| line.starts_with("clause:") || line.starts_with(' '))
            .map(str::trim)
            .collect();
        let clause = clause.join(" ");
        let mut sections = Vec::new();
        for quote in clause.split('"').skip(1).step_by(2) {
            for words in quote.split("...").map(plain).filter(|words| !words.is_empty()) {
                let of_lakehouse = self
                    .titles
                    .keys()
                    .copied()
                    .filter(|(page, _)| *page == CONTRACTS[0]);
                let holding: Vec<Section> = of_lakehouse.filter(|s| self.holds(*s, &words)).collect();
                if holding.is_empty() {
                    say(format!("the contract does not say \"{words}\""));
                }
                // One word may stand anywhere.
                if words.contains(' ') {
                    sections.extend(holding.into_iter().map(|section| (section, String::new())));
                }
            }
        }
        sections
    }

    /// The page, and the sections that lack a module or a test.
    #[must_use]
    pub fn table(&self, cited: &BTreeSet<Citation>) -> (String, Vec<String>) {
        let (mut page, mut lacking) = (HEAD.to_owned(), Vec::new());
        for (section, title) in &self.titles {
            let (contract, number) = section;
            let of_section: Vec<&Citation> = cited.iter().filter(|c| c.section == *section).collect();
            let has = |role: &dyn Fn(Role) -> bool| of_section.iter().any(|c| role(c.role));
            if !has(&|role| role == Role::Module) && *section != ONLY_TESTED {
                lacking.push(format!(
                    "no module says that it follows section {number} of the {contract} contract"
                ));
            }
            if !has(&|role| role != Role::Module) {
                lacking.push(format!(
                    "no test says that it holds section {number} of the {contract} contract"
                ));
            }
            let _ = write!(
                page,
                "\n## {contract} {number}. {title}\n\n| part | modules | tests |\n|---|---|---|\n"
            );
            let parts: BTreeSet<&str> = of_section.iter().map(|c| c.part.as_str()).collect();
            for part in parts {
                let names = |role: &dyn Fn(Role) -> bool| {
                    let named = of_section.iter().filter(|c| c.part == part && role(c.role));
                    let links: Vec<String> = named.map(|c| link(&c.path)).collect();
                    links.join(", ")
                };
                let _ = writeln!(
                    page,
                    "| {} | {} | {} |",
                    if part.is_empty() { "-" } else { part },
                    names(&|role| role == Role::Module),
                    names(&|role| role != Role::Module)
                );
            }
        }
        (page, lacking)
    }
}

/// Compares the tree with the committed page; one finding per difference.
#[must_use]
pub fn check(texts: &BTreeMap<PathBuf, String>) -> Vec<Finding> {
    let (page, mut found) = generated(texts);
    if texts.get(Path::new(PAGE)) != Some(&page) {
        found.push(Finding {
            path: PathBuf::from(PAGE),
            line: 0,
            message: "is not what the tree says: cargo run --release -p xtask -- clauses".to_owned(),
        });
    }
    found
}

/// The page as the tree says it, and what is wrong with the citations.
#[must_use]
pub fn generated(texts: &BTreeMap<PathBuf, String>) -> (String, Vec<Finding>) {
    let contract = Contract::read(texts);
    let (cited, mut found) = contract.citations(texts);
    let (page, lacking) = contract.table(&cited);
    found.extend(lacking.into_iter().map(|message| Finding {
        path: PathBuf::from(PAGE),
        line: 0,
        message,
    }));
    (page, found)
}

fn role(path: &Path, scenario: bool) -> Role {
    let file = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let is_test = path.components().any(|part| part.as_os_str() == "tests")
        || file == "tests"
        || file.ends_with("_tests");
    match (scenario, is_test) {
        (true, _) => Role::Scenario,
        (false, true) => Role::Test,
        (false, false) => Role::Module,
    }
}

/// The comments of a file, each block in one line.
fn comments(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines().map(str::trim_start) {
        let comment = ["//!", "///", "//", "--"]
            .iter()
            .find_map(|mark| line.strip_prefix(mark));
        match (comment, blocks.last_mut()) {
            (Some(words), Some(block)) => block.push_str(words),
            _ => blocks.push(String::new()),
        }
    }
    blocks
}

/// What a file's comments cite.
#[must_use]
pub fn mentions(blocks: &[String]) -> Vec<(Section, String)> {
    let mut found = Vec::new();
    for block in blocks {
        for page in CONTRACTS {
            for mark in [format!("{page} contract "), format!("Contract: {page} ")] {
                for (at, _) in block.match_indices(&mark) {
                    let (numbers, rest) = numbers(&block[at + mark.len()..]);
                    let part = part(rest);
                    found.extend(numbers.into_iter().map(|number| ((page, number), part.clone())));
                }
            }
        }
    }
    found
}

/// `1, 4 and 7` and what follows.
fn numbers(mut text: &str) -> (Vec<u32>, &str) {
    let mut found = Vec::new();
    loop {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let Ok(number) = text[..digits].parse() else {
            return (found, text);
        };
        found.push(number);
        text = &text[digits..];
        let next = [", ", " and "].iter().find_map(|joint| text.strip_prefix(joint));
        match next {
            Some(next) if next.starts_with(|c: char| c.is_ascii_digit()) => text = next,
            _ => return (found, text),
        }
    }
}

/// What of a section is meant: `, "Loads"`, `, B-1 to B-6`, `, Pipeline C`.
fn part(rest: &str) -> String {
    let Some(rest) = rest.strip_prefix(", ") else {
        return String::new();
    };
    if let Some(quoted) = rest.strip_prefix('"') {
        return quoted.split('"').next().unwrap_or_default().to_owned();
    }
    let word = rest
        .split([' ', ',', '.', ';', ':', ')'])
        .next()
        .unwrap_or_default();
    if word.starts_with("B-") {
        return word.split('/').next().unwrap_or_default().to_owned();
    }
    let letter = rest.get(9..10).unwrap_or_default();
    if word.eq_ignore_ascii_case("pipeline") && letter.starts_with(|c: char| c.is_ascii_uppercase()) {
        return format!("Pipeline {letter}");
    }
    String::new()
}

/// Words alone: without marks, one blank between them, in lower case.
fn plain(text: &str) -> String {
    let marks = ['*', '`', '|', '"'];
    let text: String = text.chars().filter(|c| !marks.contains(c)).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .join(" ")
        .to_lowercase()
        .trim_matches([' ', ';', ',', '.'])
        .to_owned()
}

fn link(path: &Path) -> String {
    let path = path.to_string_lossy();
    let short = path
        .trim_start_matches("crates/")
        .trim_start_matches("tests/scenarios/")
        .replace("/src/", "/")
        .replace("/tests/it/", "/")
        .replace("/tests/", "/");
    format!("[{short}](../{path})")
}
