//! See `tests/src/fuzz/quantities.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mini_tests::fuzz::run("quantities", input));
