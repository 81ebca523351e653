//! The pure computation of the pipelines: plan in, plan out. No I/O, no clock, no environment.
//!
//! Each output table is one function from tables registered in a session to a `DataFrame` with exactly the
//! contract's columns; SQL lives in `src/sql/`, one file per table with its grain, keys and contract clause.
//!
//! | module | pipeline |
//! |---|---|
//! | [`functions`] | the SQL functions all of them use; call [`functions::register`] on every session |
//! | [`rules`] | thresholds as exact decimals, severities |
//! | [`guardrail`] | A |
//! | [`controls`] | B |
//! | [`analytics`] | C |
//! | [`silver`] | Silver |
//! | [`vocabulary`] | the words of the sources, for all of them |

pub mod analytics;
pub mod controls;
mod error;
pub mod functions;
pub mod guardrail;
mod output;
pub mod rules;
pub mod silver;
pub mod vocabulary;

pub use error::TransformError;
pub use output::{Parameter, money};
