//! Single flight: one run of a pipeline at a time, and a dead run's lock is free.
//!
//! On a local root the operating system holds the lock and drops it with the process, however it dies. On an
//! object store the lock is a lease, created and renewed by conditional writes, and free once it is not renewed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::Duration;

use object_store::{
    DynObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion, path::Path,
};
use serde::{Deserialize, Serialize};

use crate::writer::wall_clock_millis;
use crate::{Lake, LakeError};

/// A lease not renewed for this long is free.
const LEASE_MILLIS: i64 = 60_000;
/// The holder a mere look at a lock names.
const PROBE: &str = "(probe)";
/// How often a taker waits for a look to end.
const PROBE_RETRIES: usize = 10;
/// A live holder renews this often.
const RENEW: Duration = Duration::from_secs(15);

/// Who holds a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run_id: String,
    /// Its process.
    pub pid: u32,
    /// When the lease was last renewed, milliseconds since the epoch.
    pub renewed_millis: i64,
}

/// A held pipeline; released when dropped.
#[derive(Debug)]
pub struct PipelineLock {
    _kind: Kind,
}

#[derive(Debug)]
enum Kind {
    #[expect(dead_code, reason = "the open file is the lock")]
    Local(File),
    #[expect(dead_code, reason = "dropping it stops the renewal")]
    Lease(Renewal),
}

impl Lake {
    /// Takes a pipeline for a run, or says who holds it.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn lock(
        &self,
        pipeline: &str,
        run_id: &str,
    ) -> Result<Result<PipelineLock, Holder>, LakeError> {
        let holder = Holder {
            run_id: run_id.to_owned(),
            pid: std::process::id(),
            renewed_millis: wall_clock_millis(),
        };
        let dir = match self.internal_dir() {
            Some(dir) => dir.join("locks"),
            None => return lease(self.internal_store()?, pipeline, holder).await,
        };
        // `nsc doctor` holds a lock for an instant to see whether it is free.
        for _ in 0..PROBE_RETRIES {
            let taken = lock_file(&dir, pipeline, &holder)?;
            if !matches!(&taken, Err(other) if other.run_id == PROBE) {
                return Ok(taken);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        lock_file(&dir, pipeline, &holder)
    }

    /// Who holds a pipeline now.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn holder(&self, pipeline: &str) -> Result<Option<Holder>, LakeError> {
        match self.lock(pipeline, PROBE).await? {
            Ok(lock) => {
                drop(lock);
                Ok(None)
            }
            Err(holder) => Ok(Some(holder)),
        }
    }
}

fn io(path: &std::path::Path, e: &std::io::Error) -> LakeError {
    LakeError::Root {
        root: path.display().to_string(),
        reason: e.to_string(),
    }
}

fn lock_file(
    dir: &std::path::Path,
    pipeline: &str,
    holder: &Holder,
) -> Result<Result<PipelineLock, Holder>, LakeError> {
    std::fs::create_dir_all(dir).map_err(|e| io(dir, &e))?;
    let path = dir.join(format!("{pipeline}.lock"));
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| io(&path, &e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(|e| io(&path, &e))?;
            // Read between the holder's truncate and write, the text may be short; the refusal stands.
            let unknown = Holder {
                run_id: "(starting)".to_owned(),
                pid: 0,
                renewed_millis: 0,
            };
            return Ok(Err(serde_json::from_str(&text).unwrap_or(unknown)));
        }
        Err(TryLockError::Error(e)) => return Err(io(&path, &e)),
    }
    let text = serde_json::to_string(holder).map_err(|e| LakeError::Corrupt {
        what: "lock".to_owned(),
        reason: e.to_string(),
    })?;
    file.set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| file.write_all(text.as_bytes()))
        .map_err(|e| io(&path, &e))?;
    Ok(Ok(PipelineLock {
        _kind: Kind::Local(file),
    }))
}

/// Renews a lease until dropped.
#[derive(Debug)]
struct Renewal {
    task: tokio::task::JoinHandle<()>,
    store: Arc<DynObjectStore>,
    path: Path,
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.task.abort();
        let (store, path) = (Arc::clone(&self.store), self.path.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { store.delete(&path).await });
        }
    }
}

