//! The rules of the house, executed: what cannot be read from code because it is an absence.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use mini_tests::root;

/// The longest a file may be, its tests not counted.
const MOST_LINES: usize = 600;
/// The longest a `main.rs` may be.
const MOST_MAIN: usize = 20;
/// The rooms, and what of ours each may depend on.
const EDGES: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("store", &[]),
    ("daemon", &[]),
    ("apiserver", &["mini-api", "mini-store", "mini-daemon"]),
    ("controllers", &["mini-api", "mini-daemon"]),
    ("scheduler", &["mini-api", "mini-daemon"]),
    ("machine", &[]),
    ("kubelet-fake", &["mini-api", "mini-daemon", "mini-machine"]),
    ("ctl", &["mini-api", "mini-daemon"]),
    ("cluster", &["mini-apiserver", "mini-controllers", "mini-scheduler", "mini-kubelet", "mini-daemon"]),
    ("bench", &["mini-api", "mini-daemon"]),
];
/// Where no kind may be named.
const NAMELESS: &[&str] = &["store/src", "apiserver/src/http", "apiserver/src/registry", "apiserver/src/cache"];
/// Folder and file names that say nothing.
const MEANINGLESS: &[&str] = &["utils", "util", "common", "helpers", "helper", "misc", "shared"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// All Rust files of the rooms, their paths relative to the root.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = EDGES.iter().map(|(room, _)| root().join(room)).chain([root().join("tests")]).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("read {}: {error}", folder.display())).flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root()).unwrap_or(&path).to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The text of a file without its tests, which end every file that has them.
fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod ").map_or(text, |at| &text[..at])
}

fn complain(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} rules are broken:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_file_says_why_it_exists_and_is_short() {
    let mut wrong = Vec::new();
    for path in sources() {
        let text = read(&root().join(&path));
        let (name, lines) = (path.display(), without_tests(&text).lines().count());
        if !text.starts_with("//! ") {
            wrong.push(format!("{name}: does not begin with //!"));
        }
        let is_test = path.starts_with("tests/it") || path.file_name().is_some_and(|name| name == "tests.rs");
        let most = if path.file_name().is_some_and(|name| name == "main.rs") && path.parent().is_some_and(|parent| parent.ends_with("src"))
        {
            MOST_MAIN
        } else {
            MOST_LINES
        };
        if lines > most && !is_test {
            wrong.push(format!("{name}: {lines} lines, at most {most}"));
        }
        let words = path.iter().filter_map(|part| part.to_str());
        wrong.extend(
            words.filter(|part| MEANINGLESS.contains(&part.trim_end_matches(".rs"))).map(|part| format!("{name}: {part} says nothing")),
        );
    }
    complain(&wrong);
}

#[test]
fn every_file_is_reached() {
    let files = sources();
    let mut declared: BTreeSet<PathBuf> = BTreeSet::new();
    for path in &files {
        let text = read(&root().join(path));
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new(""));
        let below = if matches!(stem, "main" | "lib" | "mod") { folder.to_owned() } else { folder.join(stem) };
        // A list macro declares modules too: any word of the file may be one.
        let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        for word in words.filter(|word| !word.is_empty()) {
            declared.insert(below.join(format!("{word}.rs")));
            declared.insert(below.join(word).join("mod.rs"));
        }
    }
    let top = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        matches!(name, "main.rs" | "lib.rs" | "build.rs")
            || path.parent().is_some_and(|parent| parent.ends_with("tests") || parent.ends_with("examples") || parent.ends_with("benches"))
    };
    let orphans: Vec<String> = files
        .iter()
        .filter(|path| !top(path) && !declared.contains(*path))
        .map(|path| format!("{}: no module reaches it", path.display()))
        .collect();
    complain(&orphans);
}

#[test]
fn rooms_depend_only_on_what_the_map_allows() {
    let mut wrong = Vec::new();
    for (room, allowed) in EDGES {
        let manifest = read(&root().join(room).join("Cargo.toml"));
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default().split("\n[").next().unwrap_or_default();
        let ours = dependencies.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| name.starts_with("mini-"));
        wrong.extend(ours.filter(|name| !allowed.contains(name)).map(|name| format!("{room} may not depend on {name}")));
        if !manifest.contains("[lints]\nworkspace = true") {
            wrong.push(format!("{room} does not take the workspace's lints"));
        }
    }
    complain(&wrong);
}

#[test]
fn no_kind_is_named_where_none_may_be() {
    let kinds: Vec<String> = mini_apiserver::kinds::table().iter().map(|kind| kind.name.to_owned()).collect();
    let mut wrong = Vec::new();
    let is_tests = |path: &Path| path.file_stem().is_some_and(|stem| stem == "tests");
    for path in sources().iter().filter(|path| NAMELESS.iter().any(|room| path.starts_with(room)) && !is_tests(path)) {
        let text = read(&root().join(path));
        for (number, line) in without_tests(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            // Words in strings of another meaning, such as the store's own Event of a change, are types of ours.
            let named = kinds.iter().filter(|kind| !matches!(kind.as_str(), "Event" | "Service" | "Namespace"));
            for kind in named.filter(|kind| code.split(|c: char| !c.is_alphanumeric()).any(|word| word == kind.as_str())) {
                wrong.push(format!("{}:{}: names {kind}", path.display(), number + 1));
            }
        }
    }
    complain(&wrong);
}

#[test]
fn the_tree_in_the_map_is_the_real_one() {
    let map = read(&root().join("ARCHITECTURE.md"));
    let mut wrong = Vec::new();
    for (room, _) in EDGES.iter().chain(&[("tests", &[] as &[&str]), ("examples", &[])]) {
        if !map.contains(&format!("{room}/")) {
            wrong.push(format!("ARCHITECTURE.md does not show {room}/"));
        }
    }
    let listed: BTreeMap<&str, ()> = map.lines().filter_map(|line| line.split_once("/  ").map(|(room, _)| (room.trim(), ()))).collect();
    for room in listed.keys().filter(|room| !room.contains(' ') && !room.contains('/')) {
        if !root().join(room).is_dir() && !root().join("apiserver/src").join(room).is_dir() {
            wrong.push(format!("ARCHITECTURE.md shows {room}/, which is not there"));
        }
    }
    complain(&wrong);
}

#[test]
fn every_example_is_told_in_the_readme() {
    let readme = read(&root().join("README.md"));
    let examples = std::fs::read_dir(root().join("examples")).expect("the examples are there").flatten();
    let untold = examples.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| !readme.contains(name.as_str()));
    complain(&untold.map(|name| format!("README.md does not mention examples/{name}")).collect::<Vec<_>>());
}
