//! Time, randomness and ids: the only place that asks the machine for any of them.
//!
//! Everything else takes time from [`now`] and waits with `tokio::time`; random bits, UIDs and name suffixes come from one
//! source that [`seed`] makes repeatable. That is what lets a virtual clock and a replay exist at all.

use std::sync::LazyLock;

use jiff::Timestamp;
use parking_lot::Mutex;
use rand::{RngCore, SeedableRng, rngs::SmallRng};

/// The letters of generated names: upstream's `rand.String` alphabet, which has no vowels and so spells no words.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

static SOURCE: LazyLock<Mutex<SmallRng>> = LazyLock::new(|| Mutex::new(SmallRng::from_os_rng()));

/// The present moment.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Makes every later random number, UID and suffix of this process a function of `seed`.
pub fn seed(seed: u64) {
    *SOURCE.lock() = SmallRng::seed_from_u64(seed);
}

/// 64 random bits.
#[must_use]
pub fn random() -> u64 {
    SOURCE.lock().next_u64()
}

/// A random (version 4) UUID in its usual text form.
#[must_use]
pub fn uuid() -> String {
    let mut bytes = [0; 16];
    SOURCE.lock().fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// `length` random characters as upstream appends them to generated names.
#[must_use]
pub fn suffix(length: usize) -> String {
    let mut source = SOURCE.lock();
    (0..length).map(|_| char::from(ALPHABET[source.next_u32() as usize % ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_use_the_upstream_alphabet() {
        let name = suffix(200);
        assert_eq!(name.len(), 200);
        assert!(name.bytes().all(|byte| ALPHABET.contains(&byte)));
    }

    #[test]
    fn uuids_are_version_4() {
        let id = uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert_ne!(id, uuid());
    }
}
