//! The correlation id that came with a message.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use nsc_telemetry::CorrelationId;
use nsc_telemetry::correlation::CORRELATION_HEADERS;
use rdkafka::message::{BorrowedMessage, Headers, Message};

/// The well-formed one under the first of our names that has one.
#[must_use]
pub fn correlation_id(message: &BorrowedMessage<'_>) -> Option<CorrelationId> {
    CORRELATION_HEADERS
        .into_iter()
        .find_map(|name| named(message, name))
}

fn named(message: &BorrowedMessage<'_>, name: &str) -> Option<CorrelationId> {
    let headers = message.headers()?;
    (0..headers.count()).find_map(|at| {
        let header = quietly(|| headers.try_get(at))??;
        let ours = header.key.eq_ignore_ascii_case(name);
        ours.then_some(header.value)
            .flatten()
            .and_then(CorrelationId::parse)
    })
}

thread_local! {
    /// A panic of this thread is expected, and no news.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// The library panics on a header whose name is not UTF-8. Such a message must neither end the process nor block its
/// partition nor be told as a defect: the header is none of ours.
fn quietly<T>(read: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let tell = take_hook();
        set_hook(Box::new(move |panic| {
            if !EXPECTED.get() {
                tell(panic);
            }
        }));
    });
    EXPECTED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(read));
    EXPECTED.set(false);
    outcome.ok()
}
