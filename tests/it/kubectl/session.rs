//! A session at a terminal, kept as text and played again.
//!
//! A session file reads as a terminal does. A command begins with `$ ` and goes on in lines that begin with `> `; the shell reads it, so there
//! are pipes and here-documents. Below it is what it prints, up to the next command or to a remark, which begins with `# ` after an empty line.
//! A line of standard error begins with `! ` and stands before all of standard output. Then may come:
//!
//! | line | what it says |
//! |---|---|
//! | `[exit 1]` | the exit code, where it is not 0 |
//! | `[eventually]` | the command is played again until it prints this |
//! | `[since 1.27]` | an older kubectl plays it too, but says it in other words, which nobody compares |
//!
//! What chance decides is compared under [masks](super::mask). `UPDATE_EXPECT=1 cargo test -p mini-tests --test it -- kubectl` rewrites what
//! has changed; whoever does that answers for every line that upstream would print it so.

use std::{future::ready, path::Path};

use mini_tests::{PATIENCE, Ran, World, wait_for};
use tokio::time::timeout;

use super::mask::masked;

/// A command and what it prints, as it stands in the file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Step {
    /// What the shell is given.
    command: String,
    /// The lines below it, without the marks.
    printed: Vec<String>,
    /// Whether it is played until it prints this.
    eventually: bool,
    /// The first minor version of kubectl that says it in these words.
    since: Option<u32>,
}

/// What a session file is made of.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// What is not played: remarks and the empty lines around them.
    Remark(String),
    /// What is.
    Step(Step),
}

impl Step {
    /// A line below the command.
    fn take(&mut self, line: &str) {
        if line == "[eventually]" {
            self.eventually = true;
        } else if let Some(minor) = line.strip_prefix("[since 1.").and_then(|rest| rest.strip_suffix(']')) {
            self.since = Some(minor.parse().unwrap_or_else(|_| panic!("{line} names no version")));
        } else {
            self.printed.push(line.to_owned());
        }
    }

    /// The step as it stands in a file, with these lines for the printed ones.
    fn shown(&self, printed: &[String]) -> String {
        let mut lines: Vec<String> = self.command.lines().enumerate().map(|(at, line)| [["$ ", "> "][at.min(1)], line].concat()).collect();
        lines.extend_from_slice(printed);
        lines.extend(self.eventually.then(|| "[eventually]".to_owned()));
        lines.extend(self.since.map(|minor| format!("[since 1.{minor}]")));
        lines.join("\n") + "\n\n"
    }

    /// Whether these lines are the expected ones, chance apart.
    fn accepts(&self, printed: &[String]) -> bool {
        masked(&self.printed) == masked(printed)
    }

    /// Plays the step, and again as long as it must, and returns what it printed in the end.
    async fn play(&self, world: &World, folder: &Path) -> Vec<String> {
        let mut printed = lines(&world.shell(&self.command, folder));
        if self.eventually && !self.accepts(&printed) {
            let again = wait_for(&self.command, || {
                printed = lines(&world.shell(&self.command, folder));
                ready(if self.accepts(&printed) { Ok(()) } else { Err(()) })
            });
            let _ = timeout(if updating() { PATIENCE / 10 } else { PATIENCE / 2 }, again).await;
        }
        printed
    }
}

/// Whether the files are to be rewritten.
fn updating() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}

/// Reads a session file.
fn parse(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut after_empty = true;
    for line in text.lines() {
        match (line.strip_prefix("$ "), parts.last_mut()) {
            (Some(command), _) => parts.push(Part::Step(Step { command: command.to_owned(), ..Step::default() })),
            (None, Some(Part::Step(step))) if !(after_empty && line.starts_with("# ")) => match line.strip_prefix("> ") {
                Some(more) if step.printed.is_empty() => step.command = format!("{}\n{more}", step.command),
                _ => step.take(line),
            },
            (None, Some(Part::Remark(remark))) => *remark += &format!("{line}\n"),
            (None, _) => parts.push(Part::Remark(format!("{line}\n"))),
        }
        after_empty = line.is_empty();
    }
    for part in &mut parts {
        if let Part::Step(step) = part {
            while step.printed.last().is_some_and(String::is_empty) {
                step.printed.pop();
            }
        }
    }
    parts
}

/// What a command has printed, as a session file shows it.
fn lines(ran: &Ran) -> Vec<String> {
    let err = ran.stderr();
    let err = err.lines().filter(|line| !is_noise(line)).map(|line| format!("! {line}"));
    let out = ran.stdout();
    let code = (ran.code() != 0).then(|| format!("[exit {}]", ran.code()));
    let mut lines: Vec<String> = err.chain(out.lines().map(str::to_owned)).map(|line| line.trim_end().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.extend(code);
    lines
}

/// What kubectl says about itself: that it is older than the server, and what it logs.
fn is_noise(line: &str) -> bool {
    let is_log =
        |line: &str| line.starts_with(['I', 'W', 'E']) && line.get(1..6).is_some_and(|date| date.trim_end().parse::<u32>().is_ok());
    line.starts_with("WARNING: version difference between client") || is_log(line)
}

/// Plays the session in a file with a kubectl of this minor version.
///
/// # Panics
/// When something else is printed than stands in the file; with `UPDATE_EXPECT` the file is rewritten instead.
pub(super) async fn play(world: &World, file: &Path, minor: u32) {
    let folder = world.home().join("session");
    std::fs::create_dir_all(&folder).expect("make the session's folder");
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()));
    let (mut shown, mut wrong) = (String::new(), String::new());
    for part in parse(&text) {
        match part {
            Part::Remark(remark) => shown += &remark,
            Part::Step(step) if step.since.is_some_and(|since| minor < since) => {
                let _ = world.shell(&step.command, &folder);
                shown += &step.shown(&step.printed);
            }
            Part::Step(step) => {
                let printed = step.play(world, &folder).await;
                if step.accepts(&printed) {
                    shown += &step.shown(&step.printed);
                } else {
                    shown += &step.shown(&printed);
                    wrong += &format!("{}instead of\n{}\n", step.shown(&printed), step.shown(&step.printed));
                }
            }
        }
    }
    if updating() {
        std::fs::write(file, format!("{}\n", shown.trim_end())).expect("write the session");
    } else {
        assert!(wrong.is_empty(), "{} was played otherwise:\n\n{wrong}", file.display());
    }
}

#[test]
fn a_session_is_read_and_shown_as_it_was() {
    let text =
        "# Why.\n\n$ cat <<END\n> a\n>   b\n> END\na\n  b\n\n# Then.\n\n$ false\n! no\n\nyes\n[exit 1]\n[eventually]\n[since 1.27]\n";
    let parts = parse(text);
    let [Part::Remark(_), Part::Step(cat), Part::Remark(then), Part::Step(no)] = &parts[..] else { panic!("{parts:#?}") };
    assert_eq!((cat.command.as_str(), then.as_str()), ("cat <<END\na\n  b\nEND", "# Then.\n\n"));
    assert_eq!((no.printed.len(), no.eventually, no.since), (4, true, Some(27)));
    let shown: String = parts
        .iter()
        .map(|part| match part {
            Part::Remark(remark) => remark.clone(),
            Part::Step(step) => step.shown(&step.printed),
        })
        .collect();
    assert_eq!(shown.trim_end(), text.trim_end());
}
