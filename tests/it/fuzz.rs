//! The fuzz targets, each tried on a bounded number of inputs. `fuzz/README.md` says how to try more.

use mini_tests::fuzz::{TARGETS, bounded};

/// A test for each target, and how many inputs it tries.
macro_rules! tried {
    ($($name:ident $runs:literal)+) => {
        $(#[test]
        fn $name() {
            let target = TARGETS.iter().find(|target| target.name == stringify!($name)).expect("a target");
            bounded(target, $runs);
        })+

        #[test]
        fn every_target_is_tried() {
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), [$(stringify!($name)),+]);
        }
    };
}
tried! { quantities 20_000 selectors 20_000 names 20_000 patches 3_000 defaults 3_000 bodies 150 requests 2_000 writes 600 }
