//! Whatever comes as a body, the server answers what is wrong with it, briefly, and needs no more memory than the body deserves.

use super::{
    dice::Dice,
    objects,
    server::{JSON, Reply, world},
};

/// What the memory of this process may have grown to at its height, in KiB, other tests in it included.
const MOST_MEMORY: u64 = 2 * 1024 * 1024;

const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

pub(super) fn run(input: &[u8]) {
    let mut dice = Dice::of(input);
    let made = objects::strange(&mut dice);
    let (form, body) = match dice.below(8) {
        0 => (JSON, nested(&mut dice, &["[", "{\"a\":", "{\"metadata\":", "{\"data\":"])),
        1 => (JSON, spliced(&mut dice, made.value.to_string().into_bytes())),
        2 => (JSON, strings(&mut dice)),
        3 => (JSON, numbers(&mut dice)),
        4 => (YAML, nested(&mut dice, &["[", "{a: ", "- ", "? "])),
        5 => (YAML, bomb(&mut dice)),
        6 => (YAML, dice.text(&YAML_WORDS, 40).into_bytes()),
        _ => (PROTOBUF, protobuf(&mut dice)),
    };
    let row = made.kind();
    let version = made.version();
    let root = if version.group.is_empty() { "api" } else { "apis" };
    let namespace = if row.namespaced { "namespaces/default/" } else { "" };
    let collection = format!("/{root}/{}/{namespace}{}", version.api_version, row.plural);
    let world = world();
    let shown = String::from_utf8_lossy(&body[..body.len().min(400)]).into_owned();
    let patch = *dice.pick(&["application/merge-patch+json", "application/json-patch+json", "application/strategic-merge-patch+json"]);
    let (method, path, form) = match dice.below(5) {
        0 => ("POST", format!("{collection}?dryRun=All"), form),
        1 => ("PUT", format!("{collection}/seed?dryRun=All&fieldValidation=Strict"), form),
        2 => ("PATCH", format!("{MAP}?dryRun=All&fieldManager=me&fieldValidation=Strict"), "application/apply-patch+yaml"),
        3 => ("PATCH", format!("{MAP}?dryRun=All"), patch),
        _ => ("DELETE", format!("{MAP}?dryRun=All"), form),
    };
    let answer: Reply = world.send(method, &path, form, body.clone());
    answer.check(&(method, &path, form, &shown));
    let most = 64 * 1024 + 16 * body.len();
    assert!(answer.body.len() <= most, "{method} {path} of {} bytes was answered with {}: {shown}", body.len(), answer.body.len());
    let height = height();
    assert!(height < MOST_MEMORY, "{height} KiB of memory after {} bytes: {shown}", body.len());
}

/// An object that is always there.
const MAP: &str = "/api/v1/namespaces/default/configmaps/always";

/// The height of this process's memory, in KiB.
fn height() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Brackets in brackets.
fn nested(dice: &mut Dice<'_>, brackets: &[&str]) -> Vec<u8> {
    let depth = *dice.pick(&[10, 100, 127, 128, 129, 1000, 10_000, 100_000]);
    let mut text = dice.pick(brackets).repeat(depth);
    if dice.chance(1, 2) {
        let closed: String = text
            .chars()
            .rev()
            .filter_map(|open| match open {
                '[' => Some(']'),
                '{' => Some('}'),
                _ => None,
            })
            .collect();
        text = text + "1" + &closed;
    }
    text.into_bytes()
}

/// An object with some of its bytes replaced, removed or doubled.
fn spliced(dice: &mut Dice<'_>, mut text: Vec<u8>) -> Vec<u8> {
    for _ in 0..=dice.below(4) {
        let (from, length) = (dice.below(text.len()), dice.below(12));
        let to = (from + length).min(text.len());
        let with = match dice.below(4) {
            0 => dice.bytes(6),
            1 => text[from..to].repeat(2),
            2 => (*dice.pick(&[&b"\xff\xfe"[..], b"\\ud800", b"\\udc00\\ud800", b"null", b",", b"\0", b"\xed\xa0\x80"])).to_vec(),
            _ => Vec::new(),
        };
        text.splice(from..to, with);
        if text.is_empty() {
            break;
        }
    }
    text
}

