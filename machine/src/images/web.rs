//! What the programs of web servers have in common: a process that is a resident, and a port it answers at.

use std::{net::SocketAddr, sync::Arc};

use futures::future::BoxFuture;

use crate::{
    Ctx, Errno, Signal,
    applets::hand::http::{Answer, Asked, serve},
    kernel::{React, Reaction, Resident},
};

/// Answers requests to a port with a function.
pub(super) fn listen<F>(ctx: &Ctx, port: u16, answer: F) -> Result<(), Errno>
where
    F: Fn(Ctx, Option<Asked>) -> BoxFuture<'static, Answer> + Send + Sync + 'static,
{
    let handler = Arc::new(answer);
    ctx.serve(SocketAddr::from(([0, 0, 0, 0], port)), move |ctx, connection| Box::pin(serve(ctx, connection, handler.clone())))
}

/// Becomes another program, found in `PATH`; returns why it could not.
pub(super) async fn replace(ctx: &Ctx, args: Vec<String>) -> Errno {
    let Some(name) = args.first() else { return Errno::ENOENT };
    match ctx.find(name, ctx.var("PATH").unwrap_or("/bin:/usr/bin")) {
        Ok(file) => ctx.exec(&file, args, ctx.env().to_vec()).await,
        Err(errno) => errno,
    }
}

/// A process that exits with this code at any of these signals.
pub(super) fn until(signals: &'static [Signal], code: u8) -> Reaction {
    Arc::new(move |signal| if signals.contains(&signal) { React::Exit(code) } else { React::Default })
}

/// A resident without children.
pub(super) fn resident(args: impl Into<String>, memory: u64, reacts: Reaction) -> Resident {
    Resident { args: vec![args.into()], uid: None, memory, reacts, children: Vec::new() }
}
