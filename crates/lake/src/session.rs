//! The engine's session: bounded memory, spill to disk, exact decimals.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, OnceLock};

use datafusion::execution::cache::cache_manager::{CacheManagerConfig, FileMetadataCache};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::TrackConsumersPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::LakeError;
use crate::memory_pool::UnspilledRepartition;

/// Footers of data files, for all sessions of the process: a run has several, and looks into the same files in each.
/// Data files are immutable and their names unique, so a footer never grows old; the library bounds how many are kept.
static FOOTERS: LazyLock<Arc<FileMetadataCache>> =
    LazyLock::new(|| RuntimeEnv::default().cache_manager.get_file_metadata_cache());

/// What one process may use. Clones share one runtime: a process makes these options once.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Bytes the engine may hold before it spills.
    pub memory_bytes: usize,
    /// Plans run on so many threads.
    pub threads: usize,
    /// Where spills go; the system's temporary directory when absent.
    pub spill_dir: Option<std::path::PathBuf>,
    /// What the sessions of these options and of all their clones share.
    pub runtime: SharedRuntime,
}

/// The memory and the spill space of a process: every session takes from the same. Made by the first session.
#[derive(Debug, Clone, Default)]
pub struct SharedRuntime(Arc<OnceLock<Arc<RuntimeEnv>>>);

impl Default for SessionOptions {
    /// Two GiB, and a thread per core.
    fn default() -> Self {
        Self {
            memory_bytes: 2 << 30,
            threads: std::thread::available_parallelism().map_or(2, NonZeroUsize::get),
            spill_dir: None,
            runtime: SharedRuntime::default(),
        }
    }
}

/// A fresh session; tables registered in one are not seen by another, the memory is that of all.
///
/// # Errors
/// When the spill directory cannot be used.
pub fn session(options: &SessionOptions) -> Result<SessionContext, LakeError> {
    let mut config = SessionConfig::new()
        .with_target_partitions(options.threads.max(1))
        .with_information_schema(true)
        .with_batch_size(8192);
    let settings = config.options_mut();
    // `1.5` in a query means exactly that, not the nearest double.
    settings.sql_parser.parse_float_as_decimal = true;
    settings.execution.parquet.pushdown_filters = false;
    settings.execution.time_zone = Some("UTC".to_owned());
    let runtime = options.runtime.get(options)?;
    Ok(SessionContext::new_with_config_rt(config, runtime))
}

impl SharedRuntime {
    fn get(&self, options: &SessionOptions) -> Result<Arc<RuntimeEnv>, LakeError> {
        if let Some(runtime) = self.0.get() {
            return Ok(Arc::clone(runtime));
        }
        let pool = TrackConsumersPool::new(
            UnspilledRepartition::new(options.memory_bytes),
            NonZeroUsize::MIN.saturating_add(4),
        );
        let mode = match &options.spill_dir {
            Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let made = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
            .with_cache_manager(
                CacheManagerConfig::default().with_file_metadata_cache(Some(Arc::clone(&FOOTERS))),
            )
            .build_arc()?;
        // Of two that are made at once, one is everybody's.
        Ok(Arc::clone(self.0.get_or_init(|| made)))
    }
}
