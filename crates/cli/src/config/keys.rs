//! Every key of the configuration, declared once: its place in the file, its variable, what it is for.

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// Dotted name, as in the file.
    pub(crate) name: &'static str,
    /// Environment variable.
    pub(crate) variable: &'static str,
    /// One line for `nsc config show`.
    pub(crate) about: &'static str,
}

macro_rules! keys {
    ($($ident:ident = $name:literal, $variable:literal, $about:literal;)+) => {
        $(pub(crate) const $ident: Key = Key { name: $name, variable: $variable, about: $about };)+
        /// Every key.
        pub(crate) const ALL: &[Key] = &[$($ident),+];
    };
}

keys! {
    ENVIRONMENT = "environment", "NSC_ENV", "local, dev or prod";
    ROOT = "lake.root", "NSC_ROOT", "directory or URL of the lakehouse";
    SALT = "analytics.salt", "NSC_SALT", "salt of user_key";
    SALT_FILE = "analytics.salt_file", "NSC_SALT_FILE", "file that holds the salt, as a secret store mounts it";
    BAD_RECORDS_DAYS = "retention.bad_records_days", "NSC_RETENTION_BAD_RECORDS_DAYS", "days rows of silver.bad_records are kept";
    FILES_DAYS = "retention.files_days", "NSC_RETENTION_FILES_DAYS", "days files of older versions are kept";
    MEMORY_LIMIT = "resources.memory_limit", "NSC_MEMORY_LIMIT", "memory of the engine before it spills to disk";
    THREADS = "resources.threads", "NSC_THREADS", "threads of one process";
    SPILL_DIR = "resources.spill_dir", "NSC_SPILL_DIR", "directory spills go to";
    LOG = "log.filter", "NSC_LOG", "level or target=level list";
    LOG_FORMAT = "log.format", "NSC_LOG_FORMAT", "pretty or json";
}

/// Variables that are read elsewhere.
pub(crate) const OTHER_VARIABLES: &[&str] = &["NSC_CONFIG", "NSC_HISTORY"];

/// `NSC_STORAGE_ACCOUNT_NAME` sets `lake.storage.account_name`.
pub(crate) const STORAGE_PREFIX: &str = "NSC_STORAGE_";
