//! The checks of xtask: each rule on small examples, and all of them on this very tree.

mod circles;
mod clauses;
mod contracts;
mod doc_names;
mod layers;
mod subjects;
mod tidy;
