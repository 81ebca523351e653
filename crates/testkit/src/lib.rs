//! What tests need and the product must not have: an object store that dies at a chosen write.

mod fault_store;

pub use fault_store::{FaultPlan, FaultStore};
