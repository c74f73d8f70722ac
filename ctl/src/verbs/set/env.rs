//! `set env`: environment variables of containers; also lists them.

use std::io::Read;

use serde_json::{Value, json};

use super::{
    Flags, Labelled,
    env_sources::{Resolver, from_resources, reference},
    templates::{Change, chosen, chosen_mut, pod_spec},
};
use crate::{
    changing::{Subject, split},
    context::Context,
    error::{Result, usage},
    print::{notice, print},
    server::warn,
    value::{list, map_mut, text},
};

/// Update environment variables on a pod template.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE NAME… or TYPE/NAME…, then KEY=VALUE… to set and KEY-… to remove; - reads more from stdin
    words: Vec<String>,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    labelled: Labelled,
    /// Only containers with this name; * stands for anything.
    #[arg(long, short, value_name = "NAME", default_value = "*")]
    containers: String,
    /// A variable to set: KEY=VALUE.
    #[arg(long, short, value_name = "VARIABLE", allow_hyphen_values = true)]
    env: Vec<String>,
    /// A config map or secret each of whose keys becomes a variable: TYPE/NAME.
    #[arg(long, value_name = "RESOURCE", default_value = "")]
    from: String,
    /// Only these keys of what --from names.
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    keys: Vec<String>,
    /// What stands before the names of the variables.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: String,
    /// Print the variables instead.
    #[arg(long)]
    list: bool,
    /// With --list: print the values that are kept elsewhere.
    #[arg(long)]
    resolve: bool,
    /// Allow to change values that are there already.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    overwrite: bool,
}

/// What the words ask for.
#[derive(Debug, Default, PartialEq)]
struct Edits {
    /// Variables, as they stand in a container.
    set: Vec<Value>,
    remove: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    args.flags.one_choice(&args.labelled)?;
    let (resources, changes) = split(&args.words, is_variable)
        .map_err(|_| usage(format!("all resources must be specified before environment changes: {}", args.words.join(" "))))?;
    check(&args, resources)?;
    let mut edits = parse([&args.env, changes].concat(), &|| read_stdin())?;
    if !args.from.is_empty() {
        edits.set.extend(from_resources(context, &args.from, &args.keys).await?);
    }
    for variable in &mut edits.set {
        variable["name"] = format!("{}{}", args.prefix, text(&variable["name"])).into();
    }
    let subjects = args.flags.subjects(context, resources, &args.labelled).await?.all()?;
    let pattern = args.containers.as_str();
    for subject in &subjects {
        let mut object = subject.object.clone();
        if pod_spec(&mut object).is_some_and(|spec| chosen(spec, pattern).next().is_none()) {
            let (kind, name) = (&subject.target.resource.kind, &subject.target.name);
            warn(&format!("{kind}/{name} does not have any containers matching {pattern:?}"));
        }
    }
    let edit = |spec: &mut Value| edit(spec, pattern, &edits, args.overwrite);
    if args.list {
        for subject in &subjects {
            show(&args, context, subject, &edit).await?;
        }
        return Ok(());
    }
    let change = Change {
        context,
        flags: &args.flags,
        recording: None,
        done: "env updated",
        failed: "failed to patch env update to pod template: ",
        always: false,
    };
    change.run(&subjects, &|_| Vec::new(), &edit).await
}

fn check(args: &Args, resources: &[String]) -> Result<()> {
    args.flags.one_place()?;
    if args.flags.files.filename.is_empty() && resources.is_empty() {
        return Err(usage("one or more resources must be specified as <resource> <name> or <resource>/<name>"));
    }
    if args.list && args.flags.writing.output.is_some() {
        return Err(usage("--list and --output may not be specified together"));
    }
    if !args.keys.is_empty() && args.from.is_empty() {
        return Err(usage("when specifying --keys, a configmap or secret must be provided with --from"));
    }
    Ok(())
}

fn is_variable(word: &str) -> bool {
    word.ends_with('-') || word.rfind('=').is_some_and(|at| at > 0)
}

fn read_stdin() -> Result<String> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).map_err(|error| usage(format!("read STDIN: {error}")))?;
    Ok(input)
}

