//! Data files that the log names and the storage does not have: somebody removed them beside the tables.
//!
//! The log alone does not show it. A count is answered from its statistics, and a run whose inputs have not changed looks
//! into none of them.

use std::collections::HashSet;
use std::error::Error;

use futures::TryStreamExt;
use nsc_contracts::internal::{SUPPLY_POSITION, WALLET_POSITION};
use object_store::Error as StoreError;

use crate::log_guard::LOG;
use crate::{LakeError, Table};

impl LakeError {
    /// What an error of a reader says of a data file that is not there, however deep it lies; `None` for any other error.
    #[must_use]
    pub fn of_missing_file(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(at) = cause {
            if let Some(StoreError::NotFound { path, .. }) = at.downcast_ref::<StoreError>() {
                return of_path(path);
            }
            cause = at.source();
        }
        // The engine's cache of footers hands the store's error on as text.
        let text = error.to_string();
        let (_, rest) = text.split_once("Object at location ")?;
        of_path(rest.split_once(" not found")?.0)
    }
}

/// The table a path lies in, and the file in it; `None` for a file of a log.
fn of_path(path: &str) -> Option<LakeError> {
    if path.contains(LOG) || !path.ends_with(".parquet") {
        return None;
    }
    let tables = nsc_contracts::open_tables().chain([&WALLET_POSITION, &SUPPLY_POSITION]);
    // The root's own name may hold anything: the last directory of a table's name is the table's.
    let found = tables.filter_map(|table| {
        let directory = format!("{}/{}/", table.layer.name(), table.name);
        path.rfind(&directory).map(|at| (at, table, at + directory.len()))
    });
    let (_, table, file) = found.max_by_key(|(at, ..)| *at)?;
    Some(LakeError::DataFilesMissing {
        table: table.full_name(),
        files: vec![path.get(file..)?.to_owned()],
    })
}

impl Table {
    /// Data files of this version that the storage does not have. The directory is listed once.
    ///
    /// # Errors
    /// Those of [`Table::files`], and storage errors.
    pub async fn missing_files(&self) -> Result<Vec<String>, LakeError> {
        let wanted = self.files()?;
        let listed = self.object_store().list(None);
        let there: HashSet<String> = listed
            .map_ok(|meta| meta.location.to_string())
            .try_collect()
            .await?;
        let paths = wanted.into_iter().map(|f| f.path);
        let mut missing: Vec<String> = paths.filter(|p| !there.contains(p)).collect();
        missing.sort_unstable();
        Ok(missing)
    }
}

#[cfg(test)]
mod tests {
    use parquet::errors::ParquetError;

    use super::*;

    fn said(path: &str) -> Option<String> {
        let gone = || StoreError::NotFound {
            path: path.to_owned(),
            source: "gone".into(),
        };
        let typed = ParquetError::External(Box::new(gone()));
        let text = ParquetError::General(format!("Failed to fetch metadata: {}", gone()));
        let [typed, text] = [typed, text].map(|error| {
            let error = datafusion::error::DataFusionError::ParquetError(Box::new(error));
            LakeError::of_missing_file(&error).map(|e| e.to_string())
        });
        assert_eq!(typed, text);
        typed
    }

    #[test]
    fn a_data_file_that_is_gone_is_named_with_its_table() {
        assert_eq!(
            said("/mnt/gold/fact/lake/silver/products/part-1.parquet").as_deref(),
            Some("a data file of table silver.products is missing: part-1.parquet")
        );
        assert_eq!(
            said("lake/silver/ledger_entries/event_date_kst=2026-01-05/part-1.parquet").as_deref(),
            Some(
                "a data file of table silver.ledger_entries is missing: event_date_kst=2026-01-05/part-1.parquet"
            )
        );
        // A log has errors of its own.
        assert_eq!(said("lake/silver/products/_delta_log/1.checkpoint.parquet"), None);
        assert_eq!(said("elsewhere/part-1.parquet"), None);
    }
}
