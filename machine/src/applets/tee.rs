//! `tee`: what comes goes to several places.

use super::hand::{Input, Outcome, Stop, Usage, complain};
use crate::{Ctx, Signal, files::Open, kernel::Disposition};

const USAGE: Usage = Usage::short("[-ai] [FILE]...", "ia");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    if given.has('i') {
        let _ = ctx.set_disposition(Signal::INT, Disposition::Ignore);
    }
    let how = if given.has('a') { Open::APPEND } else { Open::WRITE };
    let mut code = 0;
    let mut to = vec![("standard output".to_owned(), 1)];
    for file in &given.operands {
        match ctx.open(file, how).await {
            Ok(fd) => to.push((file.clone(), fd)),
            Err(errno) => {
                complain(&ctx, format!("{file}: {errno}")).await;
                code = 1;
            }
        }
    }
    let mut input = Input::open(&ctx, "-").await.map_err(Stop::Input)?;
    loop {
        let piece = input.piece(usize::MAX).await.map_err(Stop::Input)?;
        if piece.is_empty() {
            return Ok(code);
        }
        let mut failed = Vec::new();
        for (at, (file, fd)) in to.iter().enumerate() {
            if let Err(errno) = ctx.write_all(*fd, &piece).await {
                complain(&ctx, format!("{file}: {errno}")).await;
                failed.push(at);
                code = 1;
            }
        }
        failed.into_iter().rev().for_each(|at| drop(to.remove(at)));
    }
}
