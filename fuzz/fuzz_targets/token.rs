//! The `Authorization` header, a token's header and its claims.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target};
use nsc_fuzz::mutation::{Words, mutate, words};

static WORDS: Words = Words::new(|| words(include_str!("../dictionaries/token.dict")));

fuzz_target!(|data: &[u8]| -> Corpus { nsc_fuzz::token::check(data).kept(data) });

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(&WORDS, data, size, max_size, seed)
});
