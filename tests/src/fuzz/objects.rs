//! Objects of every kind that a server might just accept: ordinary ones, changed in a few places by what their type allows.

use std::sync::LazyLock;

use mini_apiserver::{
    kinds::{Kind, Version, table},
    schema::{Int, Schema},
};
use serde_json::{Map, Value, json};

use super::dice::Dice;

/// An ordinary object of every kind, one a line.
const SEEDS: &str = include_str!("seeds.jsonl");
/// The deepest that new fields are nested.
const DEEPEST: usize = 5;

/// Every kind.
pub(super) static TABLE: LazyLock<Vec<Kind>> = LazyLock::new(table);

static PARSED: LazyLock<Vec<(usize, Value)>> = LazyLock::new(|| {
    let parse = |line| {
        let seed: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let of = |kind: &Kind| kind.name == seed["kind"] && kind.versions.iter().any(|version| version.api_version == seed["apiVersion"]);
        (TABLE.iter().position(of).unwrap_or_else(|| panic!("no kind of ours: {line}")), seed)
    };
    SEEDS.lines().map(parse).collect()
});

/// Words that mean something in some field. Those in front mean something in many.
const WORDS: [&str; 84] = [
    "a",
    "b",
    "seed",
    "web",
    "c",
    "d",
    "1",
    "",
    "http",
    "default",
    "example.com/x",
    "Always",
    "Never",
    "TCP",
    "UDP",
    "SCTP",
    "Exists",
    "In",
    "NotIn",
    "DoesNotExist",
    "Equal",
    "NoSchedule",
    "NoExecute",
    "10.1.2.3",
    "10.254.0.9",
    "::1",
    "fd00::1",
    "10.0.0.0/8",
    "50%",
    "101%",
    "/a",
    "/",
    "../a",
    "a/b",
    "$(N)",
    "1Gi",
    "100m",
    "2026-01-01T00:00:00Z",
    "LoadBalancer",
    "ClusterIP",
    "NodePort",
    "ExternalName",
    "None",
    "Local",
    "Cluster",
    "ClientIP",
    "RollingUpdate",
    "Recreate",
    "OnDelete",
    "Parallel",
    "OrderedReady",
    "IfNotPresent",
    "OnFailure",
    "Indexed",
    "Forbid",
    "Replace",
    "Prefix",
    "Exact",
    "IPv4",
    "IPv6",
    "PreferDualStack",
    "ReadWriteOnce",
    "ReadOnlyMany",
    "Filesystem",
    "Block",
    "Memory",
    "Retain",
    "Delete",
    "Immediate",
    "WaitForFirstConsumer",
    "Resource",
    "Utilization",
    "Pods",
    "Max",
    "Ignore",
    "Equivalent",
    "kubernetes.io/tls",
    "kubernetes.io/dockerconfigjson",
    "metadata.name",
    "limits.cpu",
    "ServiceAccount",
    "Restricted",
    "A_B",
    "é",
];

const INTEGERS: [i64; 16] = [1, 0, 2, 80, 3, -1, 30, 443, 600, 30080, 65535, 65536, i32::MAX as i64, i32::MIN as i64, i64::MAX, i64::MIN];

const QUANTITIES: [&str; 14] =
    ["1", "100m", "1Gi", "0", "0.5", "2", "1.5Gi", "1e3", "1n", "-1", "0.1m", "9223372036854775807", "10E", "1Ki"];

/// Anything, for where anything may stand.
const ANYTHING: [fn() -> Value; 8] = [
    || json!({}),
    || json!("a"),
    || json!(1),
    || json!({ "a": { "b": [1, null] } }),
    || json!(null),
    || json!([]),
    || json!(true),
    || json!(1.5e300),
];

/// A kind's place in the table, a version's place in its row, and an object of that version.
pub(super) struct Made {
    pub(super) kind: usize,
    pub(super) version: usize,
    pub(super) value: Value,
}

impl Made {
    pub(super) fn kind(&self) -> &'static Kind {
        &TABLE[self.kind]
    }

    pub(super) fn version(&self) -> &'static Version {
        &self.kind().versions[self.version]
    }
}

/// An ordinary object in one of its kind's versions.
pub(super) fn ordinary(dice: &mut Dice<'_>) -> Made {
    let (kind, seed) = dice.pick(&PARSED);
    let row = &TABLE[*kind];
    let own = row.versions.iter().position(|version| version.api_version == seed["apiVersion"]).unwrap_or(0);
    let (mut version, mut value) = (own, seed.clone());
    if own == 0 && dice.chance(1, 3) {
        version = dice.below(row.versions.len());
        (row.versions[version].conversion.downgrade)(&mut value);
        value["apiVersion"] = row.versions[version].api_version.clone().into();
    }
    Made { kind: *kind, version, value }
}

/// An object changed in a few places.
pub(super) fn strange(dice: &mut Dice<'_>) -> Made {
    let mut made = ordinary(dice);
    let schema = (made.version().schema)();
    for _ in 0..dice.below(5) {
        change(dice, &schema, &mut made.value, 0);
    }
    made
}

