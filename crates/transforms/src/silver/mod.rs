//! Pipeline Silver: Bronze rows to contract rows, quarantined rows and collapsed duplicates
//! (lakehouse contract 3).
//!
//! For each source one plan emits every Bronze row of the selection exactly once, classified: a Silver row, a
//! duplicate of a newer row of the same key, or a quarantined row with its reason. The three counts add up to
//! the lines read, by construction.

mod check;
mod checked_columns;
mod classify;
mod conflict;
mod named_order;
mod of_keys;
mod plan_columns;
mod record;
mod source_plan;
mod text_key;

pub use classify::{Kind, Selection, classified, repeated_keys};
pub use conflict::{conflicts_among_copies, disagreeing_with_stored};
pub use named_order::{OF_ORDER, with_named_orders};
pub use of_keys::{classified_copies, copies_of, keys_of, silver_columns};
pub use plan_columns::key_column;
pub use source_plan::{PLANS, SourcePlan, plan_of};
pub use text_key::text_key;

use datafusion::prelude::SessionContext;

/// Registers the functions the Silver plans use (those of [`crate::functions`] as well).
pub fn register(ctx: &SessionContext) {
    crate::functions::register(ctx);
    check::register(ctx);
    record::register(ctx);
    text_key::register(ctx);
}
