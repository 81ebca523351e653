//! What librdkafka says, in our log.

use rdkafka::config::RDKafkaLogLevel;

/// Logs a line of the library under the target `librdkafka`.
pub fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    // librdkafka tries again by itself: none of its errors is the end of ours.
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}
