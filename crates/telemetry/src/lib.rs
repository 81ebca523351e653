//! What a process says about itself: its log (on stderr, never on stdout) and the memory it took.

mod log;
mod memory;

pub use log::{LogError, LogFormat, LogOptions, init, init_with_writer};
pub use memory::peak_memory_bytes;
