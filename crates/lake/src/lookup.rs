//! Which files may hold rows of some values: found by one column alone, whatever the history.

use std::collections::HashSet;

use arrow::array::AsArray;
use arrow::datatypes::Date32Type;
use datafusion::common::JoinType;
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_core::DateKst;

use crate::{DataFile, LakeError, Table};

impl Table {
    /// Of some files those whose partition holds a value of `wanted` (its first column) in a column; all of them when the
    /// table has no partitions.
    ///
    /// # Errors
    /// Storage and engine errors.
    pub async fn files_holding(
        &self,
        ctx: &SessionContext,
        files: Vec<DataFile>,
        column: &str,
        wanted: DataFrame,
    ) -> Result<Vec<DataFile>, LakeError> {
        let Some(day) = self.contract().partition.first().filter(|_| !files.is_empty()) else {
            return Ok(files);
        };
        let name = wanted.schema().field(0).name().clone();
        let wanted = wanted.with_column_renamed(name, "wanted")?.distinct()?;
        let days = ctx
            .read_table(self.scan(files.clone()))?
            .select_columns(&[column, day])?
            .join(wanted, JoinType::LeftSemi, &[column], &["wanted"], None)?
            .select_columns(&[day])?
            .distinct()?
            .collect()
            .await?;
        let days: HashSet<Option<i32>> = days
            .iter()
            .flat_map(|b| {
                b.column(0)
                    .as_primitive::<Date32Type>()
                    .iter()
                    .collect::<Vec<_>>()
            })
            .collect();
        Ok(files
            .into_iter()
            .filter(|f| days.contains(&f.partition_date().map(DateKst::days)))
            .collect())
    }
}
