//! The checks behind `cargo run -p xtask`, as a library so that the tests run the same ones.

pub mod circles;
pub mod clauses;
pub mod dbt;
pub mod doc_names;
pub mod finding;
pub mod layers;
pub mod site;
pub mod subjects;
pub mod tidy;
pub mod tree;
