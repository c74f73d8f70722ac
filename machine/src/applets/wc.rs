//! `wc`: counts lines, words and bytes.

use super::hand::{Input, Out, Outcome, Stop, Usage, open_or_complain};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-cmlwL] [FILE]...", "clwLm");

/// Lines, words, characters, bytes, longest line.
type Counts = [u64; 5];

async fn count(input: &mut Input) -> Result<Counts, Stop> {
    let [mut lines, mut words, mut characters, mut bytes, mut longest] = Counts::default();
    let (mut inside, mut column) = (false, 0);
    loop {
        let piece = input.piece(usize::MAX).await.map_err(Stop::Input)?;
        if piece.is_empty() {
            break;
        }
        input.looked_at(piece.len()).await;
        bytes += piece.len() as u64;
        for byte in piece {
            // All but the first byte of a character is 10xxxxxx.
            let begins = byte & 0xc0 != 0x80;
            characters += u64::from(begins);
            match byte {
                b'\n' => {
                    lines += 1;
                    longest = longest.max(column);
                    (inside, column) = (false, 0);
                }
                b'\r' | 0x0c => {
                    longest = longest.max(column);
                    (inside, column) = (false, 0);
                }
                b'\t' => (inside, column) = (false, (column | 7) + 1),
                b' ' => (inside, column) = (false, column + 1),
                0x0b => inside = false,
                _ => {
                    words += u64::from(!inside);
                    inside = true;
                    column += u64::from(begins);
                }
            }
        }
    }
    Ok([lines, words, characters, bytes, longest.max(column)])
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let wanted: Vec<usize> =
        match ['l', 'w', 'm', 'c', 'L'].iter().enumerate().filter(|(_, option)| given.has(**option)).map(|(at, _)| at).collect() {
            none if Vec::is_empty(&none) => vec![0, 1, 3],
            some => some,
        };
    let files = given.files();
    let narrow = files.len() == 1 && wanted.len() == 1;
    let tell = |counts: &Counts, name: &str| {
        let numbers: Vec<String> =
            wanted.iter().map(|at| if narrow { counts[*at].to_string() } else { format!("{:9}", counts[*at]) }).collect();
        let name = if name == "-" { String::new() } else { format!(" {name}") };
        format!("{}{name}", numbers.join(" "))
    };
    let (mut out, mut code, mut total) = (Out::new(&ctx), 0, Counts::default());
    for file in &files {
        let Some(mut input) = open_or_complain(&ctx, file, false).await else {
            code = 1;
            continue;
        };
        let counts = count(&mut input).await?;
        for (at, count) in counts.iter().enumerate() {
            total[at] = if at == 4 { total[at].max(*count) } else { total[at] + count };
        }
        out.line(tell(&counts, file)).await?;
    }
    if files.len() > 1 {
        out.line(tell(&total, "total")).await?;
    }
    out.end(code).await
}
