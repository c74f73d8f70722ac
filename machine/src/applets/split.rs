//! `split`: one file as several.

use super::hand::{Input, Outcome, Stop, Usage, fail, suffixed};
use crate::{Ctx, files::Open, kernel::Fd};

const USAGE: Usage = Usage::short("[OPTIONS] [INPUT [PREFIX]]", "b:l:a:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 0, 2).await?;
    let by_bytes = given.last_of("bl") == Some('b');
    let text = given.value(if by_bytes { 'b' } else { 'l' }).unwrap_or("1000");
    let Some(count) = suffixed(text).filter(|count| *count > 0) else { return Err(fail(&ctx, format!("invalid number '{text}'")).await) };
    let letters: usize = given.value('a').and_then(|text| text.parse().ok()).unwrap_or(2).min(8);
    let file = given.operands.first().map_or("-", String::as_str);
    let prefix = given.operands.get(1).map_or("x", String::as_str);
    let mut input = match Input::open(&ctx, file).await {
        Ok(input) => input,
        Err(errno) => return Err(fail(&ctx, format!("can't open '{file}': {errno}")).await),
    };
    let (mut part, mut left, mut open): (u64, u64, Option<Fd>) = (0, 0, None);
    loop {
        let most = usize::try_from(if left == 0 { count } else { left }).unwrap_or(usize::MAX);
        let bytes = if by_bytes {
            input.piece(most).await.map_err(Stop::Input)?
        } else {
            input.line().await.map_err(Stop::Input)?.unwrap_or_default()
        };
        if bytes.is_empty() {
            return Ok(0);
        }
        if left == 0 {
            if let Some(fd) = open.take() {
                let _ = ctx.close(fd);
            }
            let mut number = part;
            let mut suffix = vec![b'a'; letters];
            for letter in suffix.iter_mut().rev() {
                *letter += (number % 26) as u8;
                number /= 26;
            }
            if number > 0 {
                return Err(fail(&ctx, "suffixes exhausted").await);
            }
            let name = format!("{prefix}{}", String::from_utf8_lossy(&suffix));
            match ctx.open(&name, Open::WRITE).await {
                Ok(fd) => open = Some(fd),
                Err(errno) => return Err(fail(&ctx, format!("can't open '{name}': {errno}")).await),
            }
            part += 1;
            left = count;
        }
        left -= if by_bytes { bytes.len() as u64 } else { 1 };
        if let Some(fd) = open {
            ctx.write_all(fd, &bytes).await.map_err(Stop::Output)?;
        }
    }
}
