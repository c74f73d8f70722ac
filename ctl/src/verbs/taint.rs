//! `taint`: what keeps pods away from nodes, or drives them away.

use mini_api::name::{label_value, qualified_name};
use serde_json::{Value, json};

use crate::{
    changing::{Changing, Subject, Subjects, Wanted, split, subjects},
    context::Context,
    error::{Error, Result, usage},
    selection::{Files, Many},
    value::{list, map_mut, text},
    writing::{DryRun, Validation, Writing},
};

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Update the taints on one or more nodes.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// node NAME…, then KEY=VALUE:EFFECT… to set and KEY[:EFFECT]-… to remove
    words: Vec<String>,
    /// Every node.
    #[arg(long)]
    all: bool,
    /// Only nodes with these labels: a=b, a!=b, a in (b,c), a, !a.
    #[arg(long, short = 'l', value_name = "SELECTOR", allow_hyphen_values = true)]
    selector: Option<String>,
    /// Allow to change taints that are there already.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    writing: Writing,
    /// Accepted; what is sent is checked in any case.
    #[command(flatten)]
    validation: Validation,
}

/// A taint as a person writes it; without an effect it stands for those of any effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

/// What the words ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Edits {
    add: Vec<Taint>,
    remove: Vec<Taint>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let is_taint = |word: &str| word.contains(['=', ':']) || word.ends_with('-');
    let (resources, changes) =
        split(&args.words, is_taint).map_err(|late| usage(format!("all resources must be specified before taint changes: {late}")))?;
    let Some((kind, names)) = resources.split_first() else {
        return Err(usage("one or more resources must be specified as <resource> <name>"));
    };
    if changes.is_empty() {
        return Err(usage("at least one taint update is required"));
    }
    let edits = parse(changes).map_err(|why| usage(format!("{why}\nSee 'mini-ctl taint -h' for help and examples")))?;
    args.writing.form()?;
    let kind = kind.to_lowercase();
    let unknown = |_| Error::Plain(format!("the server doesn't have a resource type {kind:?}"));
    if context.catalog().await?.find(&kind).map_err(unknown)?.kind != "Node" {
        return Err(usage(format!("invalid resource type {kind}, only node types are supported")));
    }
    check(&args, names, &edits)?;
    let chosen = if args.all || args.selector.is_some() { &[] } else { names };
    let words: Vec<String> = std::iter::once("nodes".to_owned()).chain(chosen.iter().cloned()).collect();
    let many = Many { selector: args.selector.clone(), ..Many::default() };
    let wanted = Wanted { words: &words, files: &Files::default(), many: &many, all: args.all, local: false };
    let Subjects { list, mut errors, .. } = subjects(context, &wanted).await?;
    for node in &list {
        errors.extend(taint(&args, context, node, &edits).await.err());
    }
    Error::from_all(errors)
}

async fn taint(args: &Args, context: &Context, node: &Subject, edits: &Edits) -> Result<()> {
    let name = &node.target.name;
    let done = edited(&node.object["spec"]["taints"], name, edits, args.overwrite)?.1;
    let change = |object: &mut Value| {
        let taints = edited(&object["spec"]["taints"], name, edits, args.overwrite)?.0;
        match taints.is_empty() {
            true => drop(map_mut(&mut object["spec"]).remove("taints")),
            false => object["spec"]["taints"] = taints.into(),
        }
        Ok(())
    };
    let changing = Changing { context, writing: &args.writing, manager: "kubectl-taint", local: false, version: None };
    let changed = changing.send(node, &change).await?;
    // kubectl does not say here that it was not really done.
    let plain = Writing { dry_run: DryRun::None, ..args.writing.clone() };
    plain.say(&node.target.resource, changed.as_ref().unwrap_or(&node.object), done)
}

fn check(args: &Args, names: &[String], edits: &Edits) -> Result<()> {
    let both = |added: &Taint| edits.remove.iter().filter(|removed| removed.covers(&added.key, &added.effect)).cloned().collect::<Vec<_>>();
    let both: Vec<String> = edits.add.iter().flat_map(both).map(|removed| format!("{}={}", removed.key, removed.effect)).collect();
    if !both.is_empty() {
        return Err(usage(format!("can not both modify and remove the following taint(s) in the same command: {}", both.join(", "))));
    }
    if args.all && args.selector.is_some() {
        return Err(usage("setting 'all' parameter with a non empty selector is prohibited"));
    }
    if !args.all && args.selector.is_none() && names.is_empty() {
        return Err(usage("at least one resource name must be specified since 'all' parameter is not set"));
    }
    Ok(())
}

impl Taint {
    /// Whether this one, as one to remove, means a taint of that key and effect.
    fn covers(&self, key: &str, effect: &str) -> bool {
        self.key == key && (self.effect.is_empty() || self.effect == effect)
    }

    fn object(&self) -> Value {
        let mut object = json!({"key": self.key, "effect": self.effect});
        if !self.value.is_empty() {
            object["value"] = self.value.clone().into();
        }
        object
    }

    /// `key=value:Effect`, `key:Effect` or `key`.
    fn parse(spec: &str) -> Result<Self, String> {
        let wrong = |why: &[String]| match why {
            [] => format!("invalid taint spec: {spec}"),
            _ => format!("invalid taint spec: {spec}, {}", why.join("; ")),
        };
        let parts: Vec<&str> = spec.split(':').collect();
        let (key, value, effect) = match parts.as_slice() {
            [key] => (*key, "", ""),
            [_, effect] if !EFFECTS.contains(effect) => return Err(format!("invalid taint effect: {effect}, unsupported taint effect")),
            [pair, effect] => match pair.split('=').collect::<Vec<_>>().as_slice() {
                [key] => (*key, "", *effect),
                [key, value] => (*key, *value, *effect),
                _ => return Err(wrong(&[])),
            },
            _ => return Err(wrong(&[])),
        };
        for errors in [label_value(value), qualified_name(key)] {
            if !errors.is_empty() {
                return Err(wrong(&errors));
            }
        }
        Ok(Self { key: key.into(), value: value.into(), effect: effect.into() })
    }
}

