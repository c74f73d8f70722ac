//! `__complete`: what may stand where a command line ends. The shells' scripts ask for it; it answers with a line for each word,
//! its meaning after a tab, and last with what the shell is to do beside: `:0` offer files, `:2` put no space, `:4` nothing.
//!
//! It knows flags and words from their help: `TYPE` is a resource, `POD` and `NODE` are objects of that kind.

use clap::{Arg, ArgAction, Args as _, Command, FromArgMatches as _};

use crate::{
    context::{Context, Globals},
    error::{Result, usage},
    print::print,
    server::JSON,
    value::{list, name, text},
};

/// Complete a command line; for the scripts of `completion`.
#[derive(clap::Args, Debug)]
#[command(hide = true)]
pub(super) struct Args {
    /// The words so far, the last of them unfinished.
    #[arg(last = true)]
    words: Vec<String>,
}

/// What may follow.
#[derive(Debug, PartialEq)]
enum Wanted {
    /// One of these, with what they mean.
    Words(Vec<(String, String)>),
    /// A resource's name.
    Types,
    /// The name of an object of this resource; the prefix belongs to the word.
    Objects { resource: String, prefix: String },
    /// A container of this pod.
    Containers(String),
    /// An entry of this list in the kubeconfig file.
    Entries(&'static str),
    Files,
    Nothing,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let words = joined(&args.words);
    let command = crate::command();
    let context = context.with(globals(&command, &words)?);
    let (last, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let wanted = wanted(&command, before, last);
    let mut directive = 4;
    // What cannot be found out is no reason to disturb a person who types.
    let found = match wanted {
        Wanted::Words(words) => words,
        Wanted::Types => types(&context).await.unwrap_or_default(),
        Wanted::Objects { resource, prefix } => objects(&context, &resource, &prefix).await.unwrap_or_default(),
        Wanted::Containers(pod) => containers(&context, &pod).await.unwrap_or_default(),
        Wanted::Entries(section) => entries(&context, section).unwrap_or_default(),
        Wanted::Files => {
            directive = 0;
            Vec::new()
        }
        Wanted::Nothing => Vec::new(),
    };
    let mut fitting: Vec<(String, String)> =
        found.into_iter().filter(|(word, _)| word.starts_with(last) && (word.starts_with('-') || !before.contains(word))).collect();
    fitting.sort();
    fitting.dedup();
    if fitting.iter().all(|(word, _)| word.ends_with('=') || word.ends_with('/')) && !fitting.is_empty() {
        directive = 2;
    }
    let lines = fitting.into_iter().map(|(word, help)| if help.is_empty() { format!("{word}\n") } else { format!("{word}\t{help}\n") });
    print(&format!("{}:{directive}\n", lines.collect::<String>()))
}

/// The words with what stands around a lone `=` put together again.
fn joined(words: &[String]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let follows = at > 0 && (word == "=" || words[at - 1] == "=");
        match joined.last_mut() {
            Some(last) if follows && last.starts_with('-') => last.push_str(word),
            _ => joined.push(word.clone()),
        }
    }
    joined
}

fn takes_value(flag: &Arg) -> bool {
    let needs_equals = flag.get_num_args().is_some_and(|count| count.min_values() == 0);
    matches!(flag.get_action(), ArgAction::Set | ArgAction::Append) && !needs_equals
}

fn flags<'a>(root: &'a Command, command: &'a Command) -> impl Iterator<Item = &'a Arg> {
    let own = command.get_arguments().filter(|flag| !flag.is_positional() && !flag.is_hide_set());
    own.chain(root.get_arguments().filter(move |flag| flag.is_global_set() && !std::ptr::eq(root, command)))
}

/// The flag that a word is, without its value.
fn flag<'a>(root: &'a Command, command: &'a Command, word: &str) -> Option<&'a Arg> {
    if let Some(long) = word.strip_prefix("--") {
        let long = long.split('=').next().unwrap_or(long);
        return flags(root, command).find(|flag| flag.get_long() == Some(long));
    }
    let mut letters = word.strip_prefix('-')?.chars();
    let letter = letters.next()?;
    letters.next().is_none().then(|| flags(root, command).find(|flag| flag.get_short() == Some(letter)))?
}

/// The flags of all verbs that the line has so far.
fn globals(root: &Command, words: &[String]) -> Result<Globals> {
    let mut given = vec!["x".to_owned()];
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if let Some(flag) = flag(root, root, word).filter(|flag| flag.is_global_set()) {
            given.push(word.clone());
            if takes_value(flag) && !word.contains('=') {
                given.extend(words.next().cloned());
            }
        }
    }
    let command = Globals::augment_args(Command::new("x")).ignore_errors(true);
    let matches = command.try_get_matches_from(given).map_err(|error| usage(error.to_string()))?;
    Globals::from_arg_matches(&matches).map_err(|error| usage(error.to_string()))
}

