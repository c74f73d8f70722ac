//! busybox, alpine and what is made of them: a shell, and nothing that runs by itself.

use super::{Image, Reference, userland};
use crate::{files::Item, kernel::Program};

pub(super) const PROGRAMS: &[(&str, Program)] = &[];

pub(super) fn image(of: &Reference) -> Option<Image> {
    let base = userland::base();
    Some(match of.name.as_str() {
        "busybox" => Image::new(base, &[], &["sh"]),
        // It has curl, nslookup and other things to look around with, and is meant to be talked with.
        "busyboxplus" => Image::new(userland::with(&base, [userland::program("/usr/bin/curl", "curl")]), &[], &["/bin/sh"]).sized(4 << 20),
        "alpine" => {
            let release = format!("{}.0\n", of.version("3.20"));
            let os = format!("NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID={}", release);
            let files = [Item::file("/etc/alpine-release", 0o644, release), Item::file("/etc/os-release", 0o644, os)];
            Image::new(userland::with(&base, files), &[], &["/bin/sh"])
        }
        "debian" | "ubuntu" | "centos" | "fedora" | "rockylinux" => {
            let os = format!("NAME=\"{0}\"\nID={0}\n", of.name);
            let files = [userland::program("/bin/bash", "bash"), Item::file("/etc/os-release", 0o644, os)];
            Image::new(userland::with(&base, files), &[], &["/bin/bash"])
        }
        "curl" if of.home.ends_with("curlimages") => {
            let files = userland::with(&base, [userland::program("/usr/bin/curl", "curl")]);
            Image { user: Some("100".to_owned()), ..Image::new(files, &["curl"], &["--help"]).sized(8 << 20) }
        }
        _ => return None,
    })
}