/// Changes one place in or below a value.
fn change(dice: &mut Dice<'_>, schema: &Schema, value: &mut Value, depth: usize) {
    if depth > 0 && dice.chance(1, 60) {
        *value = dice.pick(&ANYTHING)();
        return;
    }
    match (schema, &mut *value) {
        (Schema::Struct(of), Value::Object(fields)) => {
            // What says of which type it is would only make it no object at all.
            let counts = |name: &str| depth > 0 || !matches!(name, "apiVersion" | "kind");
            let there: Vec<String> = fields.keys().filter(|name| counts(name)).cloned().collect();
            // The beginning of an object is its type and its spec: what is worth changing is further down.
            let descend = !there.is_empty() && !dice.chance(if depth < 2 { 2 } else { 8 }, 16);
            if descend {
                // What holds more is worth more than a word.
                let larger: Vec<String> =
                    there.iter().filter(|name| fields[name.as_str()].is_object() || fields[name.as_str()].is_array()).cloned().collect();
                let name = if larger.is_empty() || dice.chance(1, 4) { dice.pick(&there) } else { dice.pick(&larger) };
                if let Some(field) = of.field(name) {
                    change(dice, &field.schema, &mut fields[name.as_str()], depth + 1);
                }
            } else if !there.is_empty() && dice.chance(1, 8) {
                fields.remove(dice.pick(&there));
            } else if !of.fields().is_empty() {
                let field = dice.pick(of.fields());
                if counts(&field.name) {
                    fields.insert(field.name.to_string(), fresh(dice, &field.schema, depth));
                }
            }
        }
        (Schema::Map(of), Value::Object(entries)) => {
            let there: Vec<String> = entries.keys().cloned().collect();
            match dice.below(4) {
                0 if !there.is_empty() => {
                    let name = dice.pick(&there);
                    change(dice, &of.elem, &mut entries[name.as_str()], depth + 1);
                }
                1 if !there.is_empty() => _ = entries.remove(dice.pick(&there)),
                _ => _ = entries.insert((*dice.pick(&WORDS)).to_owned(), fresh(dice, &of.elem, depth)),
            }
        }
        (Schema::List(of), Value::Array(items)) => {
            let at = dice.below(items.len());
            match dice.below(6) {
                0..3 if !items.is_empty() => change(dice, &of.elem, &mut items[at], depth + 1),
                3 if !items.is_empty() => items.push(items[at].clone()),
                4 if !items.is_empty() => _ = items.remove(at),
                _ => items.push(fresh(dice, &of.elem, depth)),
            }
        }
        _ => *value = fresh(dice, schema, depth),
    }
}

/// A value of this type.
fn fresh(dice: &mut Dice<'_>, schema: &Schema, depth: usize) -> Value {
    match schema {
        Schema::Struct(of) => {
            let mut object = Map::new();
            if depth < DEEPEST {
                for field in of.fields().iter().filter(|field| field.required) {
                    object.insert(field.name.to_string(), fresh(dice, &field.schema, depth + 1));
                }
                for _ in 0..dice.below(3).min(of.fields().len()) {
                    let field = dice.pick(of.fields());
                    object.insert(field.name.to_string(), fresh(dice, &field.schema, depth + 1));
                }
            }
            Value::Object(object)
        }
        Schema::Map(of) => {
            let some = dice.below(3);
            (0..some).map(|_| ((*dice.pick(&WORDS)).to_owned(), fresh(dice, &of.elem, depth + 1))).collect::<Map<_, _>>().into()
        }
        Schema::List(of) => {
            let some = if depth < DEEPEST { dice.below(3) } else { 0 };
            (0..some).map(|_| fresh(dice, &of.elem, depth + 1)).collect()
        }
        Schema::String if dice.chance(1, 12) => dice.text(&WORDS, 6).into(),
        Schema::String => (*dice.pick(&WORDS)).into(),
        Schema::Bytes => (*dice.pick(&["YQ==", "", "AAEC", "YQ", "*"])).into(),
        Schema::Integer(Int::I32) if dice.chance(15, 16) => (*dice.pick(&INTEGERS[..14])).into(),
        Schema::Integer(_) => (*dice.pick(&INTEGERS)).into(),
        Schema::Number => dice.pick(&[json!(1.0), json!(0), json!(-1.5), json!(1e300)]).clone(),
        Schema::Boolean => dice.chance(1, 2).into(),
        Schema::Quantity => (*dice.pick(&QUANTITIES)).into(),
        Schema::IntOrString if dice.chance(1, 2) => (*dice.pick(&INTEGERS[..14])).into(),
        Schema::IntOrString => (*dice.pick(&["50%", "http", "", "1", "101%", "A_", "-1%"])).into(),
        Schema::Time => (*dice.pick(&["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+02:00", "0001-01-01T00:00:00Z", "now"])).into(),
        Schema::MicroTime => {
            (*dice.pick(&["2026-01-01T00:00:00.123456Z", "2026-01-01T00:00:00.000000+02:00", "2026-01-01T00:00:00Z"])).into()
        }
        Schema::Any => dice.pick(&ANYTHING)(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_can_be_written_has_a_seed() {
        let without = TABLE.iter().enumerate().filter(|(place, kind)| {
            kind.later.is_none() && kind.body_of.is_none() && kind.verbs.contains(&"create") && PARSED.iter().all(|(of, _)| of != place)
        });
        assert_eq!(without.map(|(_, kind)| kind.name).collect::<Vec<_>>(), Vec::<&str>::new());
    }
}
