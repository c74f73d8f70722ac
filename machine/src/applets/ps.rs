//! `ps`: the processes.

use std::time::Duration;

use super::hand::{Out, Outcome, People, Usage, fail};
use crate::{Ctx, kernel::ProcessInfo};

const USAGE: Usage = Usage::short("[-o COL1,COL2=HEADER] [-T]", "o:aAdefluxwT");

/// A column: its name, its header, its width.
const COLUMNS: &[(&str, &str, usize)] = &[
    ("user", "USER", 8),
    ("group", "GROUP", 8),
    ("comm", "COMMAND", 16),
    ("args", "COMMAND", 256),
    ("pid", "PID", 5),
    ("ppid", "PPID", 5),
    ("pgid", "PGID", 5),
    ("etime", "ELAPSED", 7),
    ("nice", "NI", 5),
    ("rgroup", "RGROUP", 8),
    ("ruser", "RUSER", 8),
    ("time", "TIME", 5),
    ("tty", "TT", 6),
    ("vsz", "VSZ", 4),
    ("sid", "SID", 5),
    ("stat", "STAT", 4),
    ("rss", "RSS", 4),
];

/// Minutes and seconds, or hours and minutes where there are many.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds / 60 > 1000 * 60 {
        format!("{:3}h{:02}", seconds / 3600, seconds / 60 % 60)
    } else {
        format!("{:2}:{:02}", seconds / 60, seconds % 60)
    }
}

fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes:02}:{:02}", seconds % 60),
        (0, _) => format!("{hours:02}:{minutes:02}:{:02}", seconds % 60),
        _ => format!("{days}-{hours:02}:{minutes:02}:{:02}", seconds % 60),
    }
}

/// A command as it is shown: of a process without arguments its name in brackets.
pub(crate) fn command(process: &ProcessInfo) -> String {
    if process.args.is_empty() { format!("[{}]", process.name) } else { process.args.join(" ") }
}

fn size(bytes: u64) -> String {
    let kilobytes = bytes >> 10;
    if kilobytes < 10_000 {
        kilobytes.to_string()
    } else if kilobytes >> 10 < 10_000 {
        format!("{}m", kilobytes >> 10)
    } else {
        format!("{}g", kilobytes >> 20)
    }
}

/// A value, and whether it stands to the right.
fn value(column: &str, process: &ProcessInfo, people: &People) -> (String, bool) {
    match column {
        "user" | "ruser" => (people.user(process.uid), false),
        "group" | "rgroup" => (people.group(process.gid), false),
        "comm" => (process.name.clone(), false),
        "pid" => (process.pid.to_string(), true),
        "ppid" => (process.ppid.to_string(), true),
        "pgid" => (process.pgid.to_string(), true),
        "sid" => (process.session.to_string(), true),
        "etime" => (elapsed(process.age), true),
        "nice" => ("0".to_owned(), true),
        "time" => (clock(process.cpu), true),
        "tty" => (if process.terminal { "136,0".to_owned() } else { "?".to_owned() }, false),
        "vsz" | "rss" => (size(process.memory), true),
        "stat" => (process.state.letter().to_string(), false),
        _ => (command(process), false),
    }
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let mut columns: Vec<(&str, String, usize)> = Vec::new();
    let mut wanted: Vec<&str> = given.values('o').flat_map(|list| list.split(',')).collect();
    if wanted.is_empty() {
        wanted = vec!["pid", "user", "time", "args"];
    }
    for word in wanted {
        let (name, header) = word.split_once('=').map_or((word, None), |(name, header)| (name, Some(header)));
        let Some((known, usual, width)) = COLUMNS.iter().find(|(known, ..)| *known == name) else {
            return Err(fail(
                &ctx,
                format!(
                    "bad -o argument '{name}', supported arguments: {}",
                    COLUMNS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(",")
                ),
            )
            .await);
        };
        columns.push((known, header.unwrap_or(usual).to_owned(), *width));
    }
    let people = People::read(&ctx).await;
    let width = ctx.size(1).map_or(usize::MAX, |size| usize::from(size.columns).max(1));
    let mut out = Out::new(&ctx);
    let row = |cells: Vec<(String, bool)>| {
        let mut line = String::new();
        for (at, ((text, right), (_, _, width))) in cells.iter().zip(&columns).enumerate() {
            let last = at + 1 == columns.len();
            let text: String = if matches!(columns[at].0, "user" | "group" | "ruser" | "rgroup") && !last {
                text.chars().take(8).collect()
            } else {
                text.clone()
            };
            line += &match (last, right) {
                (true, false) => text,
                (_, true) => format!("{text:>width$}"),
                (false, false) => format!("{text:<width$}"),
            };
            if !last {
                line.push(' ');
            }
        }
        line.chars().take(width).collect::<String>()
    };
    if columns.iter().any(|(_, header, _)| !header.is_empty()) {
        out.line(row(columns.iter().map(|(_, header, _)| (header.clone(), false)).collect())).await?;
    }
    for process in ctx.processes() {
        out.line(row(columns.iter().map(|(column, ..)| value(column, &process, &people)).collect())).await?;
    }
    out.end(0).await
}
