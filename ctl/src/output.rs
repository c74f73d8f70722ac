//! The forms in which verbs print objects: what may follow `-o`. It knows no kind.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    columns::Columns,
    discover::Resource,
    error::{Result, usage},
    golang::{file_error, html_escaped},
    jsonpath::JsonPath,
    print::{TabWriter, print},
    template::Template,
    value::{list, map_mut, name},
    yaml,
};

/// A form other than a sentence or a table.
#[derive(Debug)]
pub(crate) enum Output {
    Yaml,
    Json,
    Name,
    JsonPath(JsonPath),
    /// The values of a template as JSON lists.
    JsonPathAsJson(JsonPath),
    Template(Template),
    /// Only where there are tables.
    Columns(Columns),
    /// The table with all its columns; only where there are tables.
    Wide,
}

/// The flags of verbs that print objects, beside `-o`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Templates {
    /// Fields that are not there are empty in a template; with =false they are an error.
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    allow_missing_template_keys: bool,
    /// The template, or the file with it, where -o names only its kind [default kind: go-template].
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
}

impl Default for Templates {
    fn default() -> Self {
        Self { allow_missing_template_keys: true, template: None }
    }
}

/// What every verb can print, and what `get` can beside.
const FORMS: &[&str] = &[
    "custom-columns",
    "custom-columns-file",
    "go-template",
    "go-template-file",
    "json",
    "jsonpath",
    "jsonpath-as-json",
    "jsonpath-file",
    "name",
    "template",
    "templatefile",
    "wide",
    "yaml",
];

impl Templates {
    /// The form that the flags ask for, if any; `tables`: columns are such a form, too.
    ///
    /// # Errors
    /// When it is no form.
    pub(crate) fn form(&self, output: Option<&str>, tables: bool) -> Result<Option<Output>> {
        let output = output.filter(|output| !output.is_empty());
        match (output, &self.template) {
            (None, None) => Ok(None),
            (Some(output), _) => self.parse(output, tables).map(Some),
            (None, Some(_)) => self.parse("go-template", tables).map(Some),
        }
    }

    fn parse(&self, text: &str, tables: bool) -> Result<Output> {
        let (form, argument) = text.split_once('=').map_or((text, None), |(form, argument)| (form, Some(argument)));
        let strict = !self.allow_missing_template_keys;
        let template = || {
            let given = argument.or(self.template.as_deref()).filter(|given| !given.is_empty());
            given.ok_or_else(|| usage("template format specified but no template given"))
        };
        let from_file = || {
            let file = template()?;
            std::fs::read_to_string(file).map_err(|error| usage(format!("error reading --template {file}, {}\n", file_error(file, &error))))
        };
        match form {
            "jsonpath" => return Ok(Output::JsonPath(JsonPath::parse_strict(template()?, strict)?)),
            "jsonpath-as-json" => return Ok(Output::JsonPathAsJson(JsonPath::parse_strict(template()?, strict)?)),
            "jsonpath-file" => return Ok(Output::JsonPath(JsonPath::parse_strict(&from_file()?, strict)?)),
            "go-template" | "template" => return Ok(Output::Template(Template::parse(template()?, strict)?)),
            "go-template-file" | "templatefile" => return Ok(Output::Template(Template::parse(&from_file()?, strict)?)),
            "custom-columns" if tables => {
                return Ok(Output::Columns(Columns::parse(argument.or(self.template.as_deref()).unwrap_or_default())?));
            }
            "custom-columns-file" if tables => {
                let file = argument.or(self.template.as_deref()).unwrap_or_default();
                let text = std::fs::read_to_string(file)
                    .map_err(|error| usage(format!("error reading template {file}, {}\n", file_error(file, &error))))?;
                return Ok(Output::Columns(Columns::parse_lines(&text)?));
            }
            "wide" if tables && argument.is_none() => return Ok(Output::Wide),
            _ => {}
        }
        match text.to_lowercase().as_str() {
            "yaml" => Ok(Output::Yaml),
            "json" => Ok(Output::Json),
            "name" => Ok(Output::Name),
            _ => {
                let fits = |form: &&&str| tables || !(form.starts_with("custom") || **form == "wide");
                let forms: Vec<&str> = FORMS.iter().filter(fits).copied().collect();
                Err(usage(format!(
                    "unable to match a printer suitable for the output format {text:?}, allowed formats are: {}",
                    forms.join(",")
                )))
            }
        }
    }
}

