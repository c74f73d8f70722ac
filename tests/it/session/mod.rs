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
//! What chance decides is compared under [masks](mask). `UPDATE_EXPECT=1 cargo test --workspace --test it -- kubectl` rewrites what
//! has changed; whoever does that answers for every line that upstream would print it so.

mod mask;

use std::{
    future::ready,
    path::{Path, PathBuf},
};

use mask::masked;
use mini_tests::{PATIENCE, Ran, World, wait_for};
use tokio::time::timeout;

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
}

/// Whether the files are to be rewritten.
pub(crate) fn updating() -> bool {
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

/// A terminal: where sessions are played, and what was said otherwise so far.
pub(crate) struct Terminal<'a> {
    world: &'a World,
    /// The current folder.
    folder: PathBuf,
    wrong: String,
}

impl<'a> Terminal<'a> {
    /// A terminal in this folder.
    pub(crate) fn new(world: &'a World, folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).expect("make the session's folder");
        Self { world, folder, wrong: String::new() }
    }

    /// Plays a session with a kubectl of this minor version, and returns it with what was printed now. Each command is typed after `before`.
    pub(crate) async fn play(&mut self, session: &str, before: &str, minor: u32) -> String {
        let mut shown = String::new();
        for part in parse(session) {
            match part {
                Part::Remark(remark) => shown += &remark,
                Part::Step(step) if step.since.is_some_and(|since| minor < since) => {
                    let _ = self.run(&step, before);
                    shown += &step.shown(&step.printed);
                }
                Part::Step(step) => shown += &self.step(&step, before).await,
            }
        }
        shown
    }

    fn run(&self, step: &Step, before: &str) -> Vec<String> {
        lines(&self.world.shell(&format!("{before}\n{}", step.command), &self.folder))
    }

    /// Plays a step, and again as long as it must, and returns it with what was printed in the end.
    async fn step(&mut self, step: &Step, before: &str) -> String {
        let mut printed = self.run(step, before);
        if step.eventually && !step.accepts(&printed) {
            let again = wait_for(&step.command, || {
                printed = self.run(step, before);
                ready(if step.accepts(&printed) { Ok(()) } else { Err(()) })
            });
            let _ = timeout(if updating() { PATIENCE / 10 } else { PATIENCE / 2 }, again).await;
        }
        if step.accepts(&printed) {
            return step.shown(&step.printed);
        }
        let shown = step.shown(&printed);
        self.wrong += &format!("{shown}instead of\n{}\n", step.shown(&step.printed));
        shown
    }

    /// Ends the session of this file, which now reads so.
    ///
    /// # Panics
    /// When something else was printed than stands in the file; with `UPDATE_EXPECT` the file is rewritten instead.
    pub(crate) fn settle(self, file: &Path, shown: &str) {
        if updating() {
            std::fs::write(file, format!("{}\n", shown.trim_end())).expect("write the session");
        } else {
            assert!(self.wrong.is_empty(), "{} was played otherwise:\n\n{}", file.display(), self.wrong);
        }
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
