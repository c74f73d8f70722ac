//! See `tests/src/fuzz/writes.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mini_tests::fuzz::run("writes", input));
