//! The checks of xtask: each rule on small examples, and all of them on this very tree.

mod circles;
mod contracts;
mod layers;
mod tidy;
