//! Which files make up the tree, and where it stands.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders that are never part of the tree, for a copy that git does not know.
const LEFT_OUT: [&str; 5] = [".git", ".nsc", ".venv", "target", "__pycache__"];

/// The workspace's folder.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Every file of the tree, relative to its root: what git tracks, and what it would if asked to.
/// Without git (an unpacked archive), every file outside the build's own folders.
///
/// # Errors
/// When the folders cannot be read.
pub fn files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output();
    let mut found = match listed {
        Ok(out) if out.status.success() && !out.stdout.is_empty() => out
            .stdout
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| PathBuf::from(String::from_utf8_lossy(name).into_owned()))
            .filter(|path| root.join(path).is_file())
            .collect(),
        _ => walk(root, root)?,
    };
    found.sort();
    found.dedup();
    Ok(found)
}

/// The text of every file of the tree that is text; a compressed sample or a deliberately broken line has none.
///
/// # Errors
/// When a file cannot be read.
pub fn texts(root: &Path) -> io::Result<BTreeMap<PathBuf, String>> {
    let mut found = BTreeMap::new();
    for path in files(root)? {
        if let Ok(text) = String::from_utf8(std::fs::read(root.join(&path))?) {
            found.insert(path, text);
        }
    }
    Ok(found)
}

fn walk(root: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() && !LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            found.extend(walk(root, &path)?);
        } else if kind.is_file()
            && let Ok(inside) = path.strip_prefix(root)
        {
            found.push(inside.to_path_buf());
        }
    }
    Ok(found)
}
