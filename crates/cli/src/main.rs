//! `nsc`: the command line of the lakehouse. It parses, wires and prints; what is done lives in the libraries.

#![cfg_attr(
    not(all(feature = "lakehouse", feature = "serving")),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        reason = "what the two halves share is whole in either"
    )
)]

mod allocator;
mod app;
mod args;
mod arguments;
mod build;
mod commands;
mod config;
mod dispatch;
mod environment;
mod error_pages;
mod failure;
mod failure_text;
mod global_args;
mod language;
#[cfg(feature = "lakehouse")]
mod machine_user;
mod new_file;
mod output;
mod progress;
mod signals;
mod start;
mod suggested;
mod terminal;

fn main() -> std::process::ExitCode {
    start::start()
}
