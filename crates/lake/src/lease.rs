//! A lock on an object store: a lease, created, renewed, taken over and given back by conditional writes only.
//!
//! Every write names the version of the lease it is based on, so nobody undoes what another has done meanwhile. A holder
//! that could not renew in time (it was stopped, or cut off from the storage) asks before its next commit whether the
//! lease is still its own, and changes nothing once it is not (docs/decisions/0028).

use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::{
    DynObjectStore, Error, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion, path::Path,
};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::LakeError;
use crate::holder::Holder;
use crate::writer::wall_clock_millis;

/// A holder renews this often within the duration of its lease.
const RENEWALS: u32 = 4;

/// A lease that was taken. Clones are the same lease.
#[derive(Debug, Clone)]
pub(crate) struct Lease(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    pipeline: String,
    store: Arc<DynObjectStore>,
    path: Path,
    duration: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    holder: Holder,
    /// The lease as it was last written.
    version: UpdateVersion,
    renewed: Instant,
    /// Who holds it now, once it was lost.
    lost: Option<String>,
}

fn path_of(pipeline: &str) -> Path {
    Path::from(format!("locks/{pipeline}.json"))
}

fn payload(holder: &Holder) -> Result<PutPayload, LakeError> {
    serde_json::to_vec(holder)
        .map(Into::into)
        .map_err(|e| LakeError::Corrupt {
            what: "lease".to_owned(),
            reason: e.to_string(),
        })
}

/// The lease as it is stored.
async fn stored(store: &DynObjectStore, path: &Path) -> Result<Option<(Holder, UpdateVersion)>, LakeError> {
    let found = match store.get(path).await {
        Ok(found) => found,
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let version = UpdateVersion {
        e_tag: found.meta.e_tag.clone(),
        version: found.meta.version.clone(),
    };
    let holder = serde_json::from_slice(&found.bytes().await?).map_err(|e| LakeError::Corrupt {
        what: path.to_string(),
        reason: e.to_string(),
    })?;
    Ok(Some((holder, version)))
}

/// Who holds a lease now.
pub(crate) async fn holder(store: &DynObjectStore, pipeline: &str) -> Result<Option<Holder>, LakeError> {
    let found = stored(store, &path_of(pipeline)).await?;
    Ok(found.map(|(holder, _)| holder).filter(Holder::is_alive))
}

impl Lease {
    /// Takes a lease that is free; of several takers the conditional write lets one through.
    pub(crate) async fn take(
        store: Arc<DynObjectStore>,
        pipeline: &str,
        run_id: &str,
        duration: Duration,
    ) -> Result<Result<Self, Holder>, LakeError> {
        let path = path_of(pipeline);
        let holder = Holder {
            run_id: run_id.to_owned(),
            pid: std::process::id(),
            renewed_millis: wall_clock_millis(),
            lease_millis: i64::try_from(duration.as_millis()).unwrap_or(i64::MAX),
            token: Uuid::new_v4().to_string(),
        };
        let renewed = Instant::now();
        let (mode, other) = match stored(store.as_ref(), &path).await? {
            None => (PutMode::Create, None),
            Some((other, _)) if other.is_alive() => return Ok(Err(other)),
            Some((other, version)) => (PutMode::Update(version), Some(other)),
        };
        let put = store
            .put_opts(&path, payload(&holder)?, PutOptions::from(mode))
            .await;
        let version = match put {
            Ok(put) => UpdateVersion::from(put),
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. }) => {
                // Another taker was faster.
                let winner = stored(store.as_ref(), &path).await?.map(|(holder, _)| holder);
                return Ok(Err(winner.or(other).unwrap_or(holder)));
            }
            Err(e) => return Err(e.into()),
        };
        Ok(Ok(Self(Arc::new(Taken {
            pipeline: pipeline.to_owned(),
            store,
            path,
            duration,
            state: Mutex::new(State {
                holder,
                version,
                renewed,
                lost: None,
            }),
        }))))
    }

    /// Renews until it is lost.
    pub(crate) async fn keep(self) {
        loop {
            tokio::time::sleep(self.0.duration / RENEWALS).await;
            let mut state = self.0.state.lock().await;
            match self.0.renew(&mut state).await {
                Ok(()) => {}
                Err(error @ LakeError::LeaseLost { .. }) => {
                    tracing::error!(%error, "the run changes nothing any more");
                    return;
                }
                Err(error) => {
                    tracing::warn!(lease = %self.0.path, %error, "lease not renewed, it will be tried again");
                }
            }
        }
    }

    /// Makes sure that the lease is still held.
    ///
    /// # Errors
    /// [`LakeError::LeaseLost`] when another run has taken it, or may have; storage errors.
    pub(crate) async fn assure(&self) -> Result<(), LakeError> {
        let mut state = self.0.state.lock().await;
        if let Some(by) = &state.lost {
            return Err(self.0.lost_to(by.clone()));
        }
        // A machine that sleeps stops one clock, one that is set moves the other.
        let by_clock = wall_clock_millis().saturating_sub(state.holder.renewed_millis);
        let age = state
            .renewed
            .elapsed()
            .max(Duration::from_millis(u64::try_from(by_clock).unwrap_or(0)));
        if age < self.0.duration / 2 {
            return Ok(());
        }
        self.0.renew(&mut state).await
    }

    /// Gives the lease back, unless it is another's by now. Nothing depends on it: a lease that is not given back ends by
    /// itself.
    pub(crate) async fn release(&self) {
        let mut state = self.0.state.lock().await;
        if state.lost.is_some() {
            return;
        }
        state.holder.renewed_millis = 0;
        if let Err(error) = self.0.write(&mut state).await {
            tracing::debug!(lease = %self.0.path, %error, "lease not given back");
        }
        state.lost = Some("it was given back".to_owned());
    }
}

