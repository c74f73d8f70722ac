//! What this room must never do, as nothing in a type says it: touch the host.

use std::path::{Path, PathBuf};

/// What would reach out of the simulation. Names are put together here so that this file does not find itself.
fn forbidden() -> Vec<String> {
    let std = ["fs", "process", "net::Tcp", "net::Udp", "os", "env", "thread"].map(|name| format!("std::{name}"));
    let tokio = ["fs", "net", "process", "signal"].map(|name| format!("tokio::{name}"));
    let others = ["rustix", "libc", "socket2", "tempfile"].map(|name| format!("{name}::"));
    std.into_iter().chain(tokio).chain(others).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tidy.rs") {
            found.push(path);
        }
    }
}

/// Imports are written out, so that `use std::{fs, io}` is found as `std::fs`.
fn names(text: &str) -> Vec<String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let mut names: Vec<String> = code.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':'))).map(str::to_owned).collect();
    for root in ["std", "tokio"] {
        for (at, _) in code.match_indices(&format!("{root}::{{")) {
            let mut depth = 0;
            let rest = &code[at + root.len() + 2..];
            let group = rest.split_inclusive(['{', '}', ',']).take_while(|part| {
                depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
                depth > 0
            });
            // Deeper groups are read as if they were of the first level, which finds too much rather than too little.
            names.extend(group.map(|part| format!("{root}::{}", part.trim_end_matches(['{', '}', ',']).trim())));
        }
    }
    names
}

#[test]
fn nothing_of_the_host_is_touched() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 20, "the sources are there");
    let forbidden = forbidden();
    let mut wrong = Vec::new();
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        for name in names(&text) {
            if forbidden.iter().any(|bad| {
                name == *bad
                    || name.starts_with(&format!("{bad}::"))
                    || (bad.ends_with("::") && name.starts_with(bad.as_str()))
                    || (bad.contains("net::") && name.starts_with(bad.as_str()))
            }) {
                wrong.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_imported_in_groups_is_seen() {
    let group = format!("use {}::{{collections::BTreeMap, {}, io}};", "std", "fs");
    assert!(names(&group).contains(&["std", "fs"].join("::")));
    assert!(names(&format!("let x = {}::spawn();", ["tokio", "process"].join("::"))).iter().any(|name| name.contains("process::spawn")));
}
