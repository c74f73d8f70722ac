//! The image that does nothing but wait.

use super::{
    Image, Reference, userland,
    web::{resident, until},
};
use crate::{Ctx, Signal, files, kernel::Program};

pub(super) const PROGRAMS: &[(&str, Program)] = &[("pause", |ctx| Box::pin(main(ctx)))];

async fn main(ctx: Ctx) -> i32 {
    match ctx.reside(resident("/pause", 1 << 20, until(&[Signal::INT, Signal::TERM], 0))).await {}
}

pub(super) fn image(of: &Reference) -> Option<Image> {
    let files = || userland::with(&files::Image::empty(), [userland::program("/pause", "pause")]);
    of.is("pause").then(|| Image { user: Some("65535:65535".to_owned()), ..Image::new(files(), &["/pause"], &[]).resting(0) })
}
