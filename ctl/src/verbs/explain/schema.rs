//! The schemas of an OpenAPI document, and the page that `explain` makes of one. It knows the words of OpenAPI, and no kind.

use serde_json::{Map, Value};

use crate::value::{list, plain, text};

/// The width of the page, and how far descriptions are moved in.
const WIDTH: usize = 80;
const INDENT: usize = 4;
/// How many values of an enum are listed beside a field.
const ENOUGH: usize = 4;

/// The schemas of one document.
pub(super) struct Schemas<'a> {
    schemas: &'a Value,
}

impl<'a> Schemas<'a> {
    pub(super) fn new(document: &'a Value) -> Self {
        Self { schemas: &document["components"]["schemas"] }
    }

    /// The schema of a kind.
    pub(super) fn of_kind(&self, group: &str, version: &str, kind: &str) -> Option<&'a Value> {
        let is_it = |id: &Value| text(&id["group"]) == group && text(&id["version"]) == version && text(&id["kind"]) == kind;
        self.schemas.as_object()?.values().find(|schema| list(&schema["x-kubernetes-group-version-kind"]).iter().any(is_it))
    }

    /// The page about the field at this path, which is missing if there is no such field.
    pub(super) fn page(&self, schema: &'a Value, path: &[String], recursive: bool) -> Option<String> {
        let mut page = String::new();
        let mut schema = schema;
        for (at, name) in path.iter().enumerate() {
            let field = self.field(schema, name)?;
            if at + 1 == path.len() {
                page += &format!("FIELD: {name} <{}>\n", self.type_of(field));
                let values = self.values_of(field);
                if values.is_empty() {
                    page.push('\n');
                } else {
                    let values: String = values.iter().map(|value| format!("    {}\n", enum_value(value))).collect();
                    page += &format!("ENUM:\n{values}");
                }
                page.push('\n');
            }
            schema = field;
        }
        let description = self.description(schema);
        let description = if description.is_empty() { "<empty>" } else { &description };
        page += &format!("DESCRIPTION:\n{}\n", indented(&wrapped(description, WIDTH - INDENT), INDENT));
        let fields = self.fields(schema, 1, recursive, &[]);
        if !fields.is_empty() {
            page += &format!("FIELDS:\n{fields}");
        }
        Some(page + "\n")
    }

    fn resolved(&self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
            Some(name) => &self.schemas[name],
            None => schema,
        }
    }

    /// What a schema is made of beside its own properties.
    fn parts(schema: &'a Value) -> impl Iterator<Item = &'a Value> {
        let lists = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|word| list(&schema[word]));
        lists.chain(["items", "additionalProperties"].into_iter().map(|word| &schema[word]).filter(|part| part.is_object()))
    }

    /// A field of a schema, or of what that is made of.
    fn field(&self, schema: &'a Value, name: &str) -> Option<&'a Value> {
        let resolved = self.resolved(schema);
        match resolved["properties"].get(name) {
            Some(field) => Some(field),
            None => Self::parts(resolved).find_map(|part| self.field(part, name)),
        }
    }

    /// The description of a schema and of all it is made of, a line each.
    fn description(&self, schema: &'a Value) -> String {
        let resolved = self.resolved(schema);
        let mut description = text(&resolved["description"]).to_owned();
        if !description.is_empty() {
            description.push('\n');
        }
        Self::parts(resolved).for_each(|part| description += &self.description(part));
        description
    }

    fn type_of(&self, schema: &Value) -> String {
        let lists = list(&schema["allOf"]);
        if schema["items"].is_object() {
            format!("[]{}", self.type_of(&schema["items"]))
        } else if schema["additionalProperties"].is_object() {
            format!("map[string]{}", self.type_of(&schema["additionalProperties"]))
        } else if let [only] = lists
            && !schema["properties"].is_object()
        {
            self.type_of(only)
        } else if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
            match text(&self.schemas[name]["type"]) {
                "" | "object" | "array" => name.rsplit('.').next().unwrap_or(name).to_owned(),
                simple => simple.to_owned(),
            }
        } else {
            match text(&schema["type"]) {
                "" | "object" => "Object".to_owned(),
                simple => simple.to_owned(),
            }
        }
    }

    fn values_of(&self, schema: &'a Value) -> &'a [Value] {
        list(&self.resolved(schema)["enum"])
    }

    /// The fields of a schema and of all it is made of. `above` are the schemas it stands in, which are not gone into again.
    fn fields(&self, schema: &'a Value, level: usize, recursive: bool, above: &[&str]) -> String {
        let mut above = above.to_vec();
        if let Some(reference) = schema["$ref"].as_str() {
            if above.contains(&reference) {
                return String::new();
            }
            above.push(reference);
        }
        let resolved = self.resolved(schema);
        let mut fields = String::new();
        let none = Map::new();
        for (name, field) in resolved["properties"].as_object().unwrap_or(&none) {
            let indent = 2 * level;
            let space = " ".repeat(indent);
            fields += &format!("{space}{name}\t<{}>{}\n", self.type_of(field), required(resolved, name));
            let values = self.values_of(field);
            if !values.is_empty() {
                let shown: Vec<String> = values.iter().take(ENOUGH).map(enum_value).collect();
                let more = if values.len() > ENOUGH { ", ...." } else { "" };
                fields += &format!("{space}enum: {}{more}\n", shown.join(", "));
            }
            if recursive {
                fields += &self.fields(field, level + 1, true, &above);
            } else {
                let description = Some(text(&field["description"])).filter(|description| !description.is_empty());
                let description = wrapped(description.unwrap_or("<no description>"), WIDTH - 2 - indent);
                fields += &format!("{}\n\n", indented(&description, indent + 2));
            }
        }
        Self::parts(resolved).for_each(|part| fields += &self.fields(part, level, recursive, &above));
        fields
    }
}

