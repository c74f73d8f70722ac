//! Files to objects: YAML (1.1 scalars, as kubectl reads them) or JSON, several documents, folders, stdin, lists taken apart.
//! It knows what makes an object (`apiVersion` and `kind`) and nothing about any kind.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use mini_api::selector::Selector;
use serde_json::{Deserializer, Value};

use crate::{
    error::{Result, usage},
    value::{list, strings, text},
};

const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// The limit of the API server on a request; a file needs no more than a few of those.
const MAX_BYTES: u64 = 64 << 20;

/// An object and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    /// The object, with a non-empty `apiVersion` and `kind`.
    pub(crate) object: Value,
    /// The file as the user named it, or `STDIN`.
    pub(crate) source: String,
}

/// Reads every object of the files, folders (their `.yaml`, `.yml`, `.json` files; with `recursive` those of their folders
/// too) or `-` for stdin, in that order.
///
/// # Errors
/// What kubectl says about paths that do not exist, files that do not parse, and objects without a kind.
pub(crate) fn read(names: &[String], recursive: bool) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for name in names {
        if name == "-" {
            documents.extend(parse("STDIN", &read_all(std::io::stdin(), "STDIN")?)?);
            continue;
        }
        if name.starts_with("http://") || name.starts_with("https://") {
            return Err(usage(format!("mini-ctl does not download: fetch {name} and pass the file, or pipe it to `-f -`")));
        }
        for file in files(name, recursive)? {
            let source = file.to_string_lossy().into_owned();
            let reader = std::fs::File::open(&file).map_err(|error| usage(cannot_open(&source, &error)))?;
            documents.extend(parse(&source, &read_all(reader, &source)?)?);
        }
    }
    Ok(documents)
}

/// Those of the documents whose labels a selector wants.
///
/// # Errors
/// When the selector is none.
pub(crate) fn labelled(documents: Vec<Document>, selector: &str) -> Result<Vec<Document>> {
    let selector = Selector::parse(selector).map_err(|error| usage(error.to_string()))?;
    let fits = |document: &Document| {
        let labels = strings(&document.object["metadata"]["labels"]).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        selector.matches(&labels)
    };
    Ok(documents.into_iter().filter(fits).collect())
}

/// Reads the objects of one text; `source` is its name in complaints.
///
/// # Errors
/// As [`read`].
pub(crate) fn parse(source: &str, bytes: &[u8]) -> Result<Vec<Document>> {
    let input = std::str::from_utf8(bytes)
        .map_err(|_| usage(format!("error parsing {source}: error converting YAML to JSON: yaml: invalid leading UTF-8 octet")))?;
    let input = input.strip_prefix('\u{feff}').unwrap_or(input);
    let values = if input.trim_start().starts_with('{') { parse_json(source, input)? } else { parse_yaml(source, input)? };
    let mut documents = Vec::new();
    for value in values {
        flatten(source, value, &mut documents)?;
    }
    Ok(documents)
}

fn read_all(reader: impl Read, source: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| usage(format!("read {source}: {error}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(usage(format!("{source} is larger than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(bytes)
}

/// That a file cannot be opened, in Go's words.
pub(crate) fn cannot_open(file: &str, error: &std::io::Error) -> String {
    let why = error.to_string();
    let why = why.split(" (os error").next().unwrap_or_default().to_lowercase();
    format!("open {file}: {why}")
}

/// The files that `name` stands for: itself, or what is in the folder, sorted.
fn files(name: &str, recursive: bool) -> Result<Vec<PathBuf>> {
    let path = Path::new(name);
    if !path.exists() {
        return Err(usage(format!("the path {name:?} does not exist")));
    }
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    collect(path, recursive, &mut found)?;
    if found.is_empty() {
        return Err(usage(format!("error reading [{name}]: recognized file extensions are [.json .yaml .yml]")));
    }
    Ok(found)
}

fn collect(folder: &Path, recursive: bool, found: &mut Vec<PathBuf>) -> Result<()> {
    let complain = |error: std::io::Error| usage(format!("read folder {}: {error}", folder.display()));
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(complain)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(complain)?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            if recursive {
                collect(&entry, recursive, found)?;
            }
        } else if entry.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| EXTENSIONS.contains(&extension)) {
            found.push(entry);
        }
    }
    Ok(())
}

