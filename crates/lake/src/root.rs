//! The lakehouse root: `<root>/<layer>/<table>`, a local directory or a URL.

use std::collections::HashMap;
use std::fmt;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deltalake::logstore::{
    LogStoreRef, StorageConfig, default_logstore, logstore_with, object_store_factories,
};
use deltalake::{DeltaTable, DeltaTableError, ensure_table_uri};
use nsc_contracts::TableContract;
use object_store::DynObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use url::Url;

use crate::lease::Lease;
use crate::log_guard::{Hidden, LogGuard};
use crate::log_health::{self, LogHealth};
use crate::table::Place;
use crate::{LakeError, PipelineLock, Table};

/// Decorates the object store of a lake; how tests make storage fail.
pub type StoreWrapper = Arc<dyn Fn(Arc<DynObjectStore>) -> Arc<DynObjectStore> + Send + Sync>;

/// How to reach the storage.
#[derive(Clone, Default)]
pub struct LakeOptions {
    /// Credentials and endpoint of an object store, by the names its library documents.
    pub storage: HashMap<String, String>,
    /// Decorates every store that is opened.
    pub wrap_store: Option<StoreWrapper>,
    /// How long a lock on an object store outlives its last renewal; a minute when absent.
    pub lease: Option<Duration>,
}

/// Scheme of the paths inside a local root: of a `file` URL the library would look for the path on the disk.
const LOCAL: &str = "nsc";
/// Directory beside the layers that holds locks, run reports and derived caches.
const INTERNAL: &str = "_nsc";

/// A lakehouse root. Cheap to clone.
#[derive(Clone)]
pub struct Lake {
    root: Url,
    options: LakeOptions,
    /// Tables as they were last read, by name: opening one again reads only the commits since, not its whole log.
    read: Arc<Mutex<HashMap<String, Table>>>,
    /// What must be held for a table of this lake to be changed.
    lease: Option<Lease>,
}

/// A table's log, and what of it is passed over.
struct OpenLog {
    store: LogStoreRef,
    hidden: Hidden,
}

impl fmt::Debug for Lake {
    /// Without the storage options: they hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lake")
            .field("root", &self.root.as_str())
            .finish_non_exhaustive()
    }
}

impl Lake {
    /// A lake at a local directory (created when absent) or a URL (`abfss://`, `az://`).
    ///
    /// # Errors
    /// When the directory cannot be created or the URL is not understood.
    pub fn open(root: &str, options: LakeOptions) -> Result<Self, LakeError> {
        let unusable = |reason: String| LakeError::Root {
            root: root.to_owned(),
            reason,
        };
        check_form(root).map_err(unusable)?;
        if !root.contains("://") {
            std::fs::create_dir_all(root).map_err(|e| unusable(e.to_string()))?;
        } else if root.starts_with("abfs") || root.starts_with("az") {
            deltalake::azure::register_handlers(None);
        }
        let url = ensure_table_uri(root).map_err(|e| unusable(e.to_string()))?;
        Ok(Self {
            root: url,
            options,
            read: Arc::default(),
            lease: None,
        })
    }

    /// The root as a URL.
    #[must_use]
    pub fn root(&self) -> &Url {
        &self.root
    }

    /// This lake as a run that holds a pipeline sees it: its tables change only while the lock is held.
    #[must_use]
    pub fn under(&self, lock: &PipelineLock) -> Self {
        Self {
            lease: lock.lease(),
            ..self.clone()
        }
    }

    /// How long a lock on an object store outlives its last renewal.
    pub(crate) fn lease_duration(&self) -> Duration {
        self.options.lease.unwrap_or(Duration::from_secs(60))
    }

    /// The directory of this lake when it is local.
    #[must_use]
    pub fn local_dir(&self) -> Option<std::path::PathBuf> {
        self.root.to_file_path().ok()
    }

    /// The store for locks, run reports and caches, rooted at `<root>/_nsc`.
    ///
    /// # Errors
    /// When the storage cannot be reached.
    pub(crate) fn internal_store(&self) -> Result<Arc<DynObjectStore>, LakeError> {
        Ok(self.log(&[INTERNAL])?.store.object_store(None))
    }

    /// The internal directory when the lake is local, created when absent.
    pub(crate) fn internal_dir(&self) -> Option<std::path::PathBuf> {
        self.local_dir().map(|d| d.join(INTERNAL))
    }

    /// Opens a table of the contract, creating it when absent.
    ///
    /// # Errors
    /// [`LakeError::Schema`] when the stored schema disagrees with the contract; storage errors.
    pub async fn table(&self, contract: &'static TableContract) -> Result<Table, LakeError> {
        match self.existing(contract).await? {
            Some(table) => Ok(table),
            None => {
                let log = self.log(&[contract.layer.name(), contract.name])?;
                if let Some(lease) = &self.lease {
                    lease.assure().await?;
                }
                let table = Table::create(log.store, self.place(contract, &log.hidden)?, contract).await?;
                Ok(table.under(self.lease.clone()))
            }
        }
    }

