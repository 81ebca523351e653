//! What a finding follows from: its source rows, its numbers and its rule, as rows under titles.
//!
//! Nothing is computed again: an explanation is what the lake holds, found by the ids that a finding carries.

mod bad_record;
mod difference;
mod exception;
mod finder;
mod recon;
mod sections;
mod supply;
mod tx;

pub use bad_record::bad_record;
pub use difference::{Compared, computed, difference};
pub use exception::{Wanted, exceptions};
pub use recon::recon;
pub use sections::{Section, Sections};
pub use tx::tx;

use nsc_core::{ErrorCode, OperatorMessage};

/// There is nothing to explain.
fn nothing(what: String, hint: &str) -> OperatorMessage {
    OperatorMessage::new(ErrorCode::Usage, what).with_hint(hint)
}
