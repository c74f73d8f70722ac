//! `mktemp`: makes a file, or a directory, with a name nobody has.

use super::hand::{Outcome, Stop, Usage, fail, join};
use crate::{Ctx, Errno, files::Open};

const USAGE: Usage = Usage::short("[-dt] [-p DIR] [TEMPLATE]", "dqtp:u");
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 0, 1).await?;
    let folder = given.value('p').or(ctx.var("TMPDIR")).unwrap_or("/tmp").to_owned();
    let template = match given.operands.first() {
        Some(name) if given.has('t') || given.has('p') => join(&folder, name),
        Some(name) => name.clone(),
        None => join(&folder, "tmp.XXXXXX"),
    };
    let stem = template.trim_end_matches('X');
    let count = template.len() - stem.len();
    if count < 6 {
        return Err(fail(&ctx, format!("(null): {}", Errno::EINVAL)).await);
    }
    loop {
        let mut bits = ctx.random();
        let letters: String = (0..count)
            .map(|_| {
                let letter = LETTERS[(bits % 62) as usize];
                bits = (bits / 62) ^ (bits << 57);
                char::from(letter)
            })
            .collect();
        let path = format!("{stem}{letters}");
        let made = if given.has('u') {
            Ok(())
        } else if given.has('d') {
            ctx.mkdir(&path, 0o700)
        } else {
            match ctx.open(&path, Open { create: Some(0o600), ..Open::NEW }).await {
                Ok(fd) => ctx.close(fd),
                Err(errno) => Err(errno),
            }
        };
        match made {
            Err(Errno::EEXIST) => {}
            Err(_) if given.has('q') => return Err(Stop::Exit(1)),
            Err(errno) => return Err(fail(&ctx, format!("{template}: {errno}")).await),
            Ok(()) => {
                ctx.out(format!("{path}\n")).await.map_err(Stop::Output)?;
                return Ok(0);
            }
        }
    }
}