impl Taken {
    async fn write(&self, state: &mut State) -> Result<(), LakeError> {
        let mode = PutMode::Update(state.version.clone());
        let put = self
            .store
            .put_opts(&self.path, payload(&state.holder)?, PutOptions::from(mode));
        state.version = put.await?.into();
        Ok(())
    }

    async fn renew(&self, state: &mut State) -> Result<(), LakeError> {
        for _ in 0..2 {
            let begun = Instant::now();
            let before = state.holder.renewed_millis;
            state.holder.renewed_millis = wall_clock_millis();
            match self.write(state).await {
                Ok(()) => {
                    state.renewed = begun;
                    return Ok(());
                }
                Err(LakeError::Store(Error::Precondition { .. } | Error::NotFound { .. })) => {}
                Err(e) => {
                    state.holder.renewed_millis = before;
                    return Err(e);
                }
            }
            // A renewal whose answer was lost on the way has changed the version, too: then the lease is still ours.
            match stored(self.store.as_ref(), &self.path).await? {
                Some((holder, version)) if holder.token == state.holder.token => state.version = version,
                Some((other, _)) => return Err(self.lose(state, format!("run {} took it", other.run_id))),
                None => return Err(self.lose(state, "it was removed".to_owned())),
            }
        }
        Err(self.lose(state, "it changes all the time".to_owned()))
    }

    fn lose(&self, state: &mut State, reason: String) -> LakeError {
        state.lost = Some(reason.clone());
        self.lost_to(reason)
    }

    fn lost_to(&self, reason: String) -> LakeError {
        LakeError::LeaseLost {
            pipeline: self.pipeline.clone(),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(3600);

    async fn taken(store: &Arc<DynObjectStore>, run: &str, duration: Duration) -> Result<Lease, Holder> {
        Lease::take(Arc::clone(store), "b", run, duration).await.unwrap()
    }

    /// As if the holder had been stopped until its lease ran out.
    async fn run_out(store: &DynObjectStore) {
        while holder(store, "b").await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn a_lease_is_refused_while_it_is_held_and_free_once_it_is_given_back() {
        let store: Arc<DynObjectStore> = Arc::new(InMemory::new());
        let first = taken(&store, "one", LONG).await.unwrap();
        assert_eq!(taken(&store, "two", LONG).await.unwrap_err().run_id, "one");
        assert_eq!(
            holder(store.as_ref(), "b")
                .await
                .unwrap()
                .map(|h| h.run_id)
                .as_deref(),
            Some("one")
        );
        first.release().await;
        assert!(holder(store.as_ref(), "b").await.unwrap().is_none());
        assert!(first.assure().await.is_err(), "what was given back is not held");
        taken(&store, "two", LONG).await.unwrap();
    }

    #[tokio::test]
    async fn one_that_lost_its_lease_may_change_nothing_and_does_not_release_the_others() {
        let store: Arc<DynObjectStore> = Arc::new(InMemory::new());
        let first = taken(&store, "one", SHORT).await.unwrap();
        run_out(store.as_ref()).await;
        let second = taken(&store, "two", LONG).await.unwrap();
        let error = first.assure().await.unwrap_err();
        assert!(
            matches!(&error, LakeError::LeaseLost { reason, .. } if reason == "run two took it"),
            "{error}"
        );
        first.release().await;
        second.assure().await.unwrap();
        let found = holder(store.as_ref(), "b").await.unwrap();
        assert_eq!(found.map(|h| h.run_id).as_deref(), Some("two"));
    }

    #[tokio::test]
    async fn one_that_was_stopped_and_not_replaced_goes_on() {
        let store: Arc<DynObjectStore> = Arc::new(InMemory::new());
        let lease = taken(&store, "one", SHORT).await.unwrap();
        run_out(store.as_ref()).await;
        lease.assure().await.unwrap();
        assert!(holder(store.as_ref(), "b").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_renewal_whose_answer_was_lost_is_still_ones_own() {
        let store: Arc<DynObjectStore> = Arc::new(InMemory::new());
        let lease = taken(&store, "one", SHORT).await.unwrap();
        let (mine, _) = stored(store.as_ref(), &path_of("b")).await.unwrap().unwrap();
        store.put(&path_of("b"), payload(&mine).unwrap()).await.unwrap();
        run_out(store.as_ref()).await;
        lease.assure().await.unwrap();
        lease.release().await;
        assert!(holder(store.as_ref(), "b").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_kept_lease_outlives_its_duration() {
        let store: Arc<DynObjectStore> = Arc::new(InMemory::new());
        let lease = taken(&store, "one", SHORT).await.unwrap();
        let keeper = tokio::spawn(lease.clone().keep());
        let begun = Instant::now();
        let first = stored(store.as_ref(), &path_of("b"))
            .await
            .unwrap()
            .unwrap()
            .0
            .renewed_millis;
        // Renewed at least once after it would have run out.
        loop {
            let (now, _) = stored(store.as_ref(), &path_of("b")).await.unwrap().unwrap();
            if now.renewed_millis > first + 200 {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "never renewed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        keeper.abort();
        lease.assure().await.unwrap();
    }
}