    /// Opens a table of the contract, or `None` when it was never created.
    ///
    /// # Errors
    /// As [`Lake::table`].
    pub async fn existing(&self, contract: &'static TableContract) -> Result<Option<Table>, LakeError> {
        let Some(table) = self.unchecked(contract, None).await? else {
            return Ok(None);
        };
        table.check_contract()?;
        Ok(Some(table))
    }

    /// Opens a table at a version without comparing it with its contract (`nsc table migrate`, time travel).
    ///
    /// # Errors
    /// Storage errors, and a version the log does not hold.
    pub async fn unchecked(
        &self,
        contract: &'static TableContract,
        version: Option<u64>,
    ) -> Result<Option<Table>, LakeError> {
        if self.has_no_directory_of(contract)? {
            return Ok(None);
        }
        let newest = version.is_none();
        let known = newest.then(|| self.tables().get(&contract.full_name()).cloned());
        if let Some(mut table) = known.flatten() {
            table.reload().await?;
            self.keep(&table);
            return Ok(Some(table.under(self.lease.clone())));
        }
        let Some(table) = self.read_log(contract, version).await? else {
            return Ok(None);
        };
        if newest {
            self.keep(&table);
        }
        Ok(Some(table.under(self.lease.clone())))
    }

    /// Reads a table's log. Where that fails, the log is looked at file by file: a checkpoint it is whole without is passed
    /// over, anything else that is damaged is named.
    async fn read_log(
        &self,
        contract: &'static TableContract,
        version: Option<u64>,
    ) -> Result<Option<Table>, LakeError> {
        let log = self.log(&[contract.layer.name(), contract.name])?;
        let error = match loaded(&log.store, version).await {
            Ok(None) => return Ok(None),
            Ok(Some(delta)) => {
                return Ok(Some(Table::new(
                    delta,
                    self.place(contract, &log.hidden)?,
                    contract,
                )));
            }
            Err(error) => error,
        };
        let name = contract.full_name();
        let Ok(LogHealth { dispensable, damage }) =
            log_health::examine(self.log_files(contract)?.as_ref()).await
        else {
            return Err(LakeError::delta(&name, error));
        };
        if let Some(damage) = damage {
            return Err(LakeError::DamagedLog {
                table: name,
                file: damage.file,
                reason: damage.reason,
            });
        }
        if dispensable.is_empty() {
            return Err(LakeError::delta(&name, error));
        }
        log.hidden.extend(dispensable);
        let files = log.hidden.names().join(", ");
        tracing::warn!(
            table = name,
            files,
            "files of the log cannot be read and are passed over; the commits say the same"
        );
        let delta = loaded(&log.store, version)
            .await
            .map_err(|e| LakeError::delta(&name, e))?;
        let place = self.place(contract, &log.hidden)?;
        Ok(delta.map(|delta| Table::new(delta, place, contract)))
    }

    fn place(&self, contract: &TableContract, hidden: &Hidden) -> Result<Place, LakeError> {
        Place::new(&format!("{}{}", self.root, contract.full_name()), hidden.clone())
    }

    /// Looking for a table leaves no empty directory behind. One that may not be looked at is not absent.
    ///
    /// # Errors
    /// [`LakeError::Forbidden`].
    pub(crate) fn has_no_directory_of(&self, contract: &TableContract) -> Result<bool, LakeError> {
        let Some(root) = self.local_dir() else {
            return Ok(false);
        };
        let dir = root.join(contract.layer.name()).join(contract.name);
        match std::fs::metadata(&dir) {
            Ok(_) => Ok(false),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(true),
            Err(e) => Err(LakeError::Forbidden {
                path: dir.display().to_string(),
                reason: e.to_string(),
            }),
        }
    }

