//! `kill`: sends signals.

use crate::{
    Ctx, Signal,
    shell::{Flow, Shell},
};

/// What `kill` comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Killed {
    /// For standard output.
    pub(crate) text: String,
    /// For standard error, each without the name of who says it.
    pub(crate) complaints: Vec<String>,
    /// The exit code.
    pub(crate) status: i32,
}

impl Killed {
    fn wrong(message: String) -> Self {
        Self { complaints: vec![message], status: 1, ..Self::default() }
    }
}

/// Sends what the arguments say, without the name of the program.
pub(crate) fn run(ctx: &Ctx, args: &[String]) -> Killed {
    let mut rest = args;
    let mut signal = Some(Signal::TERM);
    if let Some(first) = rest.first().and_then(|first| first.strip_prefix('-')) {
        let name = match first {
            "l" => return list(&rest[1..]),
            "-" => None,
            "s" | "n" => {
                let Some(name) = rest.get(1) else { return Killed::wrong(format!("option requires an argument -- '{first}'")) };
                rest = &rest[1..];
                Some(name.as_str())
            }
            name => Some(name),
        };
        rest = &rest[1..];
        if let Some(name) = name {
            signal = match Signal::parse(name) {
                Some(signal) => Some(signal),
                None if name == "0" || name.eq_ignore_ascii_case("EXIT") => None,
                None => return Killed::wrong(format!("bad signal name '{name}'")),
            };
        }
        if rest.first().is_some_and(|next| next == "--") {
            rest = &rest[1..];
        }
    }
    if rest.is_empty() {
        return Killed::wrong("you need to specify whom to kill".to_owned());
    }
    let mut killed = Killed::default();
    for target in rest {
        let Ok(pid) = target.trim_start().parse() else {
            killed.complaints.push(format!("invalid number '{target}'"));
            killed.status += 1;
            continue;
        };
        if let Err(errno) = ctx.kill(pid, signal) {
            killed.complaints.push(format!("can't kill pid {pid}: {errno}"));
            killed.status += 1;
        }
    }
    killed
}

/// `kill -l`: all signals, or the name of each number and the number of each name.
fn list(args: &[String]) -> Killed {
    if args.is_empty() {
        let text = Signal::named().map(|signal| format!("{:>2}) {}\n", signal.number(), signal.name())).collect();
        return Killed { text, ..Killed::default() };
    }
    let mut killed = Killed::default();
    for arg in args {
        // What a shell shows for a process that a signal ended is that signal too.
        let number = arg.parse::<i32>().ok().map(|number| if number > 128 { number - 128 } else { number });
        match number.map_or_else(|| Signal::parse(arg), Signal::new) {
            Some(signal) if number.is_some() => killed.text += &format!("{}\n", signal.name()),
            Some(signal) => killed.text += &format!("{}\n", signal.number()),
            None if number == Some(0) => killed.text += "EXIT\n",
            None => {
                killed.complaints.push(format!("unknown signal '{arg}'"));
                killed.status = 1;
            }
        }
    }
    killed
}

/// `kill` as the shell knows it, with jobs.
pub(super) async fn builtin(shell: &mut Shell, args: &[String]) -> Result<i32, Flow> {
    let mut plain = Vec::new();
    for arg in args.get(1..).unwrap_or_default() {
        if !arg.starts_with('%') {
            plain.push(arg.clone());
            continue;
        }
        let Some(pid) = shell.jobs.find(arg).map(|job| job.pid) else {
            return Err(shell.raise(2, &format!("{arg}: no such job")).await);
        };
        // The blank keeps the number of a group from being a signal's.
        plain.push(if shell.options.monitor { format!(" -{pid}") } else { pid.to_string() });
    }
    let killed = run(&shell.ctx, &plain);
    shell.print(killed.text).await;
    for complaint in killed.complaints {
        shell.complain_as_program(&complaint).await;
    }
    Ok(killed.status)
}
