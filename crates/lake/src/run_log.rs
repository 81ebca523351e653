//! Stored run reports: `<root>/_nsc/runs/<run>.json`, written when a run begins, and over that when it has ended.

use futures::TryStreamExt;
use nsc_contracts::status::UNREADABLE;
use object_store::{ObjectStoreExt, PutMode, path::Path};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Lake, LakeError};

/// A stored report.
#[derive(Debug, Clone)]
pub struct RunLogEntry {
    /// `<run id>`, or `<run id>.<n>` for the n-th run whose id was used again.
    pub name: String,
    /// The report as it was printed with `--format json`.
    pub report: Value,
}

impl RunLogEntry {
    /// The version that the run, or the last of its steps that says so, wrote of a table; else the one it read. `None` when it did
    /// neither.
    #[must_use]
    pub fn version_of(&self, table: &str) -> Option<u64> {
        let said = |key: &str| {
            let versions = self.reports().filter_map(|r| r.get(key)?.get(table)?.as_u64());
            versions.max()
        };
        said("versions_written").or_else(|| said("versions_read"))
    }

    /// The report itself, and those of the chain's steps.
    pub fn reports(&self) -> impl Iterator<Item = &Value> {
        std::iter::once(&self.report).chain(steps_of(&self.report))
    }

    fn unreadable(name: String, reason: &str) -> Self {
        let report = json!({"run_id": name, "status": UNREADABLE, "error": reason});
        Self { name, report }
    }
}

/// The reports of a chain's steps, in their order; a run of one pipeline has none.
pub fn steps_of(report: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    let steps = report.get("parts").and_then(Value::as_array);
    steps.into_iter().flatten()
}

/// When a run began, milliseconds since the epoch, where its id says so: a copy of a lake gives its files other times.
fn begun(name: &str) -> Option<i64> {
    let id = Uuid::parse_str(name.split('.').next()?).ok()?;
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    i64::try_from(seconds * 1_000 + u64::from(nanos) / 1_000_000).ok()
}

fn path_of(name: &str) -> Path {
    Path::from_iter(["runs", &format!("{name}.json")])
}

fn derivation_path(name: &str) -> Path {
    Path::from_iter(["derivations", &format!("{name}.json")])
}

/// What a name means among the stored runs.
#[derive(Debug)]
pub enum NamedRun {
    /// One run.
    One(Box<RunLogEntry>),
    /// No run.
    None,
    /// The ids of so many runs begin with it.
    Several(usize),
}

impl From<Option<RunLogEntry>> for NamedRun {
    fn from(entry: Option<RunLogEntry>) -> Self {
        entry.map_or(Self::None, |entry| Self::One(Box::new(entry)))
    }
}