fn payload(holder: &Holder) -> Result<PutPayload, LakeError> {
    serde_json::to_vec(holder)
        .map(Into::into)
        .map_err(|e| LakeError::Corrupt {
            what: "lease".to_owned(),
            reason: e.to_string(),
        })
}

async fn lease(
    store: Arc<DynObjectStore>,
    pipeline: &str,
    holder: Holder,
) -> Result<Result<PipelineLock, Holder>, LakeError> {
    let path = Path::from(format!("locks/{pipeline}.json"));
    let created = store
        .put_opts(&path, payload(&holder)?, PutOptions::from(PutMode::Create))
        .await;
    let version = match created {
        Ok(put) => UpdateVersion::from(put),
        Err(object_store::Error::AlreadyExists { .. }) => match take_over(&store, &path, &holder).await? {
            Ok(version) => version,
            Err(other) => return Ok(Err(other)),
        },
        Err(e) => return Err(e.into()),
    };
    let task = tokio::spawn(renew(Arc::clone(&store), path.clone(), holder, version));
    Ok(Ok(PipelineLock {
        _kind: Kind::Lease(Renewal { task, store, path }),
    }))
}

/// Takes a lease that was not renewed; of several takers the conditional write lets one through.
async fn take_over(
    store: &Arc<DynObjectStore>,
    path: &Path,
    holder: &Holder,
) -> Result<Result<UpdateVersion, Holder>, LakeError> {
    let found = store.get(path).await?;
    let version = UpdateVersion {
        e_tag: found.meta.e_tag.clone(),
        version: found.meta.version.clone(),
    };
    let bytes = found.bytes().await?;
    let other: Holder = serde_json::from_slice(&bytes).map_err(|e| LakeError::Corrupt {
        what: path.to_string(),
        reason: e.to_string(),
    })?;
    if wall_clock_millis() - other.renewed_millis < LEASE_MILLIS {
        return Ok(Err(other));
    }
    match store
        .put_opts(path, payload(holder)?, PutOptions::from(PutMode::Update(version)))
        .await
    {
        Ok(put) => Ok(Ok(put.into())),
        Err(object_store::Error::Precondition { .. }) => Ok(Err(other)),
        Err(e) => Err(e.into()),
    }
}

async fn renew(store: Arc<DynObjectStore>, path: Path, mut holder: Holder, mut version: UpdateVersion) {
    loop {
        tokio::time::sleep(RENEW).await;
        holder.renewed_millis = wall_clock_millis();
        let Ok(payload) = payload(&holder) else { return };
        match store
            .put_opts(&path, payload, PutOptions::from(PutMode::Update(version.clone())))
            .await
        {
            Ok(put) => version = put.into(),
            Err(e) => tracing::warn!(lease = %path, error = %e, "lease not renewed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    #[tokio::test]
    async fn a_lease_is_refused_while_renewed_and_taken_once_stale() {
        let store: Arc<DynObjectStore> = Arc::new(InMemory::new());
        let holder = |run: &str, renewed_millis| Holder {
            run_id: run.to_owned(),
            pid: 1,
            renewed_millis,
        };
        let first = lease(Arc::clone(&store), "b", holder("one", wall_clock_millis()))
            .await
            .unwrap();
        let refused = lease(Arc::clone(&store), "b", holder("two", wall_clock_millis()))
            .await
            .unwrap();
        assert_eq!(refused.err().map(|h| h.run_id).as_deref(), Some("one"));
        std::mem::forget(first);
        store
            .put(&Path::from("locks/b.json"), payload(&holder("one", 0)).unwrap())
            .await
            .unwrap();
        assert!(
            lease(store, "b", holder("three", wall_clock_millis()))
                .await
                .unwrap()
                .is_ok()
        );
    }

    #[test]
    fn a_file_lock_names_its_holder_and_ends_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let holder = |run: &str| Holder {
            run_id: run.to_owned(),
            pid: 1,
            renewed_millis: 0,
        };
        let held = lock_file(dir.path(), "b", &holder("one")).unwrap().unwrap();
        let refused = lock_file(dir.path(), "b", &holder("two")).unwrap();
        assert_eq!(refused.err().map(|h| h.run_id).as_deref(), Some("one"));
        drop(held);
        assert!(lock_file(dir.path(), "b", &holder("three")).unwrap().is_ok());
    }
}
