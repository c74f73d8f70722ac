//! `stty`: what a terminal does with what is typed.

use super::hand::{Outcome, Stop, complain, fail};
use crate::{Ctx, kernel::Modes};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let (mut modes, size) = match (ctx.modes(0), ctx.size(0)) {
        (Ok(modes), Ok(size)) => (modes, size),
        (Err(errno), _) | (_, Err(errno)) => return Err(fail(&ctx, format!("standard input: {errno}")).await),
    };
    let words = ctx.args().get(1..).unwrap_or_default();
    if words.is_empty() || words[0] == "-a" {
        let sign = |on: bool| if on { "" } else { "-" };
        let text = format!(
            "speed 38400 baud; rows {}; columns {};\n{}icrnl {}opost {}onlcr {}isig {}icanon {}echo\n",
            size.rows,
            size.columns,
            sign(modes.input_newline),
            sign(modes.output_newline),
            sign(modes.output_newline),
            sign(modes.signals),
            sign(modes.canonical),
            sign(modes.echo)
        );
        ctx.out(text).await.map_err(Stop::Output)?;
        return Ok(0);
    }
    for word in words {
        let (on, name) = word.strip_prefix('-').map_or((true, word.as_str()), |name| (false, name));
        match name {
            "size" => ctx.out(format!("{} {}\n", size.rows, size.columns)).await.map_err(Stop::Output)?,
            "echo" => modes.echo = on,
            "icanon" => modes.canonical = on,
            "isig" => modes.signals = on,
            "icrnl" => modes.input_newline = on,
            "opost" | "onlcr" => modes.output_newline = on,
            "raw" if on => modes = Modes { echo: modes.echo, ..Modes::RAW },
            "raw" | "sane" | "cooked" => modes = Modes::COOKED,
            "echoe" | "echok" | "ixon" | "iexten" | "min" | "time" | "iutf8" => {}
            number if number.parse::<u32>().is_ok() => {}
            _ => {
                complain(&ctx, format!("invalid argument '{word}'")).await;
                return Ok(1);
            }
        }
    }
    ctx.set_modes(0, modes).map_err(Stop::Input)?;
    Ok(0)
}
