//! `nsc`: the command line of the lakehouse. It parses, wires and prints; what is done lives in the libraries.

mod app;
mod args;
mod commands;
mod config;
mod environment;
mod failure;
mod failure_text;
mod output;
mod progress;
mod start;
mod terminal;

/// Faster than the system's allocator under many threads, and it returns memory to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    start::start()
}
