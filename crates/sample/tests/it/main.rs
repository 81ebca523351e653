//! The sample world's own promises: the same bytes for the same options, money that adds up, and a
//! ledger of faults that says what is on which line.

#[cfg(test)]
mod determinism;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod options;
#[cfg(test)]
mod support;
