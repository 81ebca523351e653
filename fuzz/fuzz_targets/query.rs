//! Ids in the path, the query of a wallet's list, cursors.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target};
use nsc_fuzz::mutation::{Words, mutate, words};

static WORDS: Words = Words::new(|| words(include_str!("../dictionaries/query.dict")));

fuzz_target!(|data: &[u8]| -> Corpus { nsc_fuzz::query::check(data).kept(data) });

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(&WORDS, data, size, max_size, seed)
});
