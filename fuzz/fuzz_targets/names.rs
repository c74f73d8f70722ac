//! See `tests/src/fuzz/names.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mini_tests::fuzz::run("names", input));
