//! What makes a delivery: the content, and what marks it (lakehouse contract 2, "Deliveries").
//!
//! The same bytes may be delivered again and mean something new: a quiet day's unchanged extract is a new snapshot. A
//! delivery is therefore known by its content *and* by what tells the deliveries of one content apart.

use std::fmt;

use nsc_core::{LoadId, UtcMicros};
use serde_json::json;

use crate::located::Located;
use crate::request::LoadRequest;

/// What tells the deliveries of one content apart.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mark {
    /// The operator said which delivery it is.
    Given {
        batch_id: Option<String>,
        source_extracted_at: Option<UtcMicros>,
    },
    /// Every row says itself which delivery it is of: nothing but the content is needed.
    Carried,
    /// Nobody says: the file's name, and when it was written.
    File { name: String, modified: UtcMicros },
    /// Nobody says and nothing tells: each is a delivery of its own.
    Stream(LoadId),
}

/// A content as it was delivered once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    content: String,
    source_system: Option<String>,
    mark: Mark,
}

impl Delivery {
    /// The delivery of a content. `is_carried` says whether every row carries a mark of its own.
    pub(crate) fn new(
        request: &LoadRequest,
        input: &Located,
        content: &str,
        is_carried: bool,
        load_id: &LoadId,
    ) -> Self {
        let mark = if request.batch_id.is_some() || request.source_extracted_at.is_some() {
            Mark::Given {
                batch_id: request.batch_id.clone(),
                source_extracted_at: request.source_extracted_at,
            }
        } else if is_carried {
            Mark::Carried
        } else {
            match input.stamp {
                Some(stamp) => Mark::File {
                    name: plain_name(&input.name()).to_owned(),
                    modified: stamp.modified(),
                },
                None => Mark::Stream(load_id.clone()),
            }
        };
        Self {
            content: content.to_owned(),
            source_system: request.source_system.clone(),
            mark,
        }
    }

    /// The application transaction that a committed load of this delivery leaves in the log of its table.
    pub(crate) fn app_id(&self) -> String {
        let mark = match &self.mark {
            Mark::Given {
                batch_id,
                source_extracted_at,
            } => json!({ "batch_id": batch_id, "source_extracted_at": source_extracted_at }),
            Mark::Carried => json!("carried"),
            Mark::File { name, modified } => json!({ "file": name, "modified": modified }),
            Mark::Stream(load_id) => json!({ "load_id": load_id }),
        };
        let marks = json!({ "mark": mark, "source_system": self.source_system }).to_string();
        let marks = blake3::hash(marks.as_bytes()).to_hex();
        format!("ingest/{}/{}", self.content, marks.get(..32).unwrap_or_default())
    }

    /// Whether nothing at all was said with the command.
    pub(crate) fn is_unmarked(&self) -> bool {
        self.source_system.is_none() && !matches!(self.mark, Mark::Given { .. })
    }
}

/// What marks it, as people read it.
impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mark {
            Mark::Given {
                batch_id,
                source_extracted_at,
            } => {
                let batch = batch_id.as_ref().map(|b| format!("batch {b}"));
                let extracted = source_extracted_at.map(|at| format!("extracted {at}"));
                let both: Vec<String> = batch.into_iter().chain(extracted).collect();
                f.write_str(&both.join(", "))?;
            }
            Mark::Carried => f.write_str("marked by its lines")?,
            Mark::File { name, modified } => write!(f, "file {name} of {modified}")?,
            Mark::Stream(_) => f.write_str("a stream without a mark")?,
        }
        match &self.source_system {
            Some(system) => write!(f, ", system {system}"),
            None => Ok(()),
        }
    }
}

/// The application transaction that says a content is known, whatever its deliveries.
pub(crate) fn content_app_id(content: &str) -> String {
    format!("content/{content}")
}

/// The application transaction of a content in lakes made before deliveries were told apart.
pub(crate) fn former_app_id(content: &str) -> String {
    format!("ingest/{content}")
}

/// A file that was compressed meanwhile is the same file: the tools keep its time.
fn plain_name(name: &str) -> &str {
    [".gz", ".zst"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(name)
}

/// The version a load's transactions are recorded with: the first half of its id, as much as the log has room for.
pub(crate) fn version_of(load_id: &LoadId) -> i64 {
    let digits: String = load_id.as_str().chars().filter(|c| *c != '-').take(16).collect();
    i64::from_str_radix(&digits, 16).unwrap_or(i64::MAX)
}

/// The beginning of the id of the load that a transaction was recorded by.
pub(crate) fn load_prefix(version: i64) -> String {
    let digits = format!("{version:016x}");
    let (time, rest) = digits.split_at(8);
    let (low, random) = rest.split_at(4);
    format!("{time}-{low}-{random}")
}

#[cfg(test)]
mod tests {
    use nsc_core::LoadId;

    use super::{load_prefix, plain_name, version_of};

    #[test]
    fn a_transaction_names_its_load_and_later_loads_have_higher_versions() {
        let mut before = 0;
        let mut load_id = LoadId::after(None);
        for _ in 0..100 {
            load_id = LoadId::after(Some(&load_id));
            let version = version_of(&load_id);
            assert!(version >= before && load_id.as_str().starts_with(&load_prefix(version)));
            before = version;
        }
    }

    #[test]
    fn a_compressed_file_has_the_name_of_the_plain_one() {
        for (name, plain) in [
            ("a.jsonl", "a.jsonl"),
            ("a.jsonl.gz", "a.jsonl"),
            ("a.jsonl.zst", "a.jsonl"),
            (".gz", ""),
        ] {
            assert_eq!(plain_name(name), plain);
        }
    }
}
