//! `get -w`: what there is, and then every change.

use futures::StreamExt;
use serde_json::{Value, json};

use super::{Get, items};
use crate::{
    discover::Resource,
    error::{Result, usage},
    output::Output,
    print::{TabWriter, print},
    selection::Selection,
    server::{JSON, with_query},
    table::{Style, Table},
    value::text,
};

impl Get<'_> {
    /// Shows what there is, then what happens, until the server ends the watch or we are interrupted.
    pub(super) async fn watch(&self, selection: &Selection) -> Result<()> {
        let (resource, path, only) = match selection {
            Selection::Every(resources) if resources.len() == 1 => (&resources[0], resources[0].path(self.namespace), None),
            Selection::Named(targets) if targets.len() == 1 => {
                (&targets[0].resource, targets[0].resource.path(Some(&targets[0].namespace)), Some(&targets[0].name))
            }
            _ => return Err(usage("you may only specify a single resource type")),
        };
        let fields = match only {
            Some(name) => format!("metadata.name={name}"),
            None => self.args.many.field_selector.clone().unwrap_or_default(),
        };
        let selectors = [self.args.many.query()[0], ("fieldSelector", fields.as_str())];
        let tabular = matches!(self.form, None | Some(Output::Wide));
        let accept = if tabular { self.table_accept() } else { JSON };
        if let (Some(_), Selection::Named(targets)) = (only, selection) {
            // A watch of what is not there would be silent for ever; kubectl says so, too.
            targets[0].fetch(self.server, accept).await?;
        }
        let list = self.server.get_as(&with_query(&path, &selectors), accept).await?;
        let mut changes = Changes { get: self, resource, writer: TabWriter::table(), table: Table::parse(&list).without_rows(), headed: false };
        if !self.args.watch_only {
            if tabular {
                changes.rows(&list, "ADDED")?;
            } else {
                items(&list, resource).try_for_each(|object| changes.object(object, "ADDED"))?;
            }
            print(&changes.writer.take())?;
        }
        let version = text(&list["metadata"]["resourceVersion"]);
        let path = with_query(&path, &[selectors[0], selectors[1], ("watch", "true"), ("resourceVersion", version)]);
        let mut events = self.server.watch(&path, accept).await?;
        while let Some(event) = events.next().await {
            let mut event = event?;
            let kind = text(&event["type"]).to_owned();
            if kind == "BOOKMARK" {
                continue;
            }
            let object = event["object"].take();
            if tabular { changes.rows(&object, &kind)? } else { changes.object(object, &kind)? }
            print(&changes.writer.take())?;
        }
        Ok(())
    }
}

/// What a watch has shown so far. Lines wait in the writer, so that those of one answer have common columns.
struct Changes<'a> {
    get: &'a Get<'a>,
    resource: &'a Resource,
    writer: TabWriter,
    /// The columns, which only the first answer carries.
    table: Table,
    headed: bool,
}

impl Changes<'_> {
    fn rows(&mut self, answer: &Value, event: &str) -> Result<()> {
        let mut table = self.table.clone();
        table.append(Table::parse(answer));
        if table.is_empty() {
            return Ok(());
        }
        self.table = table.without_rows();
        let style = Style {
            no_headers: self.headed || self.get.args.no_headers,
            event: self.get.args.output_watch_events.then(|| event.to_owned()),
            ..self.get.style(self.resource)
        };
        self.headed = true;
        table.write(&style, &mut self.writer);
        Ok(())
    }

    fn object(&mut self, mut object: Value, event: &str) -> Result<()> {
        let Some(form) = &self.get.form else { return Ok(()) };
        if self.get.args.output_watch_events && !matches!(form, Output::Name) {
            object = json!({"type": event, "object": object});
        }
        let object = self.get.spared(object, form);
        let first = !std::mem::replace(&mut self.headed, true);
        match form {
            Output::Columns(columns) => {
                if first && !self.get.args.no_headers {
                    columns.head(&mut self.writer);
                }
                columns.line(&object, &mut self.writer)
            }
            form => {
                let separator = if !first && matches!(form, Output::Yaml) { "---\n" } else { "" };
                print(&format!("{separator}{}", form.render(self.resource, &object)?))
            }
        }
    }
}
