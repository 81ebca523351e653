//! The serving half as an operator meets it: the real binary, a real PostgreSQL and a real broker, all on loopback.

mod end_to_end;
mod http;
mod killed;
mod operated;
pub(crate) mod process;
mod refusals;
mod secrets;
mod secured;
mod stopped;
mod story;
mod together;
mod unwritable_log;
mod world;