fn parse_json(source: &str, input: &str) -> Result<Vec<Value>> {
    let mut values = Vec::new();
    for value in Deserializer::from_str(input).into_iter::<Value>() {
        match value {
            Ok(value) => values.push(value),
            Err(error) if error.to_string().starts_with("recursion limit") => {
                return Err(usage(format!("error parsing {source}: json: line {}: nested too deeply", error.line())));
            }
            // A flow mapping such as `{a: b}` is YAML though it starts like JSON.
            Err(error) if error.is_syntax() => return parse_yaml(source, input),
            Err(_) => return Err(usage(format!("error parsing {source}: unexpected EOF"))),
        }
    }
    Ok(values)
}

fn parse_yaml(source: &str, input: &str) -> Result<Vec<Value>> {
    documents(input).map_err(|complaint| usage(format!("error parsing {source}: error converting YAML to JSON: {complaint}")))
}

/// Reads every document of a text that is YAML, or JSON, which is YAML too.
///
/// # Errors
/// What is wrong with it, and where.
pub(crate) fn documents(input: &str) -> Result<Vec<Value>, String> {
    let options = serde_yaml::options! { legacy_octal_numbers: true, with_snippet: false };
    serde_yaml::from_multiple_with_options::<Value>(input, options).map_err(|error| {
        let place = match error.location() {
            Some(location) if location.line() > 1 => format!("line {}: ", location.line()),
            _ => String::new(),
        };
        let text = error.without_snippet().render();
        format!("yaml: {place}{}", complaint(&text))
    })
}

/// The parser's complaint in one line, without the place (which stands in front) and without advice for programmers.
fn complaint(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or(line);
    match line.strip_prefix("duplicate mapping key: ") {
        Some(rest) => format!("key {:?} already set in map", rest.split(", set ").next().unwrap_or(rest)),
        None => line.to_owned(),
    }
}

/// Checks that `value` is an object of some kind, and takes lists apart.
fn flatten(source: &str, mut value: Value, documents: &mut Vec<Document>) -> Result<()> {
    whole_numbers(&mut value);
    if value.is_null() {
        return Ok(());
    }
    if !value.is_object() {
        let what = if value.is_array() { "array" } else { "scalar" };
        return Err(usage(format!("unable to decode {source:?}: an object with apiVersion and kind is expected, found a bare {what}")));
    }
    for (field, name) in [("kind", "Kind"), ("apiVersion", "apiVersion")] {
        if text(&value[field]).is_empty() {
            return Err(usage(format!("unable to decode {source:?}: Object '{name}' is missing in '{value}'")));
        }
    }
    if text(&value["kind"]).ends_with("List") && value["items"].is_array() {
        return list(&value["items"]).iter().try_for_each(|item| flatten(source, item.clone(), documents));
    }
    documents.push(Document { object: value, source: source.to_owned() });
    Ok(())
}