fn required(parent: &Value, name: &str) -> &'static str {
    if list(&parent["required"]).iter().any(|required| required == name) { " -required-" } else { "" }
}

fn enum_value(value: &Value) -> String {
    if value == "" { "\"\"".to_owned() } else { plain(value) }
}

fn indented(text: &str, indent: usize) -> String {
    text.split('\n').map(|line| format!("{}{line}", " ".repeat(indent))).collect::<Vec<_>>().join("\n")
}

/// Breaks lines at spaces so that they are no longer than `width`, if words permit. Space inside of lines stays as it is.
fn wrapped(text: &str, width: usize) -> String {
    let lines = text.split('\n').map(|line| {
        let mut out = String::new();
        let mut column = 0;
        let mut rest = line;
        while !rest.is_empty() {
            let word_at = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
            let (space, after) = rest.split_at(word_at);
            let (word, after) = after.split_at(after.find(char::is_whitespace).unwrap_or(after.len()));
            let (space_length, word_length) = (space.chars().count(), word.chars().count());
            if column + space_length + word_length > width && (column > 0 || space_length > 0) && !word.is_empty() {
                out.push('\n');
                column = word_length;
            } else {
                out.push_str(space);
                column += space_length + word_length;
            }
            out.push_str(word);
            rest = after;
        }
        out
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({"components": {"schemas": {
            "io.x.Widget": {
                "type": "object", "description": "A widget.", "x-kubernetes-group-version-kind": [{"group": "x.io", "version": "v1", "kind": "Widget"}],
                "required": ["parts"],
                "properties": {
                    "colour": {"type": "string", "enum": ["", "b", "c", "d", "e"]},
                    "parts": {"type": "array", "description": "Its parts.", "items": {"$ref": "#/components/schemas/io.x.Part"}},
                    "when": {"allOf": [{"$ref": "#/components/schemas/io.x.Time"}], "description": "Then."},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            },
            "io.x.Part": {"type": "object", "description": "A part.", "properties": {
                "of": {"allOf": [{"$ref": "#/components/schemas/io.x.Part"}]}, "free": {},
            }},
            "io.x.Time": {"type": "string", "description": "A moment."},
        }}})
    }

    fn page(path: &[&str], recursive: bool) -> Option<String> {
        let document = document();
        let schemas = Schemas::new(&document);
        let path: Vec<String> = path.iter().map(|field| (*field).to_owned()).collect();
        schemas.page(schemas.of_kind("x.io", "v1", "Widget").unwrap(), &path, recursive)
    }

    #[test]
    fn fields_are_listed() {
        assert_eq!(
            page(&[], false).unwrap(),
            "DESCRIPTION:\n    A widget.\n    \nFIELDS:\n  colour\t<string>\n  enum: \"\", b, c, d, ....\n    <no description>\n\n  \
             labels\t<map[string]string>\n    <no description>\n\n  parts\t<[]Part> -required-\n    Its parts.\n\n  when\t<string>\n    Then.\n\n\n"
        );
        assert_eq!(
            page(&["parts"], true).unwrap(),
            "FIELD: parts <[]Part>\n\n\nDESCRIPTION:\n    Its parts.\n    A part.\n    \nFIELDS:\n  free\t<Object>\n  of\t<Part>\n\n"
        );
        assert_eq!(
            page(&["colour"], false).unwrap(),
            "FIELD: colour <string>\nENUM:\n    \"\"\n    b\n    c\n    d\n    e\n\nDESCRIPTION:\n    <empty>\n\n"
        );
        assert!(page(&["parts", "of", "free"], false).is_some());
        assert_eq!(page(&["labels", "x"], false), None);
    }

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(wrapped("aa  bb cc\n dd", 6), "aa  bb\ncc\n dd");
        assert_eq!(wrapped(" * averylongword x", 8), " *\naverylongword\nx");
        assert_eq!(indented("a\n", 2), "  a\n  ");
    }
}