fn parse(words: Vec<String>, stdin: &dyn Fn() -> Result<String>) -> Result<Edits> {
    let mut edits = Edits::default();
    let mut named = Vec::new();
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    for word in words {
        if word == "-" {
            let input = stdin()?;
            let lines = input.lines().map(|line| line.split('#').next().unwrap_or_default());
            edits.set.extend(lines.filter_map(|line| line.split_once('=')).map(|(name, value)| variable(name, value)));
        } else if let Some((name, value)) = word.split_once('=') {
            if !is_name(name) {
                return Err(usage(format!(
                    "{name:?} is not a valid key name: a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', \
                     and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is \
                     '[-._a-zA-Z][-._a-zA-Z0-9]*')"
                )));
            }
            edits.set.push(variable(name, value));
            named.push(name.to_owned());
        } else if let Some(name) = word.strip_suffix('-') {
            edits.remove.push(name.to_owned());
        } else {
            return Err(usage(format!("unknown environment variable: {word}")));
        }
    }
    if edits.remove.iter().any(|name| named.contains(name)) {
        return Err(usage("can not both modify and remove the same environment variable in the same command"));
    }
    Ok(edits)
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    name.bytes().all(fits) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

fn edit(spec: &mut Value, pattern: &str, edits: &Edits, overwrite: bool) -> Result<()> {
    for container in chosen_mut(spec, pattern) {
        let before = list(&container["env"]).to_vec();
        if !overwrite {
            let taken = |new: &&Value| before.iter().find(|old| old["name"] == new["name"] && text(&old["value"]) != text(&new["value"]));
            if let Some(old) = edits.set.iter().find_map(|new| taken(&new)) {
                let (name, value) = (text(&old["name"]), text(&old["value"]));
                return Err(usage(format!("'{name}' already has a value ({value}), and --overwrite is false")));
            }
        }
        let after = updated(&before, edits);
        if after != before {
            map_mut(container).insert("env".into(), after.into());
        }
    }
    Ok(())
}

/// What is set takes the place of what it replaces, or comes last.
fn updated(before: &[Value], edits: &Edits) -> Vec<Value> {
    let mut covered: Vec<&str> = edits.remove.iter().map(String::as_str).collect();
    let mut after = Vec::new();
    for old in before {
        let name = text(&old["name"]);
        if covered.contains(&name) {
            continue;
        }
        match edits.set.iter().find(|new| new["name"] == *name) {
            Some(new) => {
                covered.push(name);
                // An empty value is left out where the server keeps it.
                after.push(if same(old, new) { old.clone() } else { new.clone() });
            }
            None => after.push(old.clone()),
        }
    }
    for new in &edits.set {
        let name = text(&new["name"]);
        if !covered.contains(&name) {
            covered.push(name);
            after.push(new.clone());
        }
    }
    after
}

fn same(old: &Value, new: &Value) -> bool {
    text(&old["value"]) == text(&new["value"]) && old["valueFrom"] == new["valueFrom"]
}

async fn show(args: &Args, context: &Context, subject: &Subject, edit: &dyn Fn(&mut Value) -> Result<()>) -> Result<()> {
    let mut object = subject.object.clone();
    let Some(spec) = pod_spec(&mut object) else { return Ok(()) };
    if edit(spec).is_err() {
        return Ok(());
    }
    let spec = spec.clone();
    for container in chosen(&spec, &args.containers) {
        let (kind, name) = (&subject.target.resource.kind, &subject.target.name);
        print(&format!("# {kind} {name}, container {}\n", text(&container["name"])))?;
        let mut resolver = Resolver::new(context, &object, container);
        for variable in list(&container["env"]) {
            let name = text(&variable["name"]);
            let from = &variable["valueFrom"];
            let value = match from.is_object() {
                false => Some(text(&variable["value"]).to_owned()),
                true if args.resolve => resolver.value(name, from).await?,
                true => None,
            };
            match value {
                Some(value) => print(&format!("{name}={value}\n"))?,
                None => print(&format!("# {name} from {}\n", reference(from)))?,
            }
        }
        resolver.complaints().iter().for_each(|line| notice(line));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn edits(line: &str) -> Edits {
        parse(words(line), &|| Ok("X=1 # no\n# Y=2\nnothing\n".into())).unwrap()
    }

    #[test]
    fn words_and_stdin_are_variables() {
        let read = edits("A=1=2 B- -");
        assert_eq!(read.set, [json!({"name": "A", "value": "1=2"}), json!({"name": "X", "value": "1 "})]);
        assert_eq!(read.remove, ["B"]);
        let said = |line: &str| parse(words(line), &|| Ok(String::new())).unwrap_err().to_string();
        assert_eq!(said("A=1 A-"), "error: can not both modify and remove the same environment variable in the same command");
        assert!(said("1A=1").starts_with("error: \"1A\" is not a valid key name: "));
        assert_eq!(said("A"), "error: unknown environment variable: A");
    }

    #[test]
    fn variables_keep_their_place() {
        let spec = json!({"containers": [{"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]});
        let after = |line: &str| {
            let mut spec = spec.clone();
            edit(&mut spec, "*", &edits(line), true).unwrap();
            let pairs = list(&spec["containers"][0]["env"]).iter().map(|one| format!("{}={}", text(&one["name"]), text(&one["value"])));
            pairs.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(after("B=3 C=4 A=5"), "A=5 B=3 C=4");
        assert_eq!(after("A- C=1 C=2"), "B=2 C=1");
        let kept = edit(&mut spec.clone(), "*", &edits("A=9"), false).unwrap_err();
        assert_eq!(kept.to_string(), "error: 'A' already has a value (1), and --overwrite is false");
    }
}
