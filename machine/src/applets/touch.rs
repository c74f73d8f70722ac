//! `touch`: makes files, and says when they were changed.

use super::hand::{Clock, Outcome, Usage, complain, fail, parse_time};
use crate::{Ctx, Errno, files::Open};

const USAGE: Usage = Usage {
    syntax: "[-cham] [-d DATE] [-t DATE] [-r FILE] FILE...",
    short: "cd:t:r:hamf",
    long: &[("no-create", 'c'), ("date", 'd'), ("reference", 'r'), ("no-dereference", 'h')],
};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let mut time = ctx.now();
    if let Some(file) = given.value('r') {
        match ctx.stat(file) {
            Ok(stat) => time = stat.modified,
            Err(errno) => return Err(fail(&ctx, format!("can't stat '{file}': {errno}")).await),
        }
    }
    if let Some(text) = given.value('d').or_else(|| given.value('t')) {
        match parse_time(&Clock::of(&ctx), text, ctx.now()) {
            Some(parsed) => time = parsed,
            None => return Err(fail(&ctx, format!("invalid date '{text}'")).await),
        }
    }
    let mut code = 0;
    for file in &given.operands {
        let touched = match ctx.touch(file, time) {
            Err(Errno::ENOENT) if given.has('c') => Ok(()),
            Err(Errno::ENOENT) => match ctx.open(file, Open { create: Some(0o666), ..Open::READ_WRITE }).await {
                Ok(fd) => ctx.close(fd).and_then(|()| ctx.touch(file, time)),
                Err(errno) => Err(errno),
            },
            touched => touched,
        };
        if let Err(errno) = touched {
            complain(&ctx, format!("{file}: {errno}")).await;
            code = 1;
        }
    }
    Ok(code)
}
