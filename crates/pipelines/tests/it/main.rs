//! The pipelines in process, over storage that fails on purpose.

mod dying_store;
mod single_flight;
mod story;