/// Keys and values that are hard to write down.
fn strings(dice: &mut Dice<'_>) -> Vec<u8> {
    const ODD: [&str; 12] =
        [r"\ud800", r"\udfff\ud800", r"\u0000", r"\ud83d\ude00", r"\/", r"\b", "\u{feff}", "\u{2028}", "~1", "$patch", "f:a", "\u{10ffff}"];
    let mut body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"#.to_owned();
    for number in 0..dice.below(6) {
        let comma = if number > 0 { "," } else { "" };
        body += &format!(r#"{comma}"{}":"{}""#, dice.text(&["a", "b"], 2).replace(['"', '\\', '\n', '\t', '\0'], ""), dice.pick(&ODD));
    }
    body += *dice.pick(&["}}", "},\"data\":{\"a\":\"again\"}}", "},\"metadata\":{\"name\":\"a\",\"name\":\"b\"}}", "}}}}", "}} "]);
    body.into_bytes()
}

/// Numbers that no type holds.
fn numbers(dice: &mut Dice<'_>) -> Vec<u8> {
    let digits = "9".repeat(*dice.pick(&[1, 10, 19, 20, 40, 400, 100_000]));
    let number = match dice.below(6) {
        0 => digits,
        1 => format!("-{digits}"),
        2 => format!("0.{digits}"),
        3 => format!("1e{digits}"),
        4 => format!("-0.0e-{digits}"),
        _ => format!("{digits}.{digits}E+1"),
    };
    let place = dice.pick(&[
        r#"{"spec":{"replicas":N}}"#,
        r#"{"metadata":{"generation":N}}"#,
        r#"{"spec":{"ports":[{"port":N,"targetPort":N}]}}"#,
        r#"{"spec":{"hard":{"pods":N,"cpu":"N"}}}"#,
        r#"{"value":N}"#,
        r#"{"revision":N,"data":N}"#,
        "N",
    ]);
    place.replace('N', &number).into_bytes()
}

const YAML_WORDS: [&str; 34] = [
    "a",
    "apiVersion: v1\n",
    "kind: ConfigMap\n",
    "metadata:\n",
    "  name: a\n",
    "data:\n",
    "  k: v\n",
    ": ",
    "- ",
    "\n",
    "  ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&x ",
    "*x ",
    "<<: *x\n",
    "!!binary ",
    "!!str ",
    "!foo ",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "---\n",
    "...\n",
    "? ",
    "# c\n",
    "%YAML 1.1\n",
    "~",
    "0o17",
    ".inf",
];

/// Anchors that stand for more and more.
fn bomb(dice: &mut Dice<'_>) -> Vec<u8> {
    let (levels, width) = (*dice.pick(&[3, 6, 9, 12, 30]), *dice.pick(&[2, 9, 10, 100]));
    let mut text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\na0: &a0 [x, x]\n".to_owned();
    for level in 1..=levels {
        let list = vec![format!("*a{}", level - 1); width].join(", ");
        text += &match dice.below(2) {
            0 => format!("a{level}: &a{level} [{list}]\n"),
            _ => format!("a{level}: &a{level} {{x: [{list}], y: *a{}}}\n", level - 1),
        };
    }
    text += &format!("data: *a{levels}\n");
    text.into_bytes()
}

/// Messages in messages, in the envelope that tells a kind.
fn protobuf(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut body = b"k8s\0".to_vec();
    let type_meta = [&[10, 2][..], b"v1", &[18, 9], b"ConfigMap"].concat();
    field(&mut body, 1, &type_meta);
    let raw = message(dice, 0);
    field(&mut body, 2, &raw);
    if dice.chance(1, 4) { spliced(dice, body) } else { body }
}

fn message(dice: &mut Dice<'_>, depth: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for _ in 0..dice.below(5) {
        let number = u64::try_from(dice.below(20)).unwrap_or(0);
        match dice.below(6) {
            0 => {
                varint(&mut message, number << 3);
                varint(&mut message, *dice.pick(&[1, 0, 80, u64::MAX, 1 << 31]));
            }
            1 => message.extend(dice.bytes(4)),
            2 => field(&mut message, number, dice.pick(&["a", "", "Always", "10.0.0.1"]).as_bytes()),
            _ if depth < 80 => {
                let inner = self::message(dice, depth + 1);
                field(&mut message, number, &inner);
            }
            _ => {}
        }
    }
    message
}

fn field(message: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(message, number << 3 | 2);
    varint(message, u64::try_from(bytes.len()).unwrap_or(0));
    message.extend_from_slice(bytes);
}

fn varint(message: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        message.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    message.push(u8::try_from(number).unwrap_or(0));
}
