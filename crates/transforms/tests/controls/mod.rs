//! Pipeline B: each control over small tables, and B-1/B-2 against a model over random histories.
//! Holds lakehouse contract 4, Pipeline B.

mod chain;
mod edges;
mod model;
mod operations;
mod run;
mod verdicts;