impl Output {
    /// An object, or a list of them, in this form.
    ///
    /// # Errors
    /// Templates that do not fit the object.
    pub(crate) fn render(&self, resource: &Resource, object: &Value) -> Result<String> {
        match self {
            Self::Yaml => Ok(yaml::to_string(object)),
            Self::Json => json_text(object),
            Self::Name => Ok(format!("{}/{}\n", resource.qualified_singular(), name(object))),
            Self::JsonPath(path) => path.render(object),
            Self::JsonPathAsJson(path) => path.render_json(object),
            Self::Template(template) => template.render(object),
            Self::Columns(columns) => {
                let mut writer = TabWriter::table();
                columns.head(&mut writer);
                let objects = if object["items"].is_array() { list(&object["items"]) } else { std::slice::from_ref(object) };
                let outcome = objects.iter().try_for_each(|object| columns.line(object, &mut writer));
                let text = writer.take();
                if outcome.is_err() {
                    print(&text)?;
                }
                outcome.map(|()| text)
            }
            Self::Wide => Ok(String::new()),
        }
    }

    /// The object as this form shows it unless the user wants everything: only people are spared who manages which field.
    pub(crate) fn spared(&self, object: Value) -> Value {
        if matches!(self, Self::Yaml | Self::Json) { trimmed(object) } else { object }
    }
}

/// The object without the notes on who manages which field.
pub(crate) fn trimmed(mut object: Value) -> Value {
    if object["metadata"].is_object() {
        map_mut(&mut object["metadata"]).remove("managedFields");
    }
    object
}

/// Several objects in one form, as a list: for verbs whose list kubectl makes itself, with its kind first in JSON.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn list_of(form: &Output, objects: Vec<Value>) -> Result<String> {
    if matches!(form, Output::Json) {
        let items = json_text(&objects.into())?.trim_end().replace('\n', "\n    ");
        let head = r#"    "kind": "List",
    "apiVersion": "v1",
    "metadata": {},"#;
        return Ok(format!("{{\n{head}\n    \"items\": {items}\n}}\n"));
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": objects});
    form.render(&Resource { kind: "List".into(), ..Resource::default() }, &list)
}

/// JSON indented by four spaces, as kubectl prints it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn json_text(value: &Value) -> Result<String> {
    json_indented(value, 4)
}

/// JSON indented by so many spaces.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn json_indented(value: &Value, spaces: usize) -> Result<String> {
    use serde::Serialize;
    let mut bytes = Vec::new();
    let indent = " ".repeat(spaces);
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    value.serialize(&mut serializer).map_err(|error| usage(error.to_string()))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map(|text| html_escaped(&text)).map_err(|error| usage(error.to_string()))
}

/// The fields that come first in what kubectl decodes before it prints it, by what they are fields of; then come those that are not
/// named here. What stands at the top is an object, a list of them, or a kubeconfig file.
const FIRST: &[(&str, &str)] = &[
    (
        "",
        "kind apiVersion metadata preferences clusters users contexts current-context name involvedObject reason message source \
         firstTimestamp lastTimestamp count type eventTime series action related reportingComponent reportingInstance",
    ),
    (
        "metadata",
        "name generateName namespace selfLink uid resourceVersion generation creationTimestamp deletionTimestamp \
         deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields",
    ),
    ("involvedObject", "kind namespace name uid apiVersion resourceVersion fieldPath"),
    ("userInfo", "username uid groups extra"),
    ("cluster", "server tls-server-name insecure-skip-tls-verify certificate-authority certificate-authority-data proxy-url"),
    ("context", "cluster user namespace"),
    (
        "user",
        "client-certificate client-certificate-data client-key client-key-data token tokenFile as as-uid as-groups username password exec",
    ),
    ("exec", "command args env apiVersion installHint provideClusterInfo interactiveMode"),
];

