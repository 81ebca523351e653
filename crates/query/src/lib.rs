//! Questions to a lakehouse in SQL: one query at a time, which changes nothing, reads nothing but the lake, and is answered
//! exactly or not at all.
//!
//! [`Engine`] is a session over a lake. Tables are opened when a statement names them, at their newest version or as they
//! were (`version_of`, `as_of`, `as_of_run`).

mod catalog;
mod engine;
mod error;
mod exact;
mod in_order;
mod look_log;
mod split;
mod statement;
mod time_travel;

pub use catalog::OPEN_FINDINGS;
pub use engine::{Engine, RowStream, Rows};
pub use error::QueryError;
pub use look_log::LookLog;
pub use split::{has_code, split, statements};
