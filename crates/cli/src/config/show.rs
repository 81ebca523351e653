//! `nsc config show`: every key, its effective value, where it came from.

use std::fmt::Display;

use super::keys::{self, Key};
use super::{Config, Setting};
use crate::output::{Cell, Column, Sheet};

const MASK: &str = "********";

/// The effective configuration as rows; secrets are masked, not measured.
pub(crate) fn sheet(config: &Config) -> Sheet {
    let mut rows = Rows(Vec::new());
    rows.plain(&keys::ENVIRONMENT, Some(&config.environment));
    rows.plain(&keys::ROOT, Some(&without_query(&config.lake.root)));
    for (name, setting) in &config.lake.storage {
        rows.push(
            &format!("lake.storage.{name}"),
            Some(MASK.to_owned()),
            setting.origin.to_string(),
            "option of the object store",
        );
    }
    let salt = config.analytics.salt.as_ref();
    rows.push(
        keys::SALT.name,
        salt.map(|_| MASK.to_owned()),
        salt.map_or_else(|| "not set".to_owned(), |s| s.origin.to_string()),
        keys::SALT.about,
    );
    rows.plain(&keys::BAD_RECORDS_DAYS, Some(&config.retention.bad_records_days));
    rows.plain(&keys::FILES_DAYS, Some(&config.retention.files_days));
    rows.plain(&keys::MEMORY_LIMIT, Some(&config.resources.memory_limit));
    rows.plain(&keys::THREADS, Some(&config.resources.threads));
    let spill = config.resources.spill_dir.as_ref();
    let spill = spill.map(|s| Setting {
        value: s.value.display().to_string(),
        origin: s.origin.clone(),
    });
    rows.plain(&keys::SPILL_DIR, spill.as_ref());
    rows.plain(&keys::LOG, Some(&config.log.filter));
    rows.plain(&keys::LOG_FORMAT, Some(&config.log.format));
    Sheet {
        columns: ["key", "value", "origin", "meaning"].map(Column::text).into(),
        rows: rows.0,
    }
}

/// A URL may carry a signature in its query.
fn without_query(root: &Setting<String>) -> Setting<String> {
    let value = match root.value.split_once('?') {
        Some((url, _)) => format!("{url}?{MASK}"),
        None => root.value.clone(),
    };
    Setting {
        value,
        origin: root.origin.clone(),
    }
}

struct Rows(Vec<Vec<Cell>>);

impl Rows {
    fn plain<T: Display>(&mut self, key: &Key, setting: Option<&Setting<T>>) {
        let origin = setting.map_or_else(|| "not set".to_owned(), |s| s.origin.to_string());
        self.push(key.name, setting.map(|s| s.value.to_string()), origin, key.about);
    }

    fn push(&mut self, name: &str, value: Option<String>, origin: String, about: &str) {
        let value = value.map_or(Cell::Null, Cell::Text);
        self.0.push(vec![
            Cell::text(name),
            value,
            Cell::Text(origin),
            Cell::text(about),
        ]);
    }
}