impl Lake {
    /// Stores what is known of a run that begins. The report of an earlier run of that id is kept as `<run id>.<n>`.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn begin_run(&self, name: &str, report: &Value) -> Result<(), LakeError> {
        let store = self.internal_store()?;
        match store.get(&path_of(name)).await {
            Ok(earlier) => {
                let earlier = earlier.bytes().await?;
                let kept = self.kept_before(name).await?;
                // A number somebody else took meanwhile is passed over.
                for n in kept + 1.. {
                    let path = path_of(&format!("{name}.{n}"));
                    let put = store.put_opts(&path, earlier.clone().into(), PutMode::Create.into());
                    match put.await {
                        Err(object_store::Error::AlreadyExists { .. }) => {}
                        other => {
                            other?;
                            break;
                        }
                    }
                }
            }
            Err(object_store::Error::NotFound { .. }) => {}
            Err(e) => return Err(e.into()),
        }
        self.store_run(name, report).await
    }

    /// Stores what is known of a run that has begun, over what was known before.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn store_run(&self, name: &str, report: &Value) -> Result<(), LakeError> {
        let store = self.internal_store()?;
        store.put(&path_of(name), report.to_string().into()).await?;
        Ok(())
    }

    /// The greatest number an earlier report of a run id is kept under.
    async fn kept_before(&self, name: &str) -> Result<u64, LakeError> {
        let store = self.internal_store()?;
        let found: Vec<_> = store.list(Some(&Path::from("runs"))).try_collect().await?;
        let number = |file: &str| {
            let rest = file.strip_prefix(name)?.strip_prefix('.')?;
            rest.strip_suffix(".json")?.parse::<u64>().ok()
        };
        let numbers = found
            .iter()
            .filter_map(|m| m.location.filename().and_then(number));
        Ok(numbers.max().unwrap_or_default())
    }

    /// The report of a run, when there is one.
    ///
    /// # Errors
    /// Storage errors, or a report that is not JSON.
    pub async fn run(&self, name: &str) -> Result<Option<RunLogEntry>, LakeError> {
        let found = match self.internal_store()?.get(&path_of(name)).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let report = serde_json::from_slice(&found).map_err(|e| LakeError::Corrupt {
            what: format!("run report {name}"),
            reason: e.to_string(),
        })?;
        Ok(Some(RunLogEntry {
            name: name.to_owned(),
            report,
        }))
    }

    /// The run that a person names: `last` is the newest, any other text the id or its beginning.
    ///
    /// # Errors
    /// As [`Lake::run`].
    pub async fn run_named(&self, name: &str) -> Result<NamedRun, LakeError> {
        if nsc_core::is_blank(name) {
            return Ok(NamedRun::None);
        }
        if name == "last" {
            return Ok(self.runs(1, |_| true).await?.pop().into());
        }
        if let Some(entry) = self.run(name).await? {
            return Ok(NamedRun::One(Box::new(entry)));
        }
        let mut found = self.run_names().await?;
        found.retain(|id| id.starts_with(name));
        Ok(match found.as_slice() {
            [one] => self.run(one).await?.into(),
            [] => NamedRun::None,
            several => NamedRun::Several(several.len()),
        })
    }

    /// The record of how a result was derived, when there is one.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn derivation(&self, name: &str) -> Result<Option<Value>, LakeError> {
        match self.internal_store()?.get(&derivation_path(name)).await {
            // A record that cannot be read back is as good as none.
            Ok(found) => Ok(serde_json::from_slice(&found.bytes().await?).ok()),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Stores the record of how a result was derived.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn store_derivation(&self, name: &str, record: &Value) -> Result<(), LakeError> {
        self.internal_store()?
            .put(&derivation_path(name), record.to_string().into())
            .await?;
        Ok(())
    }

    /// The newest of the reports that are wanted first, at most `limit`. One that cannot be read says so in its status.
    ///
    /// # Errors
    /// As [`Lake::run`].
    pub async fn runs(
        &self,
        limit: usize,
        is_wanted: impl Fn(&RunLogEntry) -> bool,
    ) -> Result<Vec<RunLogEntry>, LakeError> {
        let mut entries = Vec::new();
        for name in self.run_names().await? {
            if entries.len() == limit {
                break;
            }
            let entry = match self.run(&name).await {
                // One that is cut does not hide the others.
                Err(LakeError::Corrupt { reason, .. }) => Some(RunLogEntry::unreadable(name, &reason)),
                found => found?,
            };
            entries.extend(entry.filter(&is_wanted));
        }
        Ok(entries)
    }

    /// The names of all reports, the newest first.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn run_names(&self) -> Result<Vec<String>, LakeError> {
        let store = self.internal_store()?;
        let found: Vec<_> = store.list(Some(&Path::from("runs"))).try_collect().await?;
        let named = found.iter().filter_map(|meta| {
            let name = meta.location.filename()?.strip_suffix(".json")?;
            let written = meta.last_modified.timestamp_millis();
            Some((begun(name).unwrap_or(written), written, name.to_owned()))
        });
        let mut named: Vec<_> = named.collect();
        named.sort_unstable_by(|a, b| b.cmp(a));
        Ok(named.into_iter().map(|(.., name)| name).collect())
    }
}
