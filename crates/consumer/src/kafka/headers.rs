//! The correlation id that came with a message.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nsc_telemetry::CorrelationId;
use nsc_telemetry::correlation::CORRELATION_HEADER;
use rdkafka::message::{BorrowedMessage, Headers, Message};

/// The first well-formed one among the headers.
pub(crate) fn correlation_id(message: &BorrowedMessage<'_>) -> Option<CorrelationId> {
    let headers = message.headers()?;
    (0..headers.count()).find_map(|at| {
        // The library panics on a header whose name is not UTF-8. Such a message must neither end the process nor
        // block its partition: the header is none of ours.
        let header = catch_unwind(AssertUnwindSafe(|| headers.try_get(at))).ok()??;
        let ours = header.key.eq_ignore_ascii_case(CORRELATION_HEADER);
        ours.then_some(header.value)
            .flatten()
            .and_then(CorrelationId::parse)
    })
}
