//! What the process says about itself, seen from outside: the text Prometheus reads, the protobuf a collector
//! gets, the side port.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod metric_names;
mod otlp;
mod side_port;
mod values;
mod wire;