/// The first fields of what this field holds.
fn first_of(field: &str) -> Vec<&'static str> {
    let field = if ["items", "clusters", "users", "contexts"].contains(&field) { "" } else { field };
    FIRST.iter().find(|(known, _)| *known == field).map(|(_, names)| names.split(' ').collect()).unwrap_or_default()
}

/// JSON with the fields that every object has in kubectl's order; the others are in the order of their names.
pub(crate) fn typed_json(value: &Value) -> String {
    let mut out = String::new();
    typed(&mut out, value, 0, &first_of(""));
    html_escaped(&out) + "\n"
}

fn typed(out: &mut String, value: &Value, indent: usize, first: &[&str]) {
    let line = |out: &mut String, indent: usize| {
        out.push('\n');
        out.push_str(&" ".repeat(indent));
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by_key(|key| first.iter().position(|known| known == key).unwrap_or(first.len()));
            for (at, key) in keys.into_iter().enumerate() {
                out.push(if at == 0 { '{' } else { ',' });
                line(out, indent + 4);
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push_str(": ");
                typed(out, &map[key], indent + 4, &first_of(key));
            }
            line(out, indent);
            out.push('}');
        }
        Value::Array(list) if !list.is_empty() => {
            for (at, element) in list.iter().enumerate() {
                out.push(if at == 0 { '[' } else { ',' });
                line(out, indent + 4);
                typed(out, element, indent + 4, first);
            }
            line(out, indent);
            out.push(']');
        }
        simple => out.push_str(&simple.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_by_four() {
        assert_eq!(
            json_text(&json!({"a": [1], "b": {}, "c": "<&>"})).unwrap(),
            "{\n    \"a\": [\n        1\n    ],\n    \"b\": {},\n    \"c\": \"\\u003c\\u0026\\u003e\"\n}\n"
        );
    }

    #[test]
    fn decoded_objects_begin_with_their_kind() {
        let list = json!({"apiVersion": "v1", "items": [{"a": [], "metadata": {"labels": {}, "name": "x"}}], "kind": "L"});
        let text = typed_json(&list);
        let words: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
        assert_eq!(words, ["kind", "L", "apiVersion", "v1", "items", "metadata", "name", "x", "labels", "a"]);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), list);
    }

    #[test]
    fn what_is_no_form_is_said() {
        let said = |output: &str, tables: bool| Templates::default().form(Some(output), tables).unwrap_err().to_string();
        assert_eq!(
            said("foo", true),
            "error: unable to match a printer suitable for the output format \"foo\", allowed formats are: custom-columns,custom-columns-file,\
             go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,template,templatefile,wide,yaml"
        );
        assert_eq!(
            said("wide", false),
            "error: unable to match a printer suitable for the output format \"wide\", allowed formats are: \
             go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,template,templatefile,yaml"
        );
        for form in ["jsonpath", "jsonpath=", "go-template", "jsonpath-file"] {
            assert_eq!(said(form, true), "error: template format specified but no template given");
        }
        assert_eq!(said("jsonpath-file=/nope", true), "error: error reading --template /nope, open /nope: no such file or directory\n");
        assert_eq!(said("custom-columns-file=/nope", true), "error: error reading template /nope, open /nope: no such file or directory\n");
    }

    #[test]
    fn forms_print() {
        let object = json!({"kind": "Pod", "metadata": {"name": "p"}});
        let resource = Resource { singular: "pod".into(), ..Resource::default() };
        for (output, text) in [
            ("YAML", "kind: Pod\nmetadata:\n  name: p\n"),
            ("Name", "pod/p\n"),
            ("jsonpath={.kind}", "Pod"),
            ("jsonpath-as-json={.kind}", "[\n    \"Pod\"\n]\n"),
            ("go-template={{.kind}}", "Pod"),
            ("custom-columns=A:.kind", "A\nPod\n"),
        ] {
            assert_eq!(
                Templates::default().form(Some(output), true).unwrap().unwrap().render(&resource, &object).unwrap(),
                text,
                "{output}"
            );
        }
        let implied = Templates { template: Some("{{.kind}}".into()), ..Templates::default() };
        assert_eq!(implied.form(None, true).unwrap().unwrap().render(&resource, &object).unwrap(), "Pod");
    }
}
