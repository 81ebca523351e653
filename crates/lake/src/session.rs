//! The engine's session: bounded memory, spill to disk, exact decimals.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, OnceLock};

use datafusion::execution::cache::cache_manager::{CacheManagerConfig, FileMetadataCache};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::TrackConsumersPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
pub struct SharedRuntime {
    made: Arc<OnceLock<Arc<RuntimeEnv>>>,
    room: Arc<OnceLock<Arc<Semaphore>>>,
}

/// Memory that a step's joins take for a byte of the compressed files it reads; a day of ten million entries took six.
const MEMORY_FOR_A_BYTE: u64 = 8;

/// The part of the memory that a step has been promised, until it is dropped.
#[derive(Debug)]
pub struct Room {
    _permit: Option<OwnedSemaphorePermit>,
}

impl SessionOptions {
    /// Waits until a step that reads so many bytes of files has room beside those that are running. A join holds its side in
    /// memory and cannot spill, so two steps that do not fit beside each other run one after the other; one that fits in
    /// nowhere runs alone. A step that has room must not ask for more: two such would wait for each other.
    pub async fn room_for(&self, bytes: u64) -> Room {
        let mebibytes = |bytes: u64| u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        let all = mebibytes(self.memory_bytes as u64).max(1);
        let room = self
            .runtime
            .room
            .get_or_init(|| Arc::new(Semaphore::new(all as usize)));
        let wanted = mebibytes(bytes.saturating_mul(MEMORY_FOR_A_BYTE)).clamp(1, all);
        // It is never closed.
        let permit = Arc::clone(room).acquire_many_owned(wanted).await.ok();
        Room { _permit: permit }
    }
}

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
        if let Some(runtime) = self.made.get() {
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
        Ok(Arc::clone(self.made.get_or_init(|| made)))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[tokio::test]
    async fn steps_that_do_not_fit_beside_each_other_wait_and_no_step_waits_for_ever() {
        let options = SessionOptions {
            memory_bytes: 256 << 20,
            ..SessionOptions::default()
        };
        let small = options.room_for(8 * MIB).await;
        let beside = options.room_for(24 * MIB).await;
        assert!(
            options.room_for(MIB).now_or_never().is_none(),
            "256 MiB are taken"
        );
        drop(small);
        assert!(options.clone().room_for(MIB).now_or_never().is_some());
        drop(beside);
        // More than there is means all there is.
        let alone = options.room_for(u64::MAX).await;
        assert!(options.room_for(0).now_or_never().is_none());
        drop(alone);
        assert!(options.room_for(0).now_or_never().is_some());
    }
}
