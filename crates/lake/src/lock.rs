//! Single flight: one run of a pipeline at a time, and a dead run's lock is free.
//!
//! On a local root the operating system holds the lock and drops it with the process, however it dies. On an
//! object store the lock is a lease (`lease.rs`), free once it is not renewed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use crate::holder::{Holder, LEASE_MILLIS};
use crate::lease::{self, Lease};
use crate::writer::wall_clock_millis;
use crate::{Lake, LakeError};

/// The holder a mere look at a lock names.
const PROBE: &str = "(probe)";
/// How often a taker waits for a look to end.
const PROBE_RETRIES: usize = 10;

/// A held pipeline. Dropped, the lock of a local root is free at once, and a lease is given back in the background, if the
/// process lives so long; [`Self::release`] makes sure of it.
#[derive(Debug)]
pub struct PipelineLock(Kind);

#[derive(Debug)]
enum Kind {
    #[expect(dead_code, reason = "the open file is the lock")]
    Local(File),
    Lease {
        lease: Lease,
        renewal: tokio::task::AbortHandle,
    },
}

impl PipelineLock {
    /// Frees the pipeline.
    pub async fn release(self) {
        if let Kind::Lease { lease, .. } = &self.0 {
            lease.release().await;
        }
    }

    pub(crate) fn lease(&self) -> Option<Lease> {
        match &self.0 {
            Kind::Local(_) => None,
            Kind::Lease { lease, .. } => Some(lease.clone()),
        }
    }
}

impl Drop for PipelineLock {
    fn drop(&mut self) {
        let Kind::Lease { lease, renewal } = &self.0 else {
            return;
        };
        renewal.abort();
        // A run that was told to stop: whoever waits for the end of the process waits for this as well, for a moment.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let lease = lease.clone();
            runtime.spawn(async move { lease.release().await });
        }
    }
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
        let Some(dir) = self.internal_dir() else {
            let taken = Lease::take(self.internal_store()?, pipeline, run_id, self.lease_duration()).await?;
            return Ok(taken.map(|lease| {
                let renewal = tokio::spawn(lease.clone().keep()).abort_handle();
                PipelineLock(Kind::Lease { lease, renewal })
            }));
        };
        let dir = dir.join("locks");
        let holder = Holder {
            run_id: run_id.to_owned(),
            pid: std::process::id(),
            renewed_millis: wall_clock_millis(),
            lease_millis: LEASE_MILLIS,
            token: String::new(),
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
        if self.internal_dir().is_none() {
            return lease::holder(self.internal_store()?.as_ref(), pipeline).await;
        }
        Ok(self.lock(pipeline, PROBE).await?.err())
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
                lease_millis: LEASE_MILLIS,
                token: String::new(),
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
    Ok(Ok(PipelineLock(Kind::Local(file))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_lock_names_its_holder_and_ends_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let holder = |run: &str| Holder {
            run_id: run.to_owned(),
            pid: 1,
            renewed_millis: 0,
            lease_millis: LEASE_MILLIS,
            token: String::new(),
        };
        let held = lock_file(dir.path(), "b", &holder("one")).unwrap().unwrap();
        let refused = lock_file(dir.path(), "b", &holder("two")).unwrap();
        assert_eq!(refused.err().map(|h| h.run_id).as_deref(), Some("one"));
        drop(held);
        assert!(lock_file(dir.path(), "b", &holder("three")).unwrap().is_ok());
    }
}
