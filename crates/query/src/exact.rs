//! Arithmetic and comparisons of an operator's SQL: exact, or an error; and a number is never taken for a date.
//!
//! The engine's own answers here are wrong without a word: a sum past 38 digits wraps, so does an integer past 64 bits, a product of 39 digits is printed as 38,
//! and `date_kst = 20260105` asks for the 20,260,105th day since 1970, of which there are no rows
//! (docs/decisions/0031).

mod arithmetic;
mod conversion;
mod dates;
mod rewriting;
mod texts;

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use nsc_transforms::functions::register_exact_aggregates;

/// Makes a session answer exactly.
pub(crate) fn register(ctx: &SessionContext) {
    register_exact_aggregates(ctx);
    // They look at types as the engine has settled them, so they come after its own rules.
    ctx.add_analyzer_rule(Arc::new(dates::NumbersAreNoDates));
    ctx.add_analyzer_rule(Arc::new(texts::ExactTexts));
    ctx.add_analyzer_rule(Arc::new(arithmetic::CheckedArithmetic));
}
