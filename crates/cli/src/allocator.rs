//! The allocator: faster than the system's under many threads.

use libmimalloc_sys::{mi_option_set, mi_option_t};
use mimalloc::MiMalloc;

use crate::args::Command;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, which the bindings leave out. Part of the library's stable interface.
const PURGE_DELAY: mi_option_t = 15;
/// Never.
const NO_PURGE: std::ffi::c_long = -1;

/// An ingest takes a stream through a bounded memory and ends: what it has used once stays with it until then, because
/// giving pages back and having them zeroed again costs time. A run's steps differ in what they need: with what the others
/// had used, a day of ten million entries held 4.5 GB at once; giving pages back after a second it holds 3.5.
pub(crate) fn suit(command: &Command) {
    if matches!(command, Command::Ingest(_)) {
        #[expect(
            unsafe_code,
            reason = "the bindings know no other way; the value is a plain number"
        )]
        // SAFETY: sets one number of the library's table of options; no other thread of ours runs yet.
        unsafe {
            mi_option_set(PURGE_DELAY, NO_PURGE);
        }
    }
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    #[test]
    #[expect(unsafe_code, reason = "as above")]
    fn the_option_is_the_delay_before_pages_are_given_back() {
        // SAFETY: reads one number. A thousand milliseconds is the library's default for this option alone.
        assert_eq!(unsafe { mi_option_get(super::PURGE_DELAY) }, 1000);
    }
}
