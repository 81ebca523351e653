//! Modules that form a circle: no crate has one. A module of a crate is a file or a folder beside its `lib.rs`; it knows
//! another when its code names `crate::other`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use crate::tree;

/// The one crate that may have a circle: its world is one value, and what happens in it is written beside what it happens to.
const ONE_WORLD: &str = "sample";

/// Module -> the modules it knows.
pub type Known = BTreeMap<String, BTreeSet<String>>;

/// One sentence for each crate with a circle.
///
/// # Errors
/// When the tree cannot be read.
pub fn check(root: &Path) -> io::Result<Vec<String>> {
    let files = tree::files(root)?;
    let mut found = Vec::new();
    let mut crates: BTreeMap<&str, Vec<(Option<String>, String)>> = BTreeMap::new();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "rs")) {
        if let Some((name, module)) = place_of(file) {
            let text = std::fs::read_to_string(root.join(file))?;
            crates.entry(name).or_default().push((module, text));
        }
    }
    for (name, texts) in crates {
        if name == ONE_WORLD {
            continue;
        }
        if let Some(circle) = circle(&known(&texts)) {
            found.push(format!(
                "the modules of {name} form a circle: {}; move what both need below them",
                circle.join(" -> ")
            ));
        }
    }
    Ok(found)
}

/// The crate and the module of a source file: `crates/consumer/src/landing/outcome.rs` is of `landing`. The root of a crate
/// may know everything and is no module of it; files of tests are of none.
fn place_of(file: &Path) -> Option<(&str, Option<String>)> {
    let names: Vec<&str> = file.iter().filter_map(|name| name.to_str()).collect();
    let ["crates", name, "src", first, ref rest @ ..] = names[..] else {
        return None;
    };
    let is_test = |name: &&str| *name == "tests" || name.ends_with("tests.rs");
    if is_test(&first) || rest.iter().any(is_test) {
        return None;
    }
    let module = first.strip_suffix(".rs").unwrap_or(first);
    let is_root = module == "lib" || module == "main";
    Some((name, (!is_root).then(|| module.to_owned())))
}

/// Which module knows which, tests aside.
#[must_use]
pub fn known(texts: &[(Option<String>, String)]) -> Known {
    let modules: BTreeSet<&str> = texts.iter().filter_map(|(module, _)| module.as_deref()).collect();
    let mut known = Known::new();
    for (module, text) in texts {
        let Some(module) = module else { continue };
        let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let named = lines.flat_map(|line| line.split("crate::").skip(1)).map(|rest| {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
        });
        let others = named.filter(|name| name != module && modules.contains(name));
        known
            .entry(module.clone())
            .or_default()
            .extend(others.map(str::to_owned));
    }
    known
}

/// A circle, if there is one: its modules in their order, the first one again at the end.
#[must_use]
pub fn circle(known: &Known) -> Option<Vec<String>> {
    let mut straight = BTreeSet::new();
    known
        .keys()
        .find_map(|module| follow(known, module, &mut Vec::new(), &mut straight))
}

fn follow<'a>(
    known: &'a Known,
    module: &'a str,
    path: &mut Vec<&'a str>,
    straight: &mut BTreeSet<&'a str>,
) -> Option<Vec<String>> {
    if straight.contains(module) {
        return None;
    }
    if let Some(begin) = path.iter().position(|passed| *passed == module) {
        let circle = path.iter().skip(begin).chain([&module]);
        return Some(circle.map(|name| (*name).to_owned()).collect());
    }
    path.push(module);
    let found = known
        .get(module)
        .into_iter()
        .flatten()
        .find_map(|next| follow(known, next, path, straight));
    path.pop();
    straight.insert(module);
    found
}
