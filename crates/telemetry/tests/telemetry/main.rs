//! What the process says about itself, seen from outside: the text Prometheus reads, the protobuf a collector
//! gets, the side port.

mod metric_names;
mod otlp;
mod side_port;
mod values;
mod wire;