fn parse(words: &[String]) -> Result<Edits, String> {
    let mut edits = Edits::default();
    for word in words {
        if let Some(word) = word.strip_suffix('-') {
            edits.remove.push(Taint { value: String::new(), ..Taint::parse(word)? });
            continue;
        }
        let taint = Taint::parse(word)?;
        if taint.effect.is_empty() {
            return Err(format!("invalid taint spec: {word}"));
        }
        if edits.add.iter().any(|other| (&other.key, &other.effect) == (&taint.key, &taint.effect)) {
            let Taint { key, value, effect } = taint;
            return Err(format!("duplicated taints with the same key and effect: {{{key} {value} {effect} <nil>}}"));
        }
        edits.add.push(taint);
    }
    Ok(edits)
}

/// The taints of a node as they are to be, and what is said when they are.
fn edited(before: &Value, node: &str, edits: &Edits, overwrite: bool) -> Result<(Vec<Value>, &'static str)> {
    let before = list(before);
    let is = |taint: &Value, one: &Taint| taint["key"] == *one.key && taint["effect"] == *one.effect;
    let there: Vec<&str> = edits.add.iter().filter(|new| before.iter().any(|old| is(old, new))).map(|new| new.key.as_str()).collect();
    if !overwrite && !there.is_empty() {
        let there = there.join(",");
        return Err(usage(format!("node {node} already has {there} taint(s) with same effect(s) and --overwrite is false")));
    }
    let kept = before.iter().filter(|old| !edits.add.iter().any(|new| is(old, new))).cloned();
    let mut after: Vec<Value> = edits.add.iter().map(Taint::object).chain(kept).collect();
    // This, and that only the last removal counts, is how kubectl knows.
    let added = before.len() != after.len();
    let mut removed = false;
    let mut errors = Vec::new();
    for one in &edits.remove {
        let count = after.len();
        after.retain(|taint| !one.covers(text(&taint["key"]), text(&taint["effect"])));
        removed = count != after.len();
        if !removed {
            let effect = if one.effect.is_empty() { String::new() } else { format!(":{}", one.effect) };
            errors.push(usage(format!("taint {:?} not found", format!("{}{effect}", one.key))));
        }
    }
    Error::from_all(errors)?;
    let done = match (added, removed) {
        _ if overwrite => "modified",
        (true, true) => "modified",
        (true, false) => "tainted",
        (false, _) => "untainted",
    };
    Ok((after, done))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(line: &str) -> Result<Edits, String> {
        parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn words_are_taints() {
        let taint = |key: &str, value: &str, effect: &str| Taint { key: key.into(), value: value.into(), effect: effect.into() };
        let read = edits("a=b:NoSchedule c:NoExecute d- e:NoSchedule- f=g:NoSchedule-").unwrap();
        assert_eq!(read.add, [taint("a", "b", "NoSchedule"), taint("c", "", "NoExecute")]);
        assert_eq!(read.remove, [taint("d", "", ""), taint("e", "", "NoSchedule"), taint("f", "", "NoSchedule")]);
        for (line, why) in [
            ("a:b:c", "invalid taint spec: a:b:c"),
            ("a=b=c:NoSchedule", "invalid taint spec: a=b=c:NoSchedule"),
            ("a=b:Nope", "invalid taint effect: Nope, unsupported taint effect"),
            ("a=b:NoSchedule a=c:NoSchedule", "duplicated taints with the same key and effect: {a c NoSchedule <nil>}"),
        ] {
            assert_eq!(edits(line).unwrap_err(), why);
        }
        assert!(edits("a=b").unwrap_err().starts_with("invalid taint spec: a=b, name part must consist of"));
        assert!(edits("a=-b:NoSchedule").unwrap_err().starts_with("invalid taint spec: a=-b:NoSchedule, a valid label must be"));
    }

    #[test]
    fn taints_are_added_changed_and_removed() {
        let before = json!([{"key": "a", "value": "1", "effect": "NoSchedule"}, {"key": "a", "value": "1", "effect": "NoExecute"}]);
        for (line, overwrite, said) in [
            ("b:NoSchedule", false, "tainted b:NoSchedule a:NoSchedule a:NoExecute"),
            ("a-", false, "untainted "),
            ("a:NoExecute-", false, "untainted a:NoSchedule"),
            ("b:NoSchedule a-", false, "modified b:NoSchedule"),
            ("a=2:NoSchedule", true, "modified a:NoSchedule a:NoExecute"),
            ("a=2:NoSchedule", false, "error: node n already has a taint(s) with same effect(s) and --overwrite is false"),
            ("x-", false, "error: taint \"x\" not found"),
            ("x:NoSchedule- y-", false, "taint \"x:NoSchedule\" not found\ntaint \"y\" not found"),
        ] {
            let shown = match edited(&before, "n", &edits(line).unwrap(), overwrite) {
                Ok((after, done)) => {
                    let after: Vec<String> = after.iter().map(|taint| format!("{}:{}", text(&taint["key"]), text(&taint["effect"]))).collect();
                    format!("{done} {}", after.join(" "))
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(shown, said, "{line}");
        }
    }
}