    fn tables(&self) -> MutexGuard<'_, HashMap<String, Table>> {
        // Nothing that can panic happens while it is held.
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, table: &Table) {
        self.tables().insert(table.name(), table.clone());
    }

    /// The store of a directory of the lake, and where in it the directory is. A local store begins at the root: the root's
    /// own name may hold anything, and the names of object stores may not.
    fn located(&self, path: &[&str]) -> Result<(Arc<DynObjectStore>, Url, StorageConfig), LakeError> {
        let unusable = |reason: String| LakeError::Root {
            root: self.root.to_string(),
            reason,
        };
        let config = StorageConfig::parse_options(self.options.storage.clone())
            .map_err(|e| unusable(e.to_string()))?;
        let (store, mut url) = match self.local_dir() {
            Some(root) => {
                let dir = path.iter().fold(root.clone(), |dir, name| dir.join(name));
                std::fs::create_dir_all(dir).map_err(|e| unusable(e.to_string()))?;
                let store = LocalFileSystem::new_with_prefix(root).map_err(|e| unusable(e.to_string()))?;
                let url = Url::parse(&format!("{LOCAL}:///")).map_err(|e| unusable(e.to_string()))?;
                (Arc::new(store) as Arc<DynObjectStore>, url)
            }
            None => {
                let scheme =
                    Url::parse(&format!("{}://", self.root.scheme())).map_err(|e| unusable(e.to_string()))?;
                let factories = object_store_factories();
                let factory = factories
                    .get(&scheme)
                    .ok_or_else(|| unusable("no object store for this scheme".to_owned()))?;
                let (store, _) = factory
                    .parse_url_opts(&self.root, &config)
                    .map_err(|e| unusable(e.to_string()))?;
                (store, self.root.clone())
            }
        };
        url.path_segments_mut()
            .map_err(|()| unusable("the URL cannot hold a path".to_owned()))?
            .pop_if_empty()
            .extend(path);
        let store = match &self.options.wrap_store {
            Some(wrap) => wrap(store),
            None => store,
        };
        Ok((store, url, config))
    }

    /// The store of a table's directory, with everything in it.
    pub(crate) fn log_files(&self, contract: &TableContract) -> Result<Arc<DynObjectStore>, LakeError> {
        self.store_of(&[contract.layer.name(), contract.name])
    }

    /// The log of a table, to be written to.
    pub(crate) fn log_store(&self, contract: &TableContract) -> Result<LogStoreRef, LakeError> {
        Ok(self.log(&[contract.layer.name(), contract.name])?.store)
    }

    /// The store rooted at a directory, with everything in it.
    fn store_of(&self, path: &[&str]) -> Result<Arc<DynObjectStore>, LakeError> {
        let (store, url, config) = self.located(path)?;
        Ok(self.log_at(store, &url, config)?.object_store(None))
    }

    fn log(&self, path: &[&str]) -> Result<OpenLog, LakeError> {
        let (store, url, config) = self.located(path)?;
        let hidden = Hidden::default();
        let guarded: Arc<DynObjectStore> = Arc::new(LogGuard::new(store, hidden.clone()));
        Ok(OpenLog {
            store: self.log_at(guarded, &url, config)?,
            hidden,
        })
    }

    fn log_at(
        &self,
        store: Arc<DynObjectStore>,
        url: &Url,
        config: StorageConfig,
    ) -> Result<LogStoreRef, LakeError> {
        if url.scheme() == LOCAL {
            let directory = PrefixStore::new(Arc::clone(&store), Path::from(url.path()));
            return Ok(default_logstore(Arc::new(directory), store, url, &config));
        }
        logstore_with(store, url, config).map_err(|e| LakeError::Root {
            root: self.root.to_string(),
            reason: e.to_string(),
        })
    }
}

/// Refuses what would be another place than the one that was meant: a URL that lost its container (a variable that was never
/// set) is a path of this machine to the libraries, and so is one of another program's file system.
fn check_form(root: &str) -> Result<(), String> {
    let Some((scheme, rest)) = root.split_once(':') else {
        return Ok(());
    };
    let is_scheme = scheme.len() > 1
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
    if !is_scheme || !rest.starts_with('/') {
        return Ok(());
    }
    let Some(place) = rest.strip_prefix("//") else {
        return Err(format!(
            "{scheme}:/ is no form of a root: it is a directory, or a URL such as abfss://.."
        ));
    };
    match scheme {
        "file" => Ok(()),
        "memory" => Err("what is kept in memory is gone with the process".to_owned()),
        _ => {
            let authority = place.split('/').next().unwrap_or_default();
            let is_whole = !authority.is_empty() && authority.split('@').all(|part| !part.is_empty());
            let missing = "the URL lacks its container or account; was a variable in it never set?";
            is_whole.then_some(()).ok_or_else(|| missing.to_owned())
        }
    }
}

/// The table of a log at a version, the newest when there is none; `None` when it was never created.
async fn loaded(log: &LogStoreRef, version: Option<u64>) -> Result<Option<DeltaTable>, DeltaTableError> {
    let mut delta = DeltaTable::new(Arc::clone(log));
    if !delta.verify_deltatable_existence().await? {
        return Ok(None);
    }
    match version {
        None => delta.load().await?,
        Some(version) => delta.load_version(version).await?,
    }
    Ok(Some(delta))
}

#[cfg(test)]
mod tests {
    use super::check_form;

    #[test]
    fn a_root_is_a_directory_or_a_whole_url() {
        for whole in [
            "lake",
            "./a:b/c",
            "/lake/2026:01",
            "file:///lake",
            "az://container/lake",
            "abfss://c@account.dfs.core.windows.net/lake",
        ] {
            assert_eq!(check_form(whole), Ok(()), "{whole}");
        }
        for lacking in [
            "az:///lake",
            "az://",
            "abfss:///lake",
            "abfss://@account.dfs.core.windows.net/lake",
            "abfss://c@/lake",
            "memory:///lake",
            "dbfs:/lake",
            "s3:/lake",
        ] {
            assert!(check_form(lacking).is_err(), "{lacking}");
        }
    }
}
