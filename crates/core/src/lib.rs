//! The vocabulary of the controls: exact money, the KST business day, UTC windows, entry signs, run ids
//! and the clock. No I/O and no runtime: every other crate may depend on this one.

mod clock;
mod entry;
mod error_code;
mod ids;
mod money;
mod near;
mod operator_message;
mod position;
mod time;
mod words;

pub use clock::{Clock, FixedClock, SystemClock};
pub use entry::sign_of;
pub use error_code::{ErrorCode, ExitStatus, OperatorError};
pub use ids::{InvalidId, LoadId, RunId};
pub use money::{Money, MoneyError};
pub use near::{near, nearest};
pub use operator_message::OperatorMessage;
pub use position::{push_source_position, source_position};
pub use time::{DateKst, InvalidTime, MICROS_PER_DAY, MICROS_PER_SECOND, UtcMicros, UtcWindow};
pub use words::Words;

/// True for what the contract calls "missing" in a text field: empty or all blank (null is the caller's).
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_whitespace()) || text.chars().all(char::is_whitespace)
}