/// Writes floating point numbers without a fraction as integers, as Go does: `1e3` may be a number of replicas.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
            if float.fract() == 0.0 && float.abs() < 9e18 {
                *value = (float as i64).into();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(whole_numbers),
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(input: &str) -> String {
        parse("x.yml", input.as_bytes()).unwrap_err().to_string()
    }

    fn objects(input: &str) -> Vec<Value> {
        parse("x.yml", input.as_bytes()).unwrap().into_iter().map(|document| document.object).collect()
    }

    /// Scalars, and the JSON that the real kubectl 1.32 makes of them (`kubectl label --local -o json`). Known to differ:
    /// `tRue` (a boolean for us), `1__0` (a string for us), `1e400` (refused by us).
    const RECORDED: &[(&str, &str)] = &[
        ("yes", "true"),
        ("No", "false"),
        ("ON", "true"),
        ("off", "false"),
        ("y", "true"),
        ("n", "false"),
        ("true", "true"),
        ("True", "true"),
        ("TRUE", "true"),
        ("null", "null"),
        ("Null", "null"),
        ("~", "null"),
        ("", "null"),
        ("0644", "420"),
        ("0o17", "15"),
        ("017", "15"),
        ("08", "8"),
        ("09", "9"),
        ("0x1F", "31"),
        ("0b101", "5"),
        ("1_000", "1000"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1.", "1"),
        ("1.0", "1"),
        (".5", "0.5"),
        ("-5", "-5"),
        ("+5", "5"),
        ("12:30", "\"12:30\""),
        ("1:30:00", "\"1:30:00\""),
        ("2026-11-20", "\"2026-11-20\""),
        ("2026-11-20T10:00:00Z", "\"2026-11-20T10:00:00Z\""),
        ("1Gi", "\"1Gi\""),
        ("100m", "\"100m\""),
        ("a b", "\"a b\""),
        ("0", "0"),
        ("-0", "0"),
        ("9223372036854775807", "9223372036854775807"),
        ("=", "\"=\""),
        ("!!str 1", "\"1\""),
        ("! 1", "\"1\""),
        ("'1'", "\"1\""),
        ("'\"'", "\"\\\"\""),
        ("\"a\\tb\"", "\"a\\tb\""),
        ("\"\\u00e9\"", "\"é\""),
        ("0_7", "7"),
        ("0b2", "\"0b2\""),
        ("+0x10", "16"),
        ("-0o7", "-7"),
        ("-017", "-15"),
        ("0.0", "0"),
        ("1e-7", "1e-7"),
        ("0.1", "0.1"),
        ("é", "\"é\""),
        ("a:b", "\"a:b\""),
        ("1,000", "\"1,000\""),
        ("0.0.0.0", "\"0.0.0.0\""),
        ("1e", "\"1e\""),
        ("-x", "\"-x\""),
        ("0x", "\"0x\""),
        ("~x", "\"~x\""),
        ("YES", "true"),
        ("Off", "false"),
        ("N", "false"),
        ("Y", "true"),
        ("!!int '3'", "3"),
        ("!!float 3", "3"),
        ("'it''s'", "\"it's\""),
    ];

    #[test]
    fn scalars_read_as_kubectl_reads_them() {
        let read = |text: &str| objects(&format!("apiVersion: v1\nkind: X\nv: {text}\n"))[0]["v"].clone();
        let different: Vec<_> =
            RECORDED.iter().map(|(text, json)| (*text, read(text).to_string(), *json)).filter(|(_, ours, theirs)| ours != theirs).collect();
        assert!(different.is_empty(), "{different:#?}");
    }

    #[test]
    fn several_documents_and_lists_become_objects() {
        let input = "---\napiVersion: v1\nkind: A\n---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: B}\n- {apiVersion: v1, kind: C}\n";
        let kinds: Vec<_> = objects(input).iter().map(|object| object["kind"].clone()).collect();
        assert_eq!(kinds, ["A", "B", "C"]);
        let json = "{\"apiVersion\":\"v1\",\"kind\":\"A\"}\n{\"apiVersion\":\"v1\",\"kind\":\"B\"}";
        assert_eq!(objects(json).len(), 2);
        assert_eq!(objects("{apiVersion: v1, kind: A}").len(), 1);
    }

    #[test]
    fn broken_yaml_names_the_file_and_the_line() {
        let text = said("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n   b: c\n");
        assert!(text.starts_with("error: error parsing x.yml: error converting YAML to JSON: yaml: line 5: "), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        let twice = said("apiVersion: v1\nkind: A\ndata:\n  a: 1\n  a: 2\n");
        assert_eq!(twice, "error: error parsing x.yml: error converting YAML to JSON: yaml: line 5: key \"a\" already set in map");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert_eq!(
            said("apiVersion: v1\nmetadata:\n  name: a\n"),
            "error: unable to decode \"x.yml\": Object 'Kind' is missing in '{\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}}'"
        );
        assert!(said("hello\n").starts_with("error: unable to decode \"x.yml\": "));
        assert_eq!(said("{\"apiVersion\":\"v1\",\"kind\":\"A\""), "error: error parsing x.yml: unexpected EOF");
    }

    #[test]
    fn deep_nesting_is_refused_and_not_a_crash() {
        let deep = format!("{{\"apiVersion\":\"v1\",\"kind\":\"A\",\"x\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(said(&deep), "error: error parsing x.yml: json: line 1: nested too deeply");
        let deep = format!("apiVersion: v1\nkind: A\nx: {}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(said(&deep).starts_with("error: error parsing x.yml: error converting YAML to JSON: yaml: "));
    }

    #[test]
    fn folders_are_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b.yaml"), "apiVersion: v1\nkind: B\n").unwrap();
        std::fs::write(folder.path().join("a.json"), "{\"apiVersion\":\"v1\",\"kind\":\"A\"}").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "not read").unwrap();
        let name = folder.path().to_string_lossy().into_owned();
        let kinds: Vec<_> = read(&[name], false).unwrap().iter().map(|document| document.object["kind"].clone()).collect();
        assert_eq!(kinds, ["A", "B"]);
        assert_eq!(read(&["nope.yaml".into()], false).unwrap_err().to_string(), "error: the path \"nope.yaml\" does not exist");
    }
}
