//! The allocator: faster than the system's under many threads.

use std::time::Duration;

use libmimalloc_sys::{mi_option_set, mi_option_t};
use mimalloc::MiMalloc;

use crate::args::Command;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, which the bindings leave out. Part of the library's stable interface.
const PURGE_DELAY: mi_option_t = 15;
/// Never.
const NO_PURGE: std::ffi::c_long = -1;
/// The library's own delay, in milliseconds.
const DEFAULT: std::ffi::c_long = 1000;
/// A job that has held so much gives back what it does not use.
const LARGE: u64 = 3 << 29;
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// A job takes tables through memory and ends: what it has used once stays with it until then. Giving pages back and
/// having them zeroed again is up to a sixth of a day's time otherwise. Not so once it has grown large, because its steps
/// differ in what they need: a day of ten million entries would hold 4.5 GB, and holds 3.6. What keeps running gives
/// pages back from the start.
pub(crate) fn suit(command: &Command) {
    if is_a_job(command) {
        set_purge_delay(NO_PURGE);
        // Without the thread, everything is kept.
        let _ = std::thread::Builder::new()
            .name("nsc-memory".to_owned())
            .spawn(|| {
                while nsc_telemetry::peak_memory_bytes().is_some_and(|peak| peak < LARGE) {
                    std::thread::sleep(LOOK);
                }
                set_purge_delay(DEFAULT);
            });
    }
}

#[cfg(feature = "lakehouse")]
const fn is_a_job(command: &Command) -> bool {
    matches!(command, Command::Lakehouse(command) if command.is_a_job())
}

#[cfg(not(feature = "lakehouse"))]
const fn is_a_job(_: &Command) -> bool {
    false
}

fn set_purge_delay(milliseconds: std::ffi::c_long) {
    #[expect(
        unsafe_code,
        reason = "the bindings know no other way; the value is a plain number"
    )]
    // SAFETY: sets one aligned number of the library's table of options, which the library reads by itself each time;
    // whoever frees memory meanwhile sees the old or the new one, and either is right.
    unsafe {
        mi_option_set(PURGE_DELAY, milliseconds);
    }
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    #[test]
    #[expect(unsafe_code, reason = "as above")]
    fn the_option_is_the_delay_before_pages_are_given_back() {
        // SAFETY: reads one number. A thousand milliseconds is the library's default for this option alone.
        assert_eq!(unsafe { mi_option_get(super::PURGE_DELAY) }, super::DEFAULT);
    }
}
