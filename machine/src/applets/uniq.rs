//! `uniq`: lines that are not like the one before.

use super::hand::{Input, Out, Outcome, Stop, Usage, fail};
use crate::{Ctx, files::Open};

const USAGE: Usage = Usage::short("[-cduiz] [-f,s,w N] [FILE [OUTFILE]]", "cdiuf:s:w:z");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 0, 2).await?;
    let mut numbers = [0, 0, usize::MAX];
    for (at, option) in ['f', 's', 'w'].into_iter().enumerate() {
        if let Some(text) = given.value(option) {
            match text.parse() {
                Ok(number) => numbers[at] = number,
                Err(_) => return Err(fail(&ctx, format!("invalid number '{text}'")).await),
            }
        }
    }
    let [fields, skip, width] = numbers;
    let file = given.operands.first().map_or("-", String::as_str);
    let mut input = match Input::open(&ctx, file).await {
        Ok(input) => input,
        Err(errno) => return Err(fail(&ctx, format!("can't open '{file}': {errno}")).await),
    };
    let mut out = match given.operands.get(1).filter(|file| *file != "-") {
        Some(file) => match ctx.open(file, Open::WRITE).await {
            Ok(fd) => Out::to(&ctx, fd),
            Err(errno) => return Err(fail(&ctx, format!("can't open '{file}': {errno}")).await),
        },
        None => Out::new(&ctx),
    };
    let part = |line: &[u8]| {
        let mut rest = line;
        for _ in 0..fields {
            let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let word = rest[blanks..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
            rest = &rest[blanks + word..];
        }
        let rest = &rest[skip.min(rest.len())..];
        let rest = &rest[..width.min(rest.len())];
        if given.has('i') { rest.to_ascii_lowercase() } else { rest.to_vec() }
    };
    let end = if given.has('z') { 0 } else { b'\n' };
    let mut last: Option<(Vec<u8>, Vec<u8>, u64)> = None;
    loop {
        let line = input.until(end).await.map_err(Stop::Input)?.map(|line| line.strip_suffix(&[end]).map_or(line.clone(), <[u8]>::to_vec));
        if let (Some(line), Some((_, key, count))) = (&line, &mut last)
            && part(line) == *key
        {
            *count += 1;
            continue;
        }
        if let Some((text, _, count)) = last.take()
            && (count > 1 || !given.has('d'))
            && (count == 1 || !given.has('u'))
        {
            let mut text = text;
            text.push(end);
            if given.has('c') {
                out.put(format!("{count:7} ")).await?;
            }
            out.put(text).await?;
        }
        let Some(line) = line else { break };
        let key = part(&line);
        last = Some((line, key, 1));
    }
    out.end(0).await
}
