//! What a process says about itself: its log (on stderr, never on stdout), its metrics, the ids that tie
//! both to one request or event, and the memory it took.

mod best_effort;
pub mod correlation;
mod json_line;
mod log;
mod memory;
pub mod metrics;
pub mod serve;

pub use correlation::{CorrelationId, TraceParent};
pub use log::{LogError, LogFormat, LogOptions, SERVICE, init, init_with_writer, is_filter_for};
pub use memory::peak_memory_bytes;
pub use metrics::{
    ApiMetrics, ConsumerMetrics, DbMetrics, Metrics, MetricsError, MetricsOptions, PairingMetrics,
};
