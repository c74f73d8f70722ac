//! The files that most images begin with: a userland of busybox.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    applets::APPLETS,
    files::{Device, Image, Item},
    kernel::executable,
    shell::SHELL,
};

/// Users as busybox' image has them.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nbin:x:2:2:bin:/bin:/bin/false\nsys:x:3:3:sys:/dev:/bin/false\n\
                      www-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n";
const GROUP: &str = "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nwww-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n";

/// When all images were built, as far as they tell.
pub(super) const BUILT: Timestamp = Timestamp::constant(1_704_067_200, 0);

static BUSYBOX: LazyLock<Arc<Image>> = LazyLock::new(|| built(&Image::empty(), busybox()));

/// The files of busybox' image.
pub(super) fn base() -> Arc<Image> {
    BUSYBOX.clone()
}

/// These files over an image.
pub(super) fn with(image: &Arc<Image>, items: impl IntoIterator<Item = Item>) -> Arc<Image> {
    built(image, items)
}

/// A program in a file of its own.
pub(super) fn program(path: &str, name: &str) -> Item {
    Item::file(path, 0o755, executable(name))
}

fn built(image: &Arc<Image>, items: impl IntoIterator<Item = Item>) -> Arc<Image> {
    // The catalogue's own test makes every image: what is in the way of another thing is seen there.
    image.extended(items, BUILT).unwrap_or_else(|trouble| panic!("the catalogue cannot put {trouble}"))
}

fn busybox() -> Vec<Item> {
    let directories =
        ["/dev", "/etc", "/home", "/proc", "/root", "/sys", "/usr/bin", "/usr/sbin", "/var/log", "/var/run", "/var/spool", "/var/www"];
    let mut items: Vec<Item> = directories.map(|path| Item::directory(path, 0o755)).into();
    items.extend(["/tmp", "/var/tmp"].map(|path| Item::directory(path, 0o1777)));
    items.extend(
        [("passwd", PASSWD), ("group", GROUP), ("hosts", ""), ("hostname", ""), ("resolv.conf", "")]
            .map(|(name, text)| Item::file(format!("/etc/{name}"), 0o644, Bytes::from_static(text.as_bytes()))),
    );
    let names = APPLETS.iter().copied().flatten().chain(SHELL).map(|(name, _)| *name).filter(|name| *name != "bash");
    items.extend(names.map(|name| program(&format!("/bin/{name}"), name)));
    items.extend([Item::symlink("/usr/bin/env", "/bin/env")]);
    items.extend(devices());
    items.push(Item::directory("/dev/shm", 0o1777));
    items
}

/// What a runtime puts into `/dev` of every container.
#[must_use]
pub fn devices() -> Vec<Item> {
    let devices = [
        ("null", Device::Null),
        ("zero", Device::Zero),
        ("full", Device::Full),
        ("random", Device::Random),
        ("urandom", Device::Random),
        ("tty", Device::Terminal),
    ];
    let mut items: Vec<Item> = devices.map(|(name, device)| Item::device(format!("/dev/{name}"), 0o666, device)).into();
    items.extend(
        [("stdin", "0"), ("stdout", "1"), ("stderr", "2")]
            .map(|(name, fd)| Item::symlink(format!("/dev/{name}"), format!("/proc/self/fd/{fd}"))),
    );
    items.push(Item::symlink("/dev/fd", "/proc/self/fd"));
    items
}
