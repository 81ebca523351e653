//! One module per command: its flags, and a thin handler that calls the libraries and prints. The commands of a half
//! stand together, for a build may carry one half alone (features `lakehouse` and `serving`).

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod explain;
#[cfg(feature = "lakehouse")]
pub(crate) mod lakehouse;
pub(crate) mod man;
pub(crate) mod metrics;
pub(crate) mod sample;
#[cfg(feature = "serving")]
pub(crate) mod serving;
