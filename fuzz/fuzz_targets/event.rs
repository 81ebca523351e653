//! Messages of the two topics, and the amounts and times in them.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target};
use nsc_fuzz::mutation::{Words, mutate, words};

static WORDS: Words = Words::new(|| words(include_str!("../dictionaries/event.dict")));

fuzz_target!(|data: &[u8]| -> Corpus { nsc_fuzz::event::check(data).kept(data) });

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(&WORDS, data, size, max_size, seed)
});
