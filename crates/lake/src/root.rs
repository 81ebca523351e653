//! The lakehouse root: `<root>/<layer>/<table>`, a local directory or a URL.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deltalake::logstore::{LogStoreRef, StorageConfig, logstore_for, logstore_with, object_store_factories};
use deltalake::{DeltaTable, ensure_table_uri};
use nsc_contracts::TableContract;
use object_store::{DynObjectStore, ObjectStore};
use url::Url;

use crate::{LakeError, Table};

/// Decorates the object store of a lake; how tests make storage fail.
pub type StoreWrapper = Arc<dyn Fn(Arc<DynObjectStore>) -> Arc<DynObjectStore> + Send + Sync>;

/// How to reach the storage.
#[derive(Clone, Default)]
pub struct LakeOptions {
    /// Credentials and endpoint of an object store, by the names its library documents.
    pub storage: HashMap<String, String>,
    /// Decorates every store that is opened.
    pub wrap_store: Option<StoreWrapper>,
}

/// Directory beside the layers that holds locks, run reports and derived caches.
const INTERNAL: &str = "_nsc";

/// A lakehouse root. Cheap to clone.
#[derive(Clone)]
pub struct Lake {
    root: Url,
    options: LakeOptions,
    /// Tables as they were last read, by name: opening one again reads only the commits since, not its whole log.
    read: Arc<Mutex<HashMap<String, Table>>>,
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
        })
    }

    /// The root as a URL.
    #[must_use]
    pub fn root(&self) -> &Url {
        &self.root
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
        Ok(self.log_store(&[INTERNAL])?.object_store(None))
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
            None => Table::create(self.log_store(&[contract.layer.name(), contract.name])?, contract).await,
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
        // Looking for a table leaves no empty directory behind.
        let dir = self
            .local_dir()
            .map(|root| root.join(contract.layer.name()).join(contract.name));
        if dir.is_some_and(|dir| !dir.exists()) {
            return Ok(None);
        }
        let newest = version.is_none();
        let known = newest.then(|| self.tables().get(&contract.full_name()).cloned());
        if let Some(mut table) = known.flatten() {
            table.reload().await?;
            self.keep(&table);
            return Ok(Some(table));
        }
        let mut delta = DeltaTable::new(self.log_store(&[contract.layer.name(), contract.name])?);
        let failed = |e| LakeError::delta(&contract.full_name(), e);
        if !delta.verify_deltatable_existence().await.map_err(failed)? {
            return Ok(None);
        }
        match version {
            None => delta.load().await,
            Some(version) => delta.load_version(version).await,
        }
        .map_err(failed)?;
        let table = Table::new(delta, contract);
        if newest {
            self.keep(&table);
        }
        Ok(Some(table))
    }

    fn tables(&self) -> MutexGuard<'_, HashMap<String, Table>> {
        // Nothing that can panic happens while it is held.
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, table: &Table) {
        self.tables().insert(table.name(), table.clone());
    }

    fn log_store(&self, path: &[&str]) -> Result<LogStoreRef, LakeError> {
        let mut url = self.root.clone();
        let root = |reason: String| LakeError::Root {
            root: self.root.to_string(),
            reason,
        };
        url.path_segments_mut()
            .map_err(|()| root("the URL cannot hold a path".to_owned()))?
            .pop_if_empty()
            .extend(path);
        if let Some(dir) = url.to_file_path().ok().filter(|d| !d.exists()) {
            std::fs::create_dir_all(dir).map_err(|e| root(e.to_string()))?;
        }
        let config =
            StorageConfig::parse_options(self.options.storage.clone()).map_err(|e| root(e.to_string()))?;
        let Some(wrap) = &self.options.wrap_store else {
            return logstore_for(&url, config).map_err(|e| root(e.to_string()));
        };
        let factories = object_store_factories();
        let scheme = Url::parse(&format!("{}://", url.scheme())).map_err(|e| root(e.to_string()))?;
        let factory = factories
            .get(&scheme)
            .ok_or_else(|| root("no object store for this scheme".to_owned()))?;
        let (store, _) = factory
            .parse_url_opts(&url, &config)
            .map_err(|e| root(e.to_string()))?;
        logstore_with(wrap(Arc::new(store) as Arc<dyn ObjectStore>), &url, config)
            .map_err(|e| root(e.to_string()))
    }
}
