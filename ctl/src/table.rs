//! The server's Tables as lines: which columns, which order, which extra columns. It prints what the server computed, whatever
//! the kind.

use serde_json::Value;

use crate::{
    error::Result,
    print::TabWriter,
    sorting::SortBy,
    value::{age, list, plain, strings, text},
};

/// What to ask the server for when lines are wanted.
pub(crate) const ACCEPT: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// How the lines are to look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Style {
    /// Also the columns that only matter to those who want everything.
    pub(crate) wide: bool,
    pub(crate) no_headers: bool,
    /// A column NAMESPACE in front.
    pub(crate) with_namespace: bool,
    /// `deployment.apps/web` instead of `web`.
    pub(crate) prefix: Option<String>,
    /// All labels, at the end.
    pub(crate) show_labels: bool,
    /// A column for each of these labels.
    pub(crate) label_columns: Vec<String>,
    /// In a watch: the type of the event, in front.
    pub(crate) event: Option<String>,
}

/// A Table of one resource; an answer that is none (a server that does not know Tables) shows names and ages.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<(String, bool)>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    cells: Vec<Value>,
    /// Its metadata at least.
    object: Value,
}

impl Table {
    /// Reads a Table, a list, or an object.
    pub(crate) fn parse(answer: &Value) -> Self {
        if answer["kind"] == "Table" {
            let columns = list(&answer["columnDefinitions"]).iter();
            return Self {
                columns: columns
                    .map(|column| (text(&column["name"]).to_uppercase(), column["priority"].as_i64().unwrap_or(0) == 0))
                    .collect(),
                rows: list(&answer["rows"])
                    .iter()
                    .map(|row| Row { cells: list(&row["cells"]).to_vec(), object: row["object"].clone() })
                    .collect(),
            };
        }
        let objects = if answer["items"].is_array() { list(&answer["items"]).to_vec() } else { vec![answer.clone()] };
        let rows = objects.into_iter().map(|object| {
            let metadata = &object["metadata"];
            Row { cells: vec![metadata["name"].clone(), age(&metadata["creationTimestamp"]).into()], object }
        });
        Self { columns: vec![("NAME".into(), true), ("AGE".into(), true)], rows: rows.collect() }
    }

    /// Sorts the rows by a field of their objects; tells whether any has it.
    ///
    /// # Errors
    /// Values that have no order.
    pub(crate) fn sort(&mut self, by: &SortBy) -> Result<bool> {
        by.sort(&mut self.rows, |row| &row.object)
    }

    /// Whether there is nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes over the rows of another Table of the same resource. Columns come from whichever has them: later frames of a
    /// watch leave them out.
    pub(crate) fn append(&mut self, other: Self) {
        if self.columns.is_empty() {
            self.columns = other.columns;
        }
        self.rows.extend(other.rows);
    }

    /// The same columns without rows.
    pub(crate) fn without_rows(&self) -> Self {
        Self { columns: self.columns.clone(), rows: Vec::new() }
    }

    /// Adds the lines to `writer`.
    pub(crate) fn write(&self, style: &Style, writer: &mut TabWriter) {
        if !style.no_headers {
            writer.line(&self.header(style).join("\t"));
        }
        for row in &self.rows {
            writer.line(&self.cells(row, style).join("\t"));
        }
    }

    fn shown(&self, style: &Style) -> impl Iterator<Item = usize> {
        let wide = style.wide;
        self.columns.iter().enumerate().filter(move |(_, (_, always))| *always || wide).map(|(at, _)| at)
    }

    fn header(&self, style: &Style) -> Vec<String> {
        let mut header = Vec::new();
        header.extend(style.event.is_some().then(|| "EVENT".to_owned()));
        header.extend(style.with_namespace.then(|| "NAMESPACE".to_owned()));
        header.extend(self.shown(style).map(|at| self.columns[at].0.clone()));
        header.extend(style.label_columns.iter().map(|label| label.rsplit('/').next().unwrap_or(label).to_uppercase()));
        header.extend(style.show_labels.then(|| "LABELS".to_owned()));
        header
    }

    fn cells(&self, row: &Row, style: &Style) -> Vec<String> {
        let metadata = &row.object["metadata"];
        let labels = &metadata["labels"];
        let mut cells = Vec::new();
        cells.extend(style.event.clone());
        cells.extend(style.with_namespace.then(|| text(&metadata["namespace"]).to_owned()));
        for (place, at) in self.shown(style).enumerate() {
            let cell = row.cells.get(at).map(cell).unwrap_or_default();
            cells.push(match &style.prefix {
                Some(prefix) if place == 0 => format!("{prefix}/{cell}"),
                _ => cell,
            });
        }
        cells.extend(style.label_columns.iter().map(|label| text(&labels[label]).to_owned()));
        if style.show_labels {
            let all: Vec<String> = strings(labels).map(|(key, value)| format!("{key}={value}")).collect();
            cells.push(if all.is_empty() { "<none>".into() } else { all.join(",") });
        }
        cells
    }
}

/// A cell as text; line breaks would break the table.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "<nil>".to_owned(),
        other => plain(other),
    };
    match text.split_once(['\n', '\r']) {
        Some((first, _)) => format!("{first}..."),
        None => text.replace('\t', "\\t"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pods() -> Value {
        json!({"kind": "Table", "columnDefinitions": [
            {"name": "Name", "priority": 0}, {"name": "Ready", "priority": 0}, {"name": "IP", "priority": 1},
        ], "rows": [
            {"cells": ["web-66bbcf89f8-5v7zh", "1/1", "10.0.0.15"], "object": {"metadata": {"name": "web-66bbcf89f8-5v7zh", "namespace": "default", "labels": {"app": "web", "a/tier": "x"}}}},
            {"cells": ["db", "0/1", "<none>"], "object": {"metadata": {"name": "db", "namespace": "team"}}},
        ]})
    }

    fn lines(style: &Style) -> String {
        let mut writer = TabWriter::table();
        Table::parse(&pods()).write(style, &mut writer);
        writer.take()
    }

    #[test]
    fn narrow_and_wide() {
        assert_eq!(lines(&Style::default()), "NAME                   READY\nweb-66bbcf89f8-5v7zh   1/1\ndb                     0/1\n");
        assert_eq!(
            lines(&Style { wide: true, no_headers: true, ..Style::default() }),
            "web-66bbcf89f8-5v7zh   1/1   10.0.0.15\ndb                     0/1   <none>\n"
        );
    }

    #[test]
    fn columns_around_the_servers_own() {
        let style = Style {
            with_namespace: true,
            prefix: Some("pod".into()),
            show_labels: true,
            label_columns: vec!["a/tier".into()],
            ..Style::default()
        };
        assert_eq!(
            lines(&style),
            "NAMESPACE   NAME                       READY   TIER   LABELS\n\
             default     pod/web-66bbcf89f8-5v7zh   1/1     x      a/tier=x,app=web\n\
             team        pod/db                     0/1            <none>\n"
        );
    }

    #[test]
    fn an_answer_that_is_no_table_shows_names_and_ages() {
        let mut writer = TabWriter::table();
        Table::parse(&json!({"kind": "ConfigMapList", "items": [{"metadata": {"name": "a"}}]})).write(&Style::default(), &mut writer);
        assert_eq!(writer.take(), "NAME   AGE\na      <unknown>\n");
    }
}
