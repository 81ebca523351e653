//! Files in, Bronze tables out, through a real lake on disk.

mod columns;
mod identity;
mod inputs;
mod support;
