//! Running another program in place of this one, or as a child.

use super::{complain, stop::Stop};
use crate::{
    Ctx, Errno,
    kernel::{Pid, Spawn},
};

/// The code of a program that is not there, or cannot be run.
fn code(errno: Errno) -> i32 {
    if errno == Errno::ENOENT { 127 } else { 126 }
}

/// Becomes another program, found in `PATH`, with an environment; returns only if it cannot, which is said.
pub(crate) async fn execute(ctx: &Ctx, args: &[String], env: Vec<(String, String)>) -> Stop {
    let Some(name) = args.first() else { return Stop::Exit(0) };
    let path = env.iter().rev().find(|(name, _)| name == "PATH").map_or("/sbin:/usr/sbin:/bin:/usr/bin", |(_, path)| path);
    let errno = match ctx.find(name, path) {
        Ok(file) => ctx.exec(&file, args.to_vec(), env.clone()).await,
        Err(errno) => errno,
    };
    complain(ctx, format!("can't execute '{name}': {errno}")).await;
    Stop::Exit(code(errno))
}

/// Starts another program as a child; if it cannot, says so and answers its code.
pub(crate) async fn started(ctx: &Ctx, spawn: Spawn) -> Result<Pid, Stop> {
    let file = spawn.file.clone();
    match ctx.spawn(spawn) {
        Ok(pid) => Ok(pid),
        Err(errno) => {
            complain(ctx, format!("can't execute '{file}': {errno}")).await;
            Err(Stop::Exit(code(errno)))
        }
    }
}
