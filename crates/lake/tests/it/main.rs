//! The lake against plain-map models, on real Delta tables.

mod log_growth;
mod upsert;