/// What is wanted after these words, where the last one has just begun.
fn wanted(root: &Command, before: &[String], last: &str) -> Wanted {
    let mut command = root;
    let mut plain: Vec<&str> = Vec::new();
    let mut open: Option<&Arg> = None;
    for word in before {
        if open.take().is_some() {
            continue;
        }
        if word == "--" {
            return Wanted::Files;
        }
        if word.starts_with('-') && word.len() > 1 {
            open = flag(root, command, word).filter(|flag| takes_value(flag) && !word.contains('='));
        } else if let Some(inner) = command.find_subcommand(word).filter(|_| plain.is_empty()) {
            command = inner;
        } else {
            plain.push(word);
        }
    }
    if let Some(flag) = open {
        return value_of(flag, "", &plain);
    }
    if let (Some((name, _)), Some(flag)) = (last.split_once('=').filter(|_| last.starts_with("--")), flag(root, command, last)) {
        return value_of(flag, &format!("{name}="), &plain);
    }
    if last.starts_with('-') {
        return Wanted::Words(flags(root, command).flat_map(|flag| spelled(flag, last.starts_with("--"))).collect());
    }
    if command.has_subcommands() && plain.is_empty() {
        let words = command.get_subcommands().filter(|inner| !inner.is_hide_set());
        return Wanted::Words(words.map(|inner| (inner.get_name().to_owned(), first_line(inner.get_about()))).collect());
    }
    word_of(command, &plain, last)
}

fn first_line(help: Option<&clap::builder::StyledStr>) -> String {
    help.map(|help| help.to_string().lines().next().unwrap_or_default().trim_end_matches('.').to_owned()).unwrap_or_default()
}

/// The spellings of a flag.
fn spelled(flag: &Arg, only_long: bool) -> Vec<(String, String)> {
    let help = first_line(flag.get_help());
    let long = flag.get_long().map(|long| (format!("--{long}"), help.clone()));
    let short = flag.get_short().filter(|_| !only_long).map(|short| (format!("-{short}"), help.clone()));
    long.into_iter().chain(short).collect()
}

/// What may be a flag's value. Where it stands in one word with the flag, that belongs to the candidates.
fn value_of(flag: &Arg, prefix: &str, plain: &[&str]) -> Wanted {
    let words = |words: &[&str]| Wanted::Words(words.iter().map(|word| (format!("{prefix}{word}"), String::new())).collect());
    let possible = flag.get_possible_values();
    if !possible.is_empty() {
        return words(&possible.iter().map(clap::builder::PossibleValue::get_name).collect::<Vec<_>>());
    }
    match flag.get_long().unwrap_or_default() {
        "namespace" | "namespaces" => Wanted::Objects { resource: "namespaces".into(), prefix: prefix.to_owned() },
        "output" => words(&["custom-columns=", "go-template=", "json", "jsonpath=", "name", "wide", "yaml"]),
        "context" if prefix.is_empty() => Wanted::Entries("contexts"),
        "cluster" if prefix.is_empty() => Wanted::Entries("clusters"),
        "user" if prefix.is_empty() => Wanted::Entries("users"),
        "container" if prefix.is_empty() => plain.first().map_or(Wanted::Nothing, |pod| Wanted::Containers((*pod).to_owned())),
        "for" if prefix.is_empty() => words(&["condition=", "create", "delete", "jsonpath="]),
        _ => match flag.get_value_names().and_then(|names| names.first()).map(clap::builder::Str::as_str) {
            Some("FILE" | "DIR") => Wanted::Files,
            _ => Wanted::Nothing,
        },
    }
}

