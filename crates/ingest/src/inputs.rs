//! From what the operator names to the files that are read.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Component, Path};

use crate::directory::{self, Directory, in_natural_order};
use crate::error::IngestError;
use crate::left_out::{LeftOut, LeftOutReason};
use crate::located::Located;
use crate::request::Input;

/// What the operator's words stand for.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Every file, in order.
    pub(crate) inputs: Vec<Located>,
    /// What else the directories hold.
    pub(crate) left_out: Vec<LeftOut>,
}

/// Finds every file named, in order, or says what is not there.
pub(crate) fn locate(inputs: &[Input]) -> Result<Found, IngestError> {
    let mut found = Found::default();
    for input in inputs {
        match input {
            Input::Stdin if found.inputs.contains(&Located::STDIN) => return Err(IngestError::StdinTwice),
            Input::Stdin => found.inputs.push(Located::STDIN),
            Input::Path(path) => locate_path(path, &mut found)?,
        }
    }
    if found.inputs.is_empty() {
        Err(IngestError::NoInput)
    } else {
        Ok(found)
    }
}

fn locate_path(path: &Path, found: &mut Found) -> Result<(), IngestError> {
    match std::fs::metadata(path) {
        Ok(known) if known.is_dir() => {
            let Directory { files, left_out } = directory::read(path)?;
            let left_out: Vec<LeftOut> = left_out.into_iter().map(LeftOut::from).collect();
            if files.is_empty() {
                return Err(IngestError::EmptyDirectory {
                    path: path.to_owned(),
                    left_out,
                });
            }
            found.left_out.extend(left_out);
            for file in files {
                found.inputs.push(Located::at(file)?);
            }
            Ok(())
        }
        Ok(_) => {
            directory::refuse_other_form(path)?;
            found.inputs.push(Located::at(path.to_owned())?);
            Ok(())
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            match path.to_str().filter(|p| p.contains(['*', '?', '['])) {
                Some(pattern) => matches(pattern, found),
                None => Err(IngestError::NotFound {
                    path: path.to_owned(),
                }),
            }
        }
        Err(source) => Err(IngestError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The files of a pattern, in natural order, as if each match had been named: a directory that matches stands for its
/// files, and hidden files are not meant by `*`.
fn matches(pattern: &str, found: &mut Found) -> Result<(), IngestError> {
    let mut searched = with_plain_folder(pattern);
    // To the library a last `**` means folders alone; people mean what is in them.
    if searched.ends_with("/**") {
        searched.push_str("/*");
    }
    let paths = glob::glob(&searched).map_err(|source| IngestError::Pattern {
        pattern: pattern.to_owned(),
        source,
    })?;
    // `**/*` matches a directory, and what is in it.
    let (mut taken, mut entered, mut left_out) = (HashSet::new(), HashSet::new(), BTreeMap::new());
    for path in paths {
        let path = path.map_err(|e| IngestError::Unreadable {
            path: e.path().to_owned(),
            source: e.into(),
        })?;
        if is_hidden(&path, pattern) {
            continue;
        }
        if path.is_dir() {
            let directory = directory::read(&path)?;
            if directory.files.is_empty() {
                tracing::warn!(directory = %path.display(), "a directory that the pattern matches holds no input file");
            }
            taken.extend(directory.files);
            left_out.extend(directory.left_out);
            entered.insert(path);
        } else if is_special(&path) {
            left_out.insert(path, LeftOutReason::NoFile);
        } else {
            taken.insert(path);
        }
    }
    if taken.is_empty() {
        return Err(IngestError::NoMatch {
            pattern: pattern.to_owned(),
        });
    }
    left_out.retain(|path, _| !taken.contains(path) && !entered.contains(path));
    found.left_out.extend(left_out.into_iter().map(LeftOut::from));
    for file in in_natural_order(taken) {
        found.inputs.push(Located::at(file)?);
    }
    Ok(())
}

/// A pipe, a socket or a device, which `*` does not mean.
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|known| !known.is_file())
}

/// Whether a match has a hidden part that no part of the pattern asks for by a dot of its own. (The library's own option
/// leaves out what is asked for, too.)
fn is_hidden(path: &Path, pattern: &str) -> bool {
    let asked = |name: &str| {
        let dotted = pattern.split('/').filter(|part| part.starts_with('.'));
        dotted
            .into_iter()
            .any(|part| part == name || glob::Pattern::new(part).is_ok_and(|pattern| pattern.matches(name)))
    };
    path.components().any(|part| match part {
        Component::Normal(name) => {
            let name = name.to_string_lossy();
            name.starts_with('.') && !asked(&name)
        }
        _ => false,
    })
}

/// The pattern with the folder before its last part taken as it is, where there is a folder of that very name: `[a]` in it
/// is no set of characters.
fn with_plain_folder(pattern: &str) -> String {
    match pattern.rsplit_once('/') {
        Some((folder, last)) if Path::new(folder).is_dir() => {
            format!("{}/{last}", glob::Pattern::escape(folder))
        }
        _ => pattern.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Located, locate};
    use crate::error::IngestError;
    use crate::request::Input;

    fn names(found: &Found) -> Vec<String> {
        found.inputs.iter().map(Located::name).collect()
    }

    #[test]
    fn directories_patterns_and_files_are_found_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b.jsonl",
            "a.ndjson.gz",
            "c.JSON.zst",
            "readme.md",
            ".hidden.jsonl",
            "x.txt",
            "d#1 [z].jsonl",
        ] {
            std::fs::write(dir.path().join(name), "{}").unwrap();
        }
        std::fs::create_dir(dir.path().join("sub.jsonl")).unwrap();
        std::fs::create_dir(dir.path().join("[more].jsonl")).unwrap();
        for name in ["y.jsonl", ".z.jsonl", "notes.txt"] {
            std::fs::write(dir.path().join("[more].jsonl").join(name), "{}").unwrap();
        }
        let found = locate(&[Input::from(dir.path())]).unwrap();
        assert_eq!(
            names(&found),
            ["a.ndjson.gz", "b.jsonl", "c.JSON.zst", "d#1 [z].jsonl"]
        );
        let found = locate(&[
            Input::from("-"),
            Input::from(dir.path().join("*.jsonl")),
            Input::from(dir.path().join("d#1 [z].jsonl")),
        ])
        .unwrap();
        assert_eq!(
            names(&found),
            ["stdin", "y.jsonl", "b.jsonl", "d#1 [z].jsonl", "d#1 [z].jsonl"]
        );
        let named =
            |pattern: &str| locate(&[Input::from(dir.path().join(pattern))]).map(|found| names(&found));
        assert_eq!(named(".*.jsonl").unwrap(), [".hidden.jsonl"]);
        assert_eq!(named("[more].jsonl/*.jsonl").unwrap(), ["y.jsonl"]);
        assert_eq!(named("[more].jsonl/.z*").unwrap(), [".z.jsonl"]);
        assert_eq!(
            named("C.*").map_err(|e| e.to_string()).unwrap_or_default(),
            [""; 0]
        );
        assert_eq!(
            named("**/*.jsonl").unwrap(),
            ["y.jsonl", "b.jsonl", "d#1 [z].jsonl"]
        );
        assert!(matches!(named("sub.jsonl/*"), Err(IngestError::NoMatch { .. })));
    }

    #[test]
    fn files_are_taken_as_people_number_them_in_every_way_of_naming_many() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("below")).unwrap();
        for name in [
            "part-10.jsonl",
            "part-9.jsonl",
            "part-1.jsonl",
            "below/part-2.jsonl",
        ] {
            std::fs::write(dir.path().join(name), "{}").unwrap();
        }
        let wanted = ["part-1.jsonl", "part-9.jsonl", "part-10.jsonl"];
        for many in ["", "part-*", "*.jsonl"] {
            let found = locate(&[Input::from(dir.path().join(many))]).unwrap();
            assert_eq!(names(&found), wanted, "{many:?}");
        }
        // What is in the folder itself belongs to what is below it.
        for many in ["**", "**/*.jsonl"] {
            let found = locate(&[Input::from(dir.path().join(many))]).unwrap();
            assert_eq!(
                names(&found),
                [&["part-2.jsonl"], &wanted[..]].concat(),
                "{many:?}"
            );
        }
    }

    #[test]
    fn what_a_pattern_takes_otherwise_is_not_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["day/a.jsonl", "day/below/b.jsonl", "day/c.txt", "day/.d"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        let left_out = |named: &str| {
            let found = locate(&[Input::from(dir.path().join(named))]).unwrap();
            let root = format!("{}/", dir.path().display());
            let shown = found.left_out.into_iter().map(|l| l.input.replace(&root, ""));
            shown.collect::<Vec<_>>()
        };
        assert_eq!(left_out("day"), ["day/.d", "day/below", "day/c.txt"]);
        assert_eq!(left_out("d*"), ["day/.d", "day/below", "day/c.txt"]);
        assert_eq!(left_out("day/*"), [""; 0]);
        assert_eq!(left_out("**"), ["day/.d"]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| vec![Input::from(dir.path().join(name))];
        assert!(matches!(locate(&at("")), Err(IngestError::EmptyDirectory { .. })));
        assert!(matches!(
            locate(&at("none.jsonl")),
            Err(IngestError::NotFound { .. })
        ));
        assert!(matches!(locate(&at("*.jsonl")), Err(IngestError::NoMatch { .. })));
        assert!(matches!(locate(&at("***")), Err(IngestError::Pattern { .. })));
        assert!(matches!(
            locate(&["-".into(), "-".into()]),
            Err(IngestError::StdinTwice)
        ));
        assert!(matches!(locate(&[]), Err(IngestError::NoInput)));
    }
}
