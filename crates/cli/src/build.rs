//! What this program was built from.

/// The commit, where whoever built it said so (`make dist`): a checkout is not asked, for an archive of the sources has none.
pub(crate) const COMMIT: Option<&str> = option_env!("NSC_BUILD_COMMIT");

/// Version, with the commit as its build where that is known.
pub(crate) fn version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    COMMIT.map_or_else(|| version.to_owned(), |commit| format!("{version}+{commit}"))
}
