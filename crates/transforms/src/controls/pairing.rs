//! B-5: how well entries name and complete their pair, from counts that can be brought up to date.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;
use serde::{Deserialize, Serialize};

use crate::TransformError;
use crate::output::{Parameter, plan};

/// What B-5 divides, of a day's entries or of a part of them that keeps the entries of one `related_id` together: the counts
/// of such parts add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingCounts {
    /// Entries.
    pub entries: i64,
    /// Entries with a `related_id`.
    pub related: i64,
    /// Different `related_id`s.
    pub groups: i64,
    /// Those of exactly two entries of two different wallets.
    pub pairs: i64,
    /// Those that are a known payment order.
    pub orders: i64,
    /// Entries that do not say whether they name one: no counts may be made of them.
    #[serde(skip)]
    pub unstamped: i64,
}

impl PairingCounts {
    /// As the SQL of B-5 reads them.
    #[must_use]
    pub fn parameters(self) -> Vec<Parameter> {
        let counts = [
            ("entry_cnt", self.entries),
            ("related_cnt", self.related),
            ("group_cnt", self.groups),
            ("pair_cnt", self.pairs),
            ("order_cnt", self.orders),
        ];
        let parameters = counts.map(|(name, count)| (name, ScalarValue::Int64(Some(count))));
        parameters.into()
    }

    /// The counts after a part of the entries has become another one.
    #[must_use]
    pub fn with_part_replaced(self, before: Self, after: Self) -> Self {
        Self {
            entries: self.entries - before.entries + after.entries,
            related: self.related - before.related + after.related,
            groups: self.groups - before.groups + after.groups,
            pairs: self.pairs - before.pairs + after.pairs,
            orders: self.orders - before.orders + after.orders,
            unstamped: self.unstamped - before.unstamped + after.unstamped,
        }
    }
}

/// Counts `entries`.
///
/// # Errors
/// When the plan is refused, and the engine's.
pub async fn pairing_counts(ctx: &SessionContext) -> Result<PairingCounts, TransformError> {
    const WHAT: &str = "pairing_counts";
    let failed = TransformError::plan;
    let df = plan(ctx, WHAT, include_str!("../sql/pairing_counts.sql"), Vec::new()).await?;
    let found = df.collect().await.map_err(failed(WHAT))?;
    let mut counts = [0; 6];
    for batch in found.iter().filter(|b| b.num_rows() > 0) {
        for (count, column) in counts.iter_mut().zip(batch.columns()) {
            let column = cast(column, &DataType::Int64).map_err(|e| failed(WHAT)(e.into()))?;
            *count = column.as_primitive::<Int64Type>().value(0);
        }
    }
    let [entries, related, groups, pairs, orders, unstamped] = counts;
    Ok(PairingCounts {
        entries,
        related,
        groups,
        pairs,
        orders,
        unstamped,
    })
}
