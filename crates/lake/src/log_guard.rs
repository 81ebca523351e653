//! A store whose listings refuse an empty commit, and that hides files of a log which were found to be unreadable.
//!
//! The library takes a commit of no bytes for one without actions, and gives up when the newest checkpoint cannot be read,
//! though the commits say the same. Both are decided here, under the library (`log_health.rs` finds what is to be hidden).

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, DynObjectStore, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// Directory of a table's log.
pub(crate) const LOG: &str = "_delta_log";

/// Bytes of `{"commitInfo":{}}`: no commit says less.
const SMALLEST_COMMIT_BYTES: u64 = 17;

/// Names of files in the log that are passed over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hidden(Arc<RwLock<BTreeSet<String>>>);

impl Hidden {
    /// Passes over some more files.
    pub(crate) fn extend(&self, names: impl IntoIterator<Item = String>) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(names);
    }

    /// What is passed over.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.iter().cloned().collect()
    }

    fn holds(&self, location: &Path) -> bool {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        !names.is_empty() && name_in_log(location).is_some_and(|name| names.contains(name))
    }

    /// A file that is written anew is a new file.
    fn forget(&self, location: &Path) {
        if let Some(name) = name_in_log(location).filter(|_| self.holds(location)) {
            self.0
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(name);
        }
    }
}

/// The name of a file that stands in a log.
pub(crate) fn name_in_log(location: &Path) -> Option<&str> {
    let (directory, name) = location.as_ref().rsplit_once('/')?;
    (directory == LOG || directory.ends_with("/_delta_log")).then_some(name)
}

/// The version of a commit's file name.
pub(crate) fn commit_version(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}

/// The store of one table.
#[derive(Debug)]
pub(crate) struct LogGuard {
    inner: Arc<DynObjectStore>,
    hidden: Hidden,
}

impl LogGuard {
    pub(crate) fn new(inner: Arc<DynObjectStore>, hidden: Hidden) -> Self {
        Self { inner, hidden }
    }

    fn seen(&self, listed: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        let hidden = self.hidden.clone();
        listed
            .try_filter(move |meta| futures::future::ready(!hidden.holds(&meta.location)))
            .and_then(|meta| futures::future::ready(refuse_empty(meta)))
            .boxed()
    }
}

fn refuse_empty(meta: ObjectMeta) -> Result<ObjectMeta> {
    let is_commit = name_in_log(&meta.location).and_then(commit_version).is_some();
    if is_commit && meta.size < SMALLEST_COMMIT_BYTES {
        return Err(Error::Generic {
            store: "log",
            source: format!("{} has {} bytes, too few for a commit", meta.location, meta.size).into(),
        });
    }
    Ok(meta)
}

impl fmt::Display for LogGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for LogGuard {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let done = self.inner.put_opts(location, payload, opts).await?;
        self.hidden.forget(location);
        Ok(done)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.hidden.forget(location);
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if self.hidden.holds(location) {
            return Err(Error::NotFound {
                path: location.to_string(),
                source: "it cannot be read and is passed over".into(),
            });
        }
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.seen(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        // A log is read in the order of its names, which a directory does not have.
        let listed = self.seen(self.inner.list_with_offset(prefix, offset));
        let sorted = async move {
            let mut files: Vec<ObjectMeta> = listed.try_collect().await?;
            files.sort_unstable_by(|a, b| a.location.cmp(&b.location));
            Ok(futures::stream::iter(files.into_iter().map(Ok)))
        };
        sorted.try_flatten_stream().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        listed.objects.retain(|meta| !self.hidden.holds(&meta.location));
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
