//! `busybox`: all programs under one name.

use super::{
    APPLETS,
    hand::{BANNER, Outcome, Stop},
};
use crate::{Ctx, shell::SHELL};

/// The names of all programs, in order.
fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        APPLETS.iter().copied().flatten().chain(SHELL).map(|(name, _)| *name).filter(|name| *name != "bash").collect();
    names.sort_unstable();
    names
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let args = ctx.args().get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        None | Some("--help") => {
            let list = names().join(", ");
            let text = format!(
                "{BANNER}\n\nUsage: busybox [function [arguments]...]\n   or: busybox --list[-full]\n   or: function [arguments]...\n\nCurrently defined functions:\n\t{list}\n"
            );
            ctx.out(text).await.map_err(Stop::Output)?;
            Ok(0)
        }
        Some("--list") => {
            ctx.out(names().iter().map(|name| format!("{name}\n")).collect::<String>()).await.map_err(Stop::Output)?;
            Ok(0)
        }
        Some("--list-full") => {
            ctx.out(names().iter().map(|name| format!("bin/{name}\n")).collect::<String>()).await.map_err(Stop::Output)?;
            Ok(0)
        }
        Some(called) => {
            let name = called.rsplit('/').next().unwrap_or(called);
            match ctx.program(name).filter(|_| names().contains(&name)) {
                Some(program) => {
                    let inner = ctx.with_args(args.to_vec());
                    // One that calls itself again and again must not need all of the stack.
                    match ctx.deeper(program(inner)).await {
                        Ok(code) => Ok(code),
                        Err(_) => Ok(1),
                    }
                }
                None => {
                    ctx.err(format!("{name}: applet not found\n")).await;
                    Ok(127)
                }
            }
        }
    }
}
