//! Data files that the log names and the storage does not have as the log knows them: somebody removed them beside the
//! tables, or a copy was cut short.
//!
//! The log alone does not show it. A count is answered from its statistics, and a run whose inputs have not changed looks
//! into none of them.

use std::collections::HashMap;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::TryStreamExt;
use nsc_contracts::internal::{SUPPLY_POSITION, WALLET_POSITION};
use nsc_contracts::ops::LOAD;
use nsc_contracts::{SOURCES, TableContract};
use object_store::Error as StoreError;

use crate::error::{damaged, other_size};
use crate::log_guard::LOG;
use crate::opened_file::OpenedFile;
use crate::{DataFile, Lake, LakeError, Table};

impl LakeError {
    /// What an error of a reader says of a data file that is gone or damaged, however deep it lies; `None` for any other
    /// error.
    #[must_use]
    pub fn of_lost_file(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(at) = cause {
            match (at.downcast_ref::<StoreError>(), at.downcast_ref::<Self>()) {
                (Some(StoreError::NotFound { path, .. }), _) => return of_path(path),
                (_, Some(Self::DataFilesMissing { table, files })) => {
                    return Some(Self::DataFilesMissing {
                        table: table.clone(),
                        files: files.clone(),
                    });
                }
                (_, Some(Self::DataFileDamaged { table, file, reason })) => {
                    return Some(damaged(table, file, reason));
                }
                _ => cause = at.source(),
            }
        }
        None
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

impl Lake {
    /// Bronze tables that somebody removed: loads of them are recorded, Silver has rows of theirs, and the table is not there.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn lost_sources(&self) -> Result<Vec<String>, LakeError> {
        let mut lost = Vec::new();
        for source in SOURCES {
            let silver = nsc_contracts::table(&format!("silver.{}", source.silver));
            let (Some(bronze), Some(silver)) = (source.bronze_contract(), silver) else {
                continue;
            };
            if self.unchecked(bronze, None).await?.is_some() {
                continue;
            }
            let name = bronze.full_name();
            let has_rows = |file: &DataFile| file.rows != Some(0);
            let is_load = |file: &DataFile| file.may_hold_text("table_name", &name, &name);
            if self.has_file(silver, has_rows).await? && self.has_file(&LOAD, is_load).await? {
                lost.push(name);
            }
        }
        Ok(lost)
    }

    async fn has_file(
        &self,
        contract: &'static TableContract,
        is_wanted: impl Fn(&DataFile) -> bool,
    ) -> Result<bool, LakeError> {
        Ok(match self.unchecked(contract, None).await? {
            Some(table) => table.files()?.iter().any(is_wanted),
            None => false,
        })
    }

    /// The first of some tables' data files that is not there, or whose bytes mean nothing: every one of them is read. `None`
    /// when all can be read.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn damaged_file(
        &self,
        tables: impl IntoIterator<Item = &'static TableContract>,
    ) -> Result<Option<LakeError>, LakeError> {
        for contract in tables {
            let Some(table) = self.unchecked(contract, None).await? else {
                continue;
            };
            match table.check_content().await {
                Err(lost @ (LakeError::DataFilesMissing { .. } | LakeError::DataFileDamaged { .. })) => {
                    return Ok(Some(lost));
                }
                checked => checked?,
            }
        }
        Ok(None)
    }
}

impl Table {
    /// Reads every data file of this version.
    async fn check_content(&self) -> Result<(), LakeError> {
        self.check_files().await?;
        for file in self.files()? {
            let opened = OpenedFile::open(self, &file).await?;
            // Bytes that are wrong in the right way make the decoder panic.
            let decoded = catch_unwind(AssertUnwindSafe(|| opened.decode()));
            match decoded {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(damaged(&self.name(), &file.path, &error)),
                Err(_) => return Err(damaged(&self.name(), &file.path, &"its bytes mean nothing")),
            }
        }
        Ok(())
    }

    /// Asks whether the storage has every data file of this version in its full size. The directory is listed once, no file
    /// is read.
    ///
    /// # Errors
    /// [`LakeError::DataFilesMissing`] with every file that is not there, else [`LakeError::DataFileDamaged`] of the first
    /// of another size; those of [`Table::files`], and storage errors.
    pub async fn check_files(&self) -> Result<(), LakeError> {
        let mut wanted = self.files()?;
        wanted.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let listed = self.object_store().list(None);
        let there: HashMap<String, u64> = listed
            .map_ok(|meta| (meta.location.to_string(), meta.size))
            .try_collect()
            .await?;
        let missing = wanted.iter().filter(|f| !there.contains_key(&f.path));
        let missing: Vec<String> = missing.map(|f| f.path.clone()).collect();
        if !missing.is_empty() {
            return Err(LakeError::DataFilesMissing {
                table: self.name(),
                files: missing,
            });
        }
        for file in &wanted {
            if let Some(size) = there.get(&file.path).filter(|size| **size != file.size) {
                return Err(damaged(&self.name(), &file.path, &other_size(*size, file.size)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use parquet::errors::ParquetError;

    use super::*;

    fn said(path: &str) -> Option<String> {
        let gone = StoreError::NotFound {
            path: path.to_owned(),
            source: "gone".into(),
        };
        let error = ParquetError::External(Box::new(gone));
        let error = datafusion::error::DataFusionError::ParquetError(Box::new(error));
        LakeError::of_lost_file(&error).map(|e| e.to_string())
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
