//! Columns that the user chose: `-o custom-columns=NAME:.metadata.name,…`. It knows no kind.

use serde_json::Value;

use crate::{
    error::{Result, usage},
    golang::sprint,
    jsonpath::JsonPath,
    print::TabWriter,
};

/// Headers, and what stands below each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Columns {
    columns: Vec<(String, JsonPath)>,
}

impl Columns {
    /// Reads `NAME:.metadata.name,AGE:.metadata.creationTimestamp`.
    ///
    /// # Errors
    /// What is no list of columns.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(usage("custom-columns format specified but no custom columns given"));
        }
        let column = |part: &str| {
            let (header, path) = part
                .split_once(':')
                .ok_or_else(|| usage(format!("unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>")))?;
            Ok((header.to_owned(), path_of(path)?))
        };
        Ok(Self { columns: text.split(',').map(column).collect::<Result<_>>()? })
    }

    /// Reads a line of headers and a line of paths.
    ///
    /// # Errors
    /// When one is missing, or they are not equally long.
    pub(crate) fn parse_lines(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let missing = |what: &str| {
            usage(format!(
                "invalid template, missing {what} line. Expected format is one line of space separated headers, one line of space separated column specs."
            ))
        };
        let headers: Vec<&str> = lines.next().ok_or_else(|| missing("header"))?.split_whitespace().collect();
        let paths: Vec<&str> = lines.next().ok_or_else(|| missing("spec"))?.split_whitespace().collect();
        if headers.len() != paths.len() {
            let (headers, paths) = (headers.len(), paths.len());
            return Err(usage(format!("number of headers ({headers}) and field specifications ({paths}) don't match")));
        }
        let column = |(header, path): (&str, &str)| Ok((header.to_owned(), path_of(path)?));
        Ok(Self { columns: headers.into_iter().zip(paths).map(column).collect::<Result<_>>()? })
    }

    /// The line of headers.
    pub(crate) fn head(&self, writer: &mut TabWriter) {
        let headers: Vec<&str> = self.columns.iter().map(|(header, _)| header.as_str()).collect();
        writer.line(&headers.join("\t"));
    }

    /// The line of one object.
    ///
    /// # Errors
    /// Paths that do not fit it.
    pub(crate) fn line(&self, object: &Value, writer: &mut TabWriter) -> Result<()> {
        let cell = |(_, path): &(String, JsonPath)| {
            let results = path.results(object).map_err(usage)?;
            let mut values: Vec<String> = Vec::new();
            if results.first().is_none_or(Vec::is_empty) {
                values.push("<none>".into());
            }
            values.extend(results.iter().flatten().map(|value| escaped(&sprint(value))));
            Ok(values.join(","))
        };
        writer.line(&self.columns.iter().map(cell).collect::<Result<Vec<_>>>()?.join("\t"));
        Ok(())
    }
}

/// A path whose braces may be missing. What is wrong with it is said without naming the template.
fn path_of(path: &str) -> Result<JsonPath> {
    JsonPath::parse_relaxed(path).map_err(|error| {
        let text = error.to_string();
        let why =
            text.strip_prefix("error: error parsing jsonpath ").and_then(|rest| rest.split_once("}, ").or_else(|| rest.split_once(", ")));
        why.map_or(error, |(_, why)| usage(why.trim_end().to_owned()))
    })
}

/// Signs that would move the cursor, made visible.
fn escaped(text: &str) -> String {
    text.replace('\u{1b}', "^[").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(columns: &Columns, objects: &[Value]) -> String {
        let mut writer = TabWriter::table();
        columns.head(&mut writer);
        objects.iter().for_each(|object| columns.line(object, &mut writer).unwrap());
        writer.take()
    }

    #[test]
    fn values_stand_below_their_headers() {
        let objects = [
            json!({"metadata": {"name": "a", "labels": {"x": "y"}}, "list": [{"n": 1}, {"n": 2}]}),
            json!({"metadata": {"name": "longer", "none": null}}),
        ];
        let text =
            "NAME     LABELS     N        ALL\na        map[x:y]   1,2      [map[n:1] map[n:2]]\nlonger   <none>     <none>   <none>\n";
        let columns = Columns::parse("NAME:.metadata.name,LABELS:metadata.labels,N:{.list[*].n},ALL:.list").unwrap();
        assert_eq!(shown(&columns, &objects), text);
        assert_eq!(
            Columns::parse_lines("NAME  LABELS N ALL\nmetadata.name .metadata.labels {.list[*].n} list\n").unwrap().columns,
            columns.columns
        );
    }

    #[test]
    fn what_are_no_columns_is_said() {
        for (text, why) in [
            ("", "custom-columns format specified but no custom columns given"),
            ("A", "unexpected custom-columns spec: A, expected <header>:<json-path-expr>"),
            ("A:.a.b[", "unterminated array"),
        ] {
            assert_eq!(Columns::parse(text).unwrap_err().to_string(), format!("error: {why}"), "{text}");
        }
        assert_eq!(
            Columns::parse_lines("A B\nx").unwrap_err().to_string(),
            "error: number of headers (2) and field specifications (1) don't match"
        );
        assert!(Columns::parse_lines("A B\n").unwrap_err().to_string().contains("missing spec line"));
    }
}