/// What may be a word of a verb, by what its help calls it.
fn word_of(command: &Command, plain: &[&str], last: &str) -> Wanted {
    let help = command.get_positionals().next().and_then(Arg::get_help).map(ToString::to_string).unwrap_or_default();
    let object = |resource: &str| Wanted::Objects { resource: resource.to_owned(), prefix: String::new() };
    let slashed = last.split_once('/').map(|(resource, _)| Wanted::Objects { resource: resource.to_owned(), prefix: format!("{resource}/") });
    match (command.get_name(), plain) {
        ("use-context" | "delete-context" | "rename-context" | "get-contexts", _) | ("set-context", []) => return Wanted::Entries("contexts"),
        ("delete-cluster", _) | ("set-cluster", []) => return Wanted::Entries("clusters"),
        ("delete-user", _) | ("set-credentials", []) => return Wanted::Entries("users"),
        _ => {}
    }
    let called = help.trim_start_matches(['[', '(']).split(|c: char| !c.is_ascii_uppercase()).next().unwrap_or_default();
    match (called, plain) {
        ("SHELL", []) => Wanted::Words(["bash", "fish", "powershell", "zsh"].map(|shell| (shell.to_owned(), String::new())).to_vec()),
        ("NODE", _) => object("nodes"),
        ("POD", []) => slashed.unwrap_or_else(|| object("pods")),
        ("TYPE", []) => slashed.unwrap_or(Wanted::Types),
        ("TYPE", [first, ..]) if first.contains('/') => slashed.unwrap_or(Wanted::Nothing),
        ("TYPE", [first, ..]) => object(first),
        _ => Wanted::Nothing,
    }
}

async fn types(context: &Context) -> Result<Vec<(String, String)>> {
    let resources = context.catalog().await?.resources();
    Ok(resources.iter().filter(|resource| resource.preferred && resource.can("get")).map(|resource| (resource.plural.clone(), String::new())).collect())
}

async fn objects(context: &Context, resource: &str, prefix: &str) -> Result<Vec<(String, String)>> {
    let mut names = Vec::new();
    for resource in context.catalog().await?.find_many(resource)? {
        let namespace = context.namespace().await?;
        let answer = context.server().await?.get_as(&resource.path(Some(namespace)), JSON).await?;
        names.extend(list(&answer["items"]).iter().map(|object| (format!("{prefix}{}", name(object)), String::new())));
    }
    Ok(names)
}

async fn containers(context: &Context, pod: &str) -> Result<Vec<(String, String)>> {
    let pod = pod.rsplit('/').next().unwrap_or(pod);
    let path = context.catalog().await?.find("pods")?.object_path(context.namespace().await?, pod);
    let pod = context.server().await?.get(&path).await?;
    let all = ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(|kind| list(&pod["spec"][kind]));
    Ok(all.map(|container| (text(&container["name"]).to_owned(), String::new())).collect())
}

fn entries(context: &Context, section: &str) -> Result<Vec<(String, String)>> {
    let read = std::fs::read_to_string(context.kubeconfig()?).map_err(|error| usage(error.to_string()))?;
    let config: serde_json::Value = serde_yaml::from_str(&read).map_err(|error| usage(error.to_string()))?;
    Ok(list(&config[section]).iter().map(|entry| (text(&entry["name"]).to_owned(), String::new())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(line: &str) -> Wanted {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let words = joined(&words);
        let (last, before) = words.split_last().unwrap();
        wanted(&crate::command(), before, last)
    }

    fn offers(line: &str, word: &str) -> bool {
        matches!(after(line), Wanted::Words(words) if words.iter().any(|(offered, _)| offered == word))
    }

    #[test]
    fn every_place_of_a_line_has_its_words() {
        let objects = |resource: &str, prefix: &str| Wanted::Objects { resource: resource.into(), prefix: prefix.into() };
        assert!(offers("", "get") && offers("ge", "get") && !offers("", "__complete"));
        assert!(offers("get --o", "--output") && offers("get -", "-o") && offers("get --n", "--namespace"));
        assert!(offers("get pods -o ", "json") && offers("get pods --output = js", "--output=json"));
        assert!(offers("config ", "use-context"));
        assert_eq!(after("get "), Wanted::Types);
        assert_eq!(after("get pods -n x "), objects("pods", ""));
        assert_eq!(after("get deploy/w"), objects("deploy", "deploy/"));
        assert_eq!(after("-n "), objects("namespaces", ""));
        assert_eq!(after("get --namespace=k"), objects("namespaces", "--namespace="));
        assert_eq!(after("logs "), objects("pods", ""));
        assert_eq!(after("logs web -c "), Wanted::Containers("web".into()));
        assert_eq!(after("apply -f "), Wanted::Files);
        assert_eq!(after("config use-context "), Wanted::Entries("contexts"));
    }

    #[test]
    fn flags_of_all_verbs_are_heard() {
        let words: Vec<String> = "get pods -n team --context=c -o json".split(' ').map(str::to_owned).collect();
        let globals = format!("{:?}", globals(&crate::command(), &words).unwrap());
        assert!(globals.contains("namespace: Some(\"team\")") && globals.contains("context: Some(\"c\")"), "{globals}");
    }
}
