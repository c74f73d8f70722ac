//! Images of languages, whose programs know what labs run, and `stress` in its two spellings.

use super::{Image, Reference, userland};
use crate::kernel::Program;

pub(super) const PROGRAMS: &[(&str, Program)] = &[];

pub(super) fn image(of: &Reference) -> Option<Image> {
    let with = |paths: &[(&str, &str)]| userland::with(&userland::base(), paths.iter().map(|(path, name)| userland::program(path, name)));
    Some(match of.name.as_str() {
        "perl" => {
            Image::new(with(&[("/usr/local/bin/perl", "perl"), ("/usr/bin/curl", "curl"), ("/bin/bash", "bash")]), &[], &["perl", "-de0"])
                .sized(336 << 20)
        }
        "python" => {
            let image = with(&[
                ("/usr/local/bin/python", "python"),
                ("/usr/local/bin/python3", "python"),
                ("/usr/bin/curl", "curl"),
                ("/bin/bash", "bash"),
            ]);
            Image::new(image, &[], &["python3"]).with_env(&[("PYTHON_VERSION", of.version("3.12.1"))]).sized(360 << 20)
        }
        // polinux/stress runs nothing by itself but has the program; vish/stress is the program.
        "stress" if of.home.ends_with("vish") => {
            Image::new(with(&[("/stress", "stress")]), &["/stress", "-logtostderr"], &[]).sized(2 << 20)
        }
        "stress" | "stress-ng" => Image::new(with(&[("/usr/local/bin/stress", "stress")]), &[], &["stress", "--help"]).sized(4 << 20),
        _ => return None,
    })
}
