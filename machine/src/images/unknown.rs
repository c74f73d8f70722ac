//! Images that the catalogue does not know: they have a userland, and what they run waits until it is stopped.

use super::{
    Image, Reference, userland,
    web::{resident, until},
};
use crate::{Ctx, Signal, kernel::Program};

pub(super) const PROGRAMS: &[(&str, Program)] = &[("unknown", |ctx| Box::pin(main(ctx)))];

async fn main(ctx: Ctx) -> i32 {
    let shown = ctx.args().join(" ");
    match ctx.reside(resident(shown, 8 << 20, until(&[Signal::INT, Signal::TERM, Signal::QUIT], 0))).await {}
}

pub(super) fn image(of: &Reference) -> Option<Image> {
    Some(any(of))
}

/// What an image nobody knows is taken for.
pub(super) fn any(of: &Reference) -> Image {
    let path = format!("/usr/local/bin/{}", of.name);
    let files = [userland::program(&path, "unknown"), userland::program("/bin/bash", "bash")];
    Image::new(userland::with(&userland::base(), files), &[&path], &[]).resting(0)
}
