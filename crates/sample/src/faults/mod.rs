//! The fault mix: what can go wrong, when it does, and the record of all that did.

mod catalogue;
mod day_end;
mod entries;
mod journal;
mod orders;
mod schedule;

pub(crate) use catalogue::{Fault, Target};
pub(crate) use journal::{Controls, Detail, GapNote, Injection, Journal};
pub(crate) use schedule::FaultQueue;
