//! An object store that stops working at its n-th write, as if the process had been killed there: that write is
//! done or not done, and nothing after it happens.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, DynObjectStore, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// When a store dies. Shared by every store of one lake: writes are counted over all of them.
#[derive(Debug)]
pub struct FaultPlan {
    writes: AtomicU64,
    dies_at: u64,
    after_the_write: bool,
}

impl FaultPlan {
    /// Dies at write number `dies_at` (the first is 0); `after_the_write` says whether that one still happens.
    #[must_use]
    pub fn new(dies_at: u64, after_the_write: bool) -> Arc<Self> {
        Arc::new(Self {
            writes: AtomicU64::new(0),
            dies_at,
            after_the_write,
        })
    }

    /// Whether the fatal write was reached.
    #[must_use]
    pub fn has_struck(&self) -> bool {
        self.writes.load(Ordering::SeqCst) > self.dies_at
    }

    fn died() -> Error {
        Error::Generic {
            store: "fault",
            source: "the store died here".into(),
        }
    }

    fn read(&self) -> Result<()> {
        if self.has_struck() {
            Err(Self::died())
        } else {
            Ok(())
        }
    }

    /// Counts a write; `Ok(true)` when it is to happen and then be reported as failed.
    fn write(&self) -> Result<bool> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        match number.cmp(&self.dies_at) {
            std::cmp::Ordering::Less => Ok(false),
            std::cmp::Ordering::Equal if self.after_the_write => Ok(true),
            _ => Err(Self::died()),
        }
    }
}

/// Wraps a store with a plan.
#[derive(Debug)]
pub struct FaultStore {
    inner: Arc<DynObjectStore>,
    plan: Arc<FaultPlan>,
}

impl FaultStore {
    /// A wrapper for lakes: every store opened shares the plan.
    pub fn wrapper(
        plan: &Arc<FaultPlan>,
    ) -> impl Fn(Arc<DynObjectStore>) -> Arc<DynObjectStore> + Send + Sync + 'static {
        let plan = Arc::clone(plan);
        move |inner| {
            Arc::new(Self {
                inner,
                plan: Arc::clone(&plan),
            })
        }
    }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultStore({})", self.inner)
    }
}

/// The outcome of a write that happens and is then reported as failed.
fn reported<T>(done: T, fatal: bool) -> Result<T> {
    if fatal { Err(FaultPlan::died()) } else { Ok(done) }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let fatal = self.plan.write()?;
        reported(self.inner.put_opts(location, payload, opts).await?, fatal)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let fatal = self.plan.write()?;
        reported(self.inner.put_multipart_opts(location, opts).await?, fatal)
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.plan.read()?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.plan.read()?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let plan = Arc::clone(&self.plan);
        let counted = locations.and_then(move |path| {
            let alive = plan.write().map(|_| path);
            async move { alive }
        });
        self.inner.delete_stream(counted.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.plan.read() {
            Ok(()) => self.inner.list(prefix),
            Err(e) => futures::stream::once(async { Err(e) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.plan.read()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let fatal = self.plan.write()?;
        reported(self.inner.copy_opts(from, to, options).await?, fatal)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let fatal = self.plan.write()?;
        reported(self.inner.rename_opts(from, to, options).await?, fatal)
    }
}
