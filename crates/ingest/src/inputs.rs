//! From what the operator names to the files that are read.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::IngestError;
use crate::request::Input;

/// One file (or standard input) to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    /// `None` for standard input.
    pub(crate) path: Option<PathBuf>,
    /// Size, for a regular file: one that can be read twice.
    pub(crate) size: Option<u64>,
}

impl Located {
    /// As it is shown.
    pub(crate) fn shown(&self) -> String {
        self.path
            .as_ref()
            .map_or_else(|| "-".to_owned(), |p| p.display().to_string())
    }

    /// The name in `source_ref`: without directories, which differ from machine to machine.
    pub(crate) fn name(&self) -> String {
        let name = self
            .path
            .as_ref()
            .and_then(|p| p.file_name())
            .map(|n| n.to_string_lossy().into_owned());
        name.unwrap_or_else(|| "stdin".to_owned())
    }
}

/// Endings of the files a directory stands for, before `.gz` or `.zst`.
const ENDINGS: [&str; 3] = [".jsonl", ".ndjson", ".json"];

/// Finds every file named, in order, or says what is not there.
pub(crate) fn locate(inputs: &[Input]) -> Result<Vec<Located>, IngestError> {
    let mut found = Vec::new();
    for input in inputs {
        match input {
            Input::Stdin
                if found.contains(&Located {
                    path: None,
                    size: None,
                }) =>
            {
                return Err(IngestError::StdinTwice);
            }
            Input::Stdin => found.push(Located {
                path: None,
                size: None,
            }),
            Input::Path(path) => locate_path(path, &mut found)?,
        }
    }
    if found.is_empty() {
        Err(IngestError::NoInput)
    } else {
        Ok(found)
    }
}

fn locate_path(path: &Path, found: &mut Vec<Located>) -> Result<(), IngestError> {
    match std::fs::metadata(path) {
        Ok(known) if known.is_dir() => {
            for file in directory(path)? {
                found.push(file_at(file)?);
            }
            Ok(())
        }
        Ok(_) => {
            found.push(file_at(path.to_owned())?);
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

fn file_at(path: PathBuf) -> Result<Located, IngestError> {
    let known = std::fs::metadata(&path).map_err(|source| IngestError::Unreadable {
        path: path.clone(),
        source,
    })?;
    // A pipe or a device gives its bytes once and has no size.
    Ok(Located {
        size: known.is_file().then_some(known.len()),
        path: Some(path),
    })
}

/// The files of a pattern, sorted; directories that match are not entered.
fn matches(pattern: &str, found: &mut Vec<Located>) -> Result<(), IngestError> {
    let paths = glob::glob(pattern).map_err(|source| IngestError::Pattern {
        pattern: pattern.to_owned(),
        source,
    })?;
    let before = found.len();
    for path in paths {
        let path = path.map_err(|e| IngestError::Unreadable {
            path: e.path().to_owned(),
            source: e.into(),
        })?;
        if !path.is_dir() {
            found.push(file_at(path)?);
        }
    }
    if found.len() == before {
        Err(IngestError::NoMatch {
            pattern: pattern.to_owned(),
        })
    } else {
        Ok(())
    }
}

/// The input files of a directory, sorted by name.
fn directory(path: &Path) -> Result<Vec<PathBuf>, IngestError> {
    let unreadable = |source| IngestError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if is_input(&entry.file_name().to_string_lossy()) && !entry.path().is_dir() {
            files.push(entry.path());
        }
    }
    files.sort();
    if files.is_empty() {
        Err(IngestError::EmptyDirectory {
            path: path.to_owned(),
        })
    } else {
        Ok(files)
    }
}

/// Hidden files are what editors and copies in progress leave behind.
fn is_input(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(&name);
    !name.starts_with('.') && ENDINGS.iter().any(|e| name.ends_with(e))
}

#[cfg(test)]
mod tests {
    use super::{Located, locate};
    use crate::error::IngestError;
    use crate::request::Input;

    fn names(found: &[Located]) -> Vec<String> {
        found.iter().map(Located::name).collect()
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
            "x.csv",
            "d#1 [z].jsonl",
        ] {
            std::fs::write(dir.path().join(name), "{}").unwrap();
        }
        std::fs::create_dir(dir.path().join("sub.jsonl")).unwrap();
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
            [
                "stdin",
                ".hidden.jsonl",
                "b.jsonl",
                "d#1 [z].jsonl",
                "d#1 [z].jsonl"
            ]
        );
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
