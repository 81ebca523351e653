//! Files in, Bronze tables out, through a real lake on disk.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod columns;
mod identity;
mod inputs;
mod other_table;
mod support;
