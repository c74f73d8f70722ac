//! `cat`: files, one after the other.

use super::hand::{Input, Out, Outcome, Stop, Usage, complain, open_or_complain};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-nbvteA] [FILE]...", "nbvetAETu");

struct Style {
    number_all: bool,
    number_full: bool,
    ends: bool,
    tabs: bool,
    controls: bool,
}

/// A line as it is shown with `-v`, `-e`, `-t`.
fn visible(line: &[u8], style: &Style) -> Vec<u8> {
    let mut shown = Vec::with_capacity(line.len());
    for byte in line {
        match byte {
            b'\n' => {
                if style.ends {
                    shown.push(b'$');
                }
                shown.push(b'\n');
            }
            b'\t' if !style.tabs => shown.push(b'\t'),
            byte if style.controls || *byte == b'\t' => {
                let mut byte = *byte;
                if byte >= 128 {
                    shown.extend(b"M-");
                    byte -= 128;
                }
                match byte {
                    127 => shown.extend(b"^?"),
                    0..32 => shown.extend([b'^', byte + 64]),
                    byte => shown.push(byte),
                }
            }
            byte => shown.push(*byte),
        }
    }
    shown
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let style = Style {
        number_all: given.has('n'),
        number_full: given.has('b'),
        ends: given.has('e') || given.has('A') || given.has('E'),
        tabs: given.has('t') || given.has('A') || given.has('T'),
        controls: given.has('v') || given.has('e') || given.has('t') || given.has('A'),
    };
    let plain = !(style.number_all || style.number_full || style.ends || style.tabs || style.controls);
    let mut code = 0;
    let mut number = 0;
    for file in given.files() {
        let Some(mut input) = open_or_complain(&ctx, &file, true).await else {
            code = 1;
            continue;
        };
        let shown = if plain { raw(&ctx, &mut input).await } else { lines(&ctx, &mut input, &style, &mut number).await };
        match shown {
            Err(Stop::Input(errno)) => {
                complain(&ctx, format!("read error: {errno}")).await;
                code = 1;
            }
            shown => shown?,
        }
    }
    Ok(code)
}

async fn raw(ctx: &Ctx, input: &mut Input) -> Result<(), Stop> {
    super::hand::pour(ctx, input, 1).await
}

async fn lines(ctx: &Ctx, input: &mut Input, style: &Style, number: &mut u64) -> Result<(), Stop> {
    let mut out = Out::new(ctx);
    while let Some(line) = input.line().await.map_err(Stop::Input)? {
        if style.number_full && line != b"\n" || style.number_all && !style.number_full {
            *number += 1;
            out.put(format!("{number:6}\t")).await?;
        }
        out.put(visible(&line, style)).await?;
    }
    out.flush().await
}
