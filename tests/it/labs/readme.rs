//! The README of a lab, taken apart: who plays it, on which cluster, and its sessions between the prose.

/// What a person types commands with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// The real one.
    Kubectl,
    /// Ours.
    MiniCtl,
}

/// A lab as it stands in its README.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lab {
    /// Who plays it.
    pub(super) clients: Vec<Client>,
    /// The flags of its `mini-ctl up`.
    pub(super) up: Vec<String>,
    /// The README, piece by piece: put together they are its text.
    pub(super) parts: Vec<Part>,
}

/// A piece of a README.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What is not played, with the fences of blocks.
    Prose(String),
    /// What is.
    Session(String),
}

impl Lab {
    /// Takes a README apart.
    ///
    /// # Panics
    /// When it is no lab; says what is missing.
    pub(super) fn read(text: &str) -> Self {
        let clients = clients(text);
        assert!(!clients.is_empty(), "nobody plays it: there is no line \"Played with kubectl\" or \"Played with kubectl and mini-ctl\"");
        let mut parts = parts(text);
        let first = parts.iter().position(|part| matches!(part, Part::Session(_))).expect("there is no ```console block");
        let Part::Session(text) = &mut parts[first] else { unreachable!("it was found as one") };
        let up = text.lines().next().and_then(|line| line.strip_prefix("$ mini-ctl up"));
        let up: Vec<String> = up.expect("its first command is not `mini-ctl up`").split_whitespace().map(str::to_owned).collect();
        // What brings the cluster up is no step of the session: the test does it with a port and a folder of its own.
        let rest = text.match_indices("\n$ ").next().map_or(text.len(), |(at, _)| at + 1);
        let (begin, rest) = (text[..rest].to_owned(), text[rest..].to_owned());
        *text = rest;
        parts.insert(first, Part::Prose(begin));
        Self { clients, up, parts }
    }
}

/// Who plays it, as the line that begins with "Played with" tells.
fn clients(text: &str) -> Vec<Client> {
    let line = text.lines().find_map(|line| line.strip_prefix("Played with ")).unwrap_or_default();
    let named = |word: &str| line.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|found| found == word);
    let known = [("kubectl", Client::Kubectl), ("mini-ctl", Client::MiniCtl)];
    known.into_iter().filter(|(word, _)| named(word)).map(|(_, client)| client).collect()
}

/// Prose and sessions in turn.
fn parts(text: &str) -> Vec<Part> {
    let mut parts = vec![Part::Prose(String::new())];
    for line in text.lines() {
        let line = format!("{line}\n");
        match parts.last_mut() {
            Some(Part::Session(text)) if line != "```\n" => *text += &line,
            Some(Part::Prose(prose)) => {
                *prose += &line;
                if line.starts_with("```console") {
                    parts.push(Part::Session(String::new()));
                }
            }
            _ => parts.push(Part::Prose(line)),
        }
    }
    parts
}

#[test]
fn a_readme_is_taken_apart() {
    let text = "# Lab\n\nPlayed with kubectl and mini-ctl.\n\n```console\n$ mini-ctl up --nodes 2\n\n$ kubectl get nodes\nNAME\n```\n\nWhy:\n\n\
                ```yaml\na: b\n```\n```console\n$ kubectl version\n```\n";
    let lab = Lab::read(text);
    assert_eq!((lab.clients, lab.up), (vec![Client::Kubectl, Client::MiniCtl], vec!["--nodes".to_owned(), "2".to_owned()]));
    let sessions: Vec<&str> = lab
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Session(text) => Some(text.as_str()),
            Part::Prose(_) => None,
        })
        .collect();
    assert_eq!(sessions, ["$ kubectl get nodes\nNAME\n", "$ kubectl version\n"]);
    let whole: String = lab
        .parts
        .iter()
        .map(|part| match part {
            Part::Prose(text) | Part::Session(text) => text.as_str(),
        })
        .collect();
    assert_eq!(whole, text);
}

#[test]
#[should_panic(expected = "nobody plays it")]
fn a_lab_that_nobody_plays_is_refused() {
    let _ = Lab::read("# Lab\n\n```console\n$ mini-ctl up\n```\n");
}
