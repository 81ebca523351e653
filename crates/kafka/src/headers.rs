//! The correlation id that came with a message.

use std::panic::{AssertUnwindSafe, catch_unwind};

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
        // The library panics on a header whose name is not UTF-8. Such a message must neither end the process nor
        // block its partition: the header is none of ours.
        let header = catch_unwind(AssertUnwindSafe(|| headers.try_get(at))).ok()??;
        let ours = header.key.eq_ignore_ascii_case(name);
        ours.then_some(header.value)
            .flatten()
            .and_then(CorrelationId::parse)
    })
}
