//! `cut`: parts of lines.

use super::hand::{Out, Outcome, Stop, Usage, fail, open_or_complain};
use crate::Ctx;

const USAGE: Usage = Usage::short("{-b|c LIST | -f LIST [-d SEP] [-s]} [-D] [-O SEP] [FILE]...", "b:c:f:d:O:snD");

/// From where to where, from 0, the end not included.
type Range = (usize, usize);

fn list(text: &str) -> Result<Vec<Range>, String> {
    let mut ranges = Vec::new();
    for part in text.split(',') {
        let (from, to) = match part.split_once('-') {
            Some(("", "")) => return Err("missing list of positions".to_owned()),
            Some((from, to)) => (if from.is_empty() { "1" } else { from }, to),
            None => (part, part),
        };
        let number =
            |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0).ok_or_else(|| format!("invalid range {text}-{to}"));
        let from = number(from)?;
        let to = if to.is_empty() { usize::MAX } else { number(to)? };
        if to < from {
            return Err(format!("invalid range {from}-{to}"));
        }
        ranges.push((from - 1, to));
    }
    ranges.sort_unstable();
    Ok(ranges)
}

fn takes(ranges: &[Range], at: usize) -> bool {
    ranges.iter().any(|(from, to)| (*from..*to).contains(&at))
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let kinds: Vec<char> = ['b', 'c', 'f'].into_iter().filter(|option| given.has(*option)).collect();
    let [kind] = kinds.as_slice() else {
        return Err(if kinds.is_empty() {
            fail(&ctx, "expected a list of bytes, characters, or fields").await
        } else {
            USAGE.explain(&ctx).await
        });
    };
    if *kind != 'f' && (given.has('d') || given.has('s')) {
        let why = if given.has('d') { "-d DELIM" } else { "-s" };
        return Err(fail(&ctx, format!("{why} makes sense only with -f")).await);
    }
    let ranges = match list(given.value(*kind).unwrap_or_default()) {
        Ok(ranges) => ranges,
        Err(why) => return Err(fail(&ctx, why).await),
    };
    let separator = given.value('d').unwrap_or("\t").to_owned();
    let joint = given.value('O').unwrap_or(&separator).to_owned();
    let (mut out, mut code) = (Out::new(&ctx), 0);
    for file in given.files() {
        let Some(mut input) = open_or_complain(&ctx, &file, false).await else {
            code = 1;
            continue;
        };
        while let Some(line) = input.line().await.map_err(Stop::Input)? {
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            match kind {
                'b' => {
                    out.line(line.iter().enumerate().filter(|(at, _)| takes(&ranges, *at)).map(|(_, byte)| *byte).collect::<Vec<u8>>())
                        .await?
                }
                'c' => {
                    let text = String::from_utf8_lossy(line);
                    out.line(text.chars().enumerate().filter(|(at, _)| takes(&ranges, *at)).map(|(_, c)| c).collect::<String>()).await?;
                }
                _ => {
                    let text = String::from_utf8_lossy(line);
                    if !text.contains(&separator) || separator.is_empty() {
                        if !given.has('s') {
                            out.line(line).await?;
                        }
                        continue;
                    }
                    let fields: Vec<&str> =
                        text.split(separator.as_str()).enumerate().filter(|(at, _)| takes(&ranges, *at)).map(|(_, field)| field).collect();
                    out.line(fields.join(&joint)).await?;
                }
            }
        }
    }
    out.end(code).await
}
