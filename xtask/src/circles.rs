//! Modules that form a circle: of crates that have none, none may come back. A module of a crate is a file or a folder
//! beside its `lib.rs`; it knows another when its code names `crate::other`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};

use crate::tree;

/// Crates whose modules form no circle.
pub const STRAIGHT: [&str; 4] = ["api", "auth", "consumer", "kafka"];

/// Module -> the modules it knows.
pub type Known = BTreeMap<String, BTreeSet<String>>;

/// One sentence for each crate of [`STRAIGHT`] with a circle.
///
/// # Errors
/// When the tree cannot be read.
pub fn check(root: &Path) -> io::Result<Vec<String>> {
    let files = tree::files(root)?;
    let mut found = Vec::new();
    for name in STRAIGHT {
        let source = Path::new("crates").join(name).join("src");
        let mut texts = Vec::new();
        for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "rs")) {
            if let Ok(inside) = file.strip_prefix(&source) {
                texts.push((module_of(inside), std::fs::read_to_string(root.join(file))?));
            }
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

/// `landing/outcome.rs` is of `landing`; the root of a crate may know everything and is none.
fn module_of(inside: &Path) -> Option<String> {
    let first = inside.components().next()?;
    let Component::Normal(first) = first else {
        return None;
    };
    let name = first.to_string_lossy();
    let name = name.strip_suffix(".rs").unwrap_or(&name);
    (name != "lib" && name != "main").then(|| name.to_owned())
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
