//! Scripts and what comes of them.
//!
//! The tables `*.txt` hold scripts with what busybox 1.35's `sh -c` printed and answered for each.

mod hostile;
mod notes;
mod terminal;
mod world;

use world::World;

use super::syntax::Script;

/// A script and what comes of it.
#[derive(Debug, Default)]
struct Case {
    script: String,
    out: String,
    err: String,
    code: i32,
}

/// Reads a table: `%%` begins a script, `%1` and `%2` what it writes to its outputs, `%?` its code.
fn cases(table: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut section = ' ';
    for line in table.lines() {
        let mut marks = line.chars();
        if marks.next() == Some('%') && matches!(line.chars().nth(1), Some('%' | '1' | '2' | '?')) {
            section = marks.next().unwrap_or(' ');
            let rest = marks.as_str().trim();
            match section {
                '%' => cases.push(Case::default()),
                '?' => cases.last_mut().unwrap().code = rest.parse().unwrap(),
                _ => {}
            }
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        let text = match section {
            '1' => &mut case.out,
            '2' => &mut case.err,
            _ => &mut case.script,
        };
        text.push_str(line);
        text.push('\n');
    }
    cases
}

async fn check(name: &str, table: &str) {
    let mut wrong = String::new();
    let cases = cases(table);
    assert!(cases.len() > 3, "{name} is empty");
    for case in &cases {
        let script = case.script.trim_end_matches('\n');
        let found = World::new().run(&["sh", "-c", script], "").await;
        // A table cannot say that the last line has no end.
        let end = |text: &str| if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
        let (out, err) = (end(&found.out), end(&found.err));
        if (&out, &err, found.code) != (&case.out, &case.err, case.code) {
            wrong += &format!("{script}\n--- expected\n{}{}{}\n--- found\n{out}{err}{}\n\n", case.out, case.err, case.code, found.code);
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{wrong}");
}

macro_rules! tables {
    ($($name:ident),+ $(,)?) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                check(stringify!($name), include_str!(concat!(stringify!($name), ".txt"))).await;
            }
        )+
    };
}

tables! { arithmetic, builtins, control, errors, expansion, invocation, redirection, signals, syntax }

/// Reads all of a script, or up to what is wrong with it. Answers how many commands that were.
fn read(text: &str) -> usize {
    let mut script = Script::new(text.into(), 1);
    let mut count = 0;
    while let Ok(Some(_)) = script.next() {
        count += 1;
    }
    count
}

#[test]
fn a_script_that_is_cut_or_damaged_anywhere_is_read_or_refused() {
    let tables = [
        include_str!("control.txt"),
        include_str!("expansion.txt"),
        include_str!("redirection.txt"),
        include_str!("signals.txt"),
        include_str!("syntax.txt"),
    ];
    let mut most = 0;
    for case in tables.iter().flat_map(|table| cases(table)) {
        for (at, c) in case.script.char_indices() {
            let rest = &case.script[at + c.len_utf8()..];
            most = most.max(read(&case.script[..at])).max(read(rest));
            read(&format!("{}{rest}", &case.script[..at]));
            read(&format!("{}({rest}", &case.script[..at]));
        }
    }
    assert!(most > 5);
}

#[test]
fn reading_takes_as_long_as_the_text_is() {
    for (piece, times) in [
        ("a | ", 20_000),
        ("a && ", 20_000),
        ("a; ", 20_000),
        ("a=b ", 20_000),
        (">a ", 20_000),
        ("{ a; } | ", 9_000),
        ("(a) && ", 9_000),
        ("if a; then b; fi; ", 8_000),
        ("case a in a) b;; esac; ", 8_000),
        ("for a in b; do c; done; ", 8_000),
        ("a() { b; }; ", 9_000),
        ("$(a) ", 20_000),
        ("${a:-b}", 20_000),
        ("$((1+1))", 20_000),
        ("\"a\"'b'", 20_000),
        ("a <<b\nb\n", 9_000),
    ] {
        let text = format!("{}a", piece.repeat(times));
        assert!(read(&text) > 0, "{piece}");
    }
}
