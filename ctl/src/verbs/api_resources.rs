//! `api-resources`: everything the server serves, and by which names.

use clap::ValueEnum;

use crate::{
    context::Context,
    discover::Resource,
    error::Result,
    print::{TabWriter, print},
};

/// Print the supported API resources on the server.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Only of this group; "" is the core group.
    #[arg(long, value_name = "GROUP")]
    api_group: Option<String>,
    /// Only those that live in namespaces, or (=false) only those that do not.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    namespaced: Option<bool>,
    /// Only those that can be asked to do all of this.
    #[arg(long, value_name = "VERB", value_delimiter = ',')]
    verbs: Vec<String>,
    /// Only those in all of these categories.
    #[arg(long, value_name = "CATEGORY", value_delimiter = ',')]
    categories: Vec<String>,
    /// Leave out the line of column names.
    #[arg(long)]
    no_headers: bool,
    /// More columns, or names only.
    #[arg(long, short, value_name = "FORM", ignore_case = true)]
    output: Option<Form>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Wide,
    Name,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    print(&render(&args, context.catalog().await?.resources()))
}

fn render(args: &Args, resources: &[Resource]) -> String {
    let fits = |resource: &&Resource| {
        resource.preferred
            && !resource.verbs.is_empty()
            && args.api_group.as_ref().is_none_or(|group| *group == resource.group)
            && args.namespaced.is_none_or(|namespaced| namespaced == resource.namespaced)
            && args.verbs.iter().all(|verb| resource.can(verb))
            && args.categories.iter().all(|category| resource.categories.contains(category))
    };
    let mut shown: Vec<&Resource> = resources.iter().filter(fits).collect();
    shown.sort_by(|a, b| (&a.group, &a.plural).cmp(&(&b.group, &b.plural)));
    if args.output == Some(Form::Name) {
        return shown.iter().map(|resource| format!("{}\n", resource.qualified_plural())).collect();
    }
    let wide = args.output == Some(Form::Wide);
    let mut writer = TabWriter::table();
    if !args.no_headers {
        writer.line(if wide { "NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND\tVERBS\tCATEGORIES" } else { "NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND" });
    }
    for resource in shown {
        let mut cells = vec![
            resource.plural.clone(),
            resource.short_names.join(","),
            resource.group_version(),
            resource.namespaced.to_string(),
            resource.kind.clone(),
        ];
        if wide {
            cells.extend([resource.verbs.join(","), resource.categories.join(",")]);
        }
        writer.line(&cells.join("\t"));
    }
    writer.take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::tests::catalog;

    fn args() -> Args {
        Args { api_group: None, namespaced: None, verbs: Vec::new(), categories: Vec::new(), no_headers: false, output: None }
    }

    #[test]
    fn groups_are_sorted_and_the_core_comes_first() {
        let text = render(&Args { verbs: vec!["list".into()], ..args() }, catalog().resources());
        let first: Vec<&str> = text.lines().take(4).collect();
        assert_eq!(first[0], "NAME          SHORTNAMES   APIVERSION           NAMESPACED   KIND");
        assert_eq!(first[1], "namespaces    ns           v1                   false        Namespace");
        assert_eq!(first[3], "deployments   deploy       apps/v1              true         Deployment");
    }

    #[test]
    fn names_only() {
        let text = render(&Args { output: Some(Form::Name), namespaced: Some(false), ..args() }, catalog().resources());
        assert_eq!(text, "namespaces\n");
    }
}
