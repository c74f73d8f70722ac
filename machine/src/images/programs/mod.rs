//! Programs that several images have and busybox has not.

pub(crate) mod curl;
mod perl;
pub(crate) mod pi;
mod python;
mod stress;

use crate::{applets::hand::end, kernel::Program};

/// These programs, by name.
pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("curl", |ctx| Box::pin(end(ctx.clone(), curl::main(ctx)))),
    ("perl", |ctx| Box::pin(end(ctx.clone(), perl::main(ctx)))),
    ("python", |ctx| Box::pin(end(ctx.clone(), python::main(ctx)))),
    ("stress", |ctx| Box::pin(end(ctx.clone(), stress::main(ctx)))),
];
