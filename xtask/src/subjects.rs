//! The subjects of commits: one line that a log shows whole.

use std::io;
use std::path::Path;
use std::process::Command;

/// A longer subject is cut off by whatever lists commits.
pub const MOST_CHARS: usize = 72;
/// Commits up to this one were made before there was the rule.
const SINCE: &str = "7d0f3d6c4a2826d4b62d8c6fff081b2281dcc210";

/// Checks the commits since there is the rule. A copy without that history (an archive, a shallow clone) has none to check.
///
/// # Errors
/// When git cannot be started.
pub fn check(root: &Path) -> io::Result<Vec<String>> {
    let listed = Command::new("git")
        .args(["log", "--no-merges", "--format=%h %s", &format!("{SINCE}..HEAD")])
        .current_dir(root)
        .output()?;
    let lines = String::from_utf8_lossy(&listed.stdout).into_owned();
    Ok(lines.lines().filter_map(too_long).collect())
}

/// What is wrong with a commit of the list, hash and subject.
#[must_use]
pub fn too_long(line: &str) -> Option<String> {
    let (hash, subject) = line.split_once(' ')?;
    let chars = subject.chars().count();
    (chars > MOST_CHARS).then(|| {
        format!("commit {hash}: a subject of {chars} characters, {MOST_CHARS} is the most: say one thing (git commit --amend)")
    })
}
