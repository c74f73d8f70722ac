//! What a hostile or unlucky client may send, and what must hold of it whatever it is.
//!
//! A target is a plain function of some bytes that panics when a promise is broken. The bytes are no text but choices: an input
//! that is a little longer is an object that is a little stranger, and one that has run out chooses what is simplest. So
//! libFuzzer (`fuzz/`) can grow them, and a normal test runs each on a bounded number of them made from a seed ([`bounded`]).

use std::fmt::Write as _;

use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};

mod bodies;
mod defaults;
mod dice;
mod names;
mod objects;
mod patches;
mod quantities;
mod requests;
mod selectors;
mod server;
mod writes;

/// One promise, or a few about the same thing.
#[derive(Clone, Copy)]
pub struct Target {
    /// What it is called, here and in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Tries an input; panics when a promise is broken.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident)+) => {
        /// All targets.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), run: $name::run }),+];
    };
}
targets! { quantities selectors names patches defaults bodies requests writes }

/// Tries one input of the target of that name.
///
/// # Panics
/// When a promise is broken, or there is no such target.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("no target {name}"));
    (target.run)(input);
}

/// The seed of a normal run, unless `MINI_FUZZ_SEED` names another.
const SEED: u64 = 1;
/// The longest input of a normal run, in bytes.
const LONGEST: usize = 512;

/// Says which input it was when a target panics.
struct Trying<'a> {
    target: &'a Target,
    seed: u64,
    input: &'a [u8],
}

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex = self.input.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            eprintln!("{} broke on the input of MINI_FUZZ_SEED={} MINI_FUZZ_RUNS=1: {hex}", self.target.name, self.seed);
        }
    }
}

/// Tries a target on `runs` inputs, or as many as `MINI_FUZZ_RUNS` says. Each is made from a seed of its own, so that one can be
/// tried again alone.
///
/// # Panics
/// When a promise is broken; it prints the seed and the bytes of the input.
pub fn bounded(target: &Target, runs: u64) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (first, runs) = (number("MINI_FUZZ_SEED").unwrap_or(SEED), number("MINI_FUZZ_RUNS").unwrap_or(runs));
    for seed in first..first.saturating_add(runs) {
        let mut random = StdRng::seed_from_u64(seed);
        // Short inputs as often as long ones: most that breaks is small.
        let most = random.random_range(0..=LONGEST.ilog2());
        let mut input = vec![0; random.random_range(0..=1 << most)];
        random.fill_bytes(&mut input);
        let trying = Trying { target, seed, input: &input };
        (target.run)(trying.input);
    }
}
