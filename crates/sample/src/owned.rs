//! Whose files a directory holds: a run leaves a list of what it wrote, and only that is written over.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::source::Source;

/// The list, beside the files: a line each, the size in bytes and the name. A size that is still open is `-`.
const LIST: &str = ".nsc-sample";
/// The ledger of faults, beside the six files.
pub(crate) const FAULTS_FILE: &str = "faults.json";

/// The names in a directory that no run of this program wrote, or that have changed since; none in one that does not exist.
///
/// # Errors
/// When the directory or its list cannot be read.
pub(crate) fn foreign(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        // A path through a file is no directory either; making it will say so.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(e) => return Err(e),
    };
    let list = match fs::read_to_string(directory.join(LIST)) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e),
    };
    let own: BTreeMap<&str, &str> = list
        .lines()
        .filter_map(|line| line.split_once(' ').map(|(size, name)| (name, size)))
        .collect();
    let mut foreign = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let size = entry.metadata()?.len().to_string();
        let is_own = own.get(name.as_str()).is_some_and(|s| *s == size || *s == "-");
        if name != LIST && !is_own {
            foreign.push(name);
        }
    }
    foreign.sort();
    Ok(foreign)
}

/// Lists the files a run is about to write: should it end early, they are its own all the same.
///
/// # Errors
/// When the list cannot be written, or an older ledger of faults not be removed.
pub(crate) fn begin(directory: &Path, with_faults: bool) -> io::Result<()> {
    write(directory, with_faults, |_| Ok("-".to_owned()))?;
    match fs::remove_file(directory.join(FAULTS_FILE)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Lists the files a run has written, with their sizes.
///
/// # Errors
/// When one of them is gone, or the list cannot be written.
pub(crate) fn end(directory: &Path, with_faults: bool) -> io::Result<()> {
    write(directory, with_faults, |name| {
        Ok(fs::metadata(directory.join(name))?.len().to_string())
    })
}

fn write(directory: &Path, with_faults: bool, size: impl Fn(&str) -> io::Result<String>) -> io::Result<()> {
    let mut names: Vec<String> = Source::ALL.map(Source::file_name).into();
    names.extend(with_faults.then(|| FAULTS_FILE.to_owned()));
    let lines = names.iter().map(|name| Ok(format!("{} {name}\n", size(name)?)));
    fs::write(directory.join(LIST), lines.collect::<io::Result<String>>()?)
}
