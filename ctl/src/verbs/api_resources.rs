//! `api-resources`: everything the server serves, and by which names.

use crate::{
    context::Context,
    discover::Resource,
    error::{Result, usage},
    print::{TabWriter, print},
};

/// Print the supported API resources on the server.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[arg(hide = true)]
    words: Vec<String>,
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
    /// More columns, or names only: wide, name.
    #[arg(long, short, value_name = "FORM", default_value = "")]
    output: String,
    /// The order: by name, or by kind [default: by group and name].
    #[arg(long, value_name = "FIELD", default_value = "")]
    sort_by: String,
    /// What was asked before will do; nothing is kept here, so that it is asked in any case.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    cached: Option<bool>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if !args.words.is_empty() {
        return Err(usage(format!("unexpected arguments: [{}]\nSee 'mini-ctl api-resources -h' for help and examples", args.words.join(" "))));
    }
    if !["", "wide", "name"].contains(&args.output.as_str()) {
        return Err(usage(format!("--output {} is not available", args.output)));
    }
    if !["", "name", "kind"].contains(&args.sort_by.as_str()) {
        return Err(usage("--sort-by accepts only name or kind"));
    }
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
    match args.sort_by.as_str() {
        "name" => shown.sort_by(|a, b| a.plural.cmp(&b.plural)),
        "kind" => shown.sort_by(|a, b| a.kind.cmp(&b.kind)),
        _ => {}
    }
    if args.output == "name" {
        return shown.iter().map(|resource| format!("{}\n", resource.qualified_plural())).collect();
    }
    let wide = args.output == "wide";
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
        Args {
            words: Vec::new(),
            api_group: None,
            namespaced: None,
            verbs: Vec::new(),
            categories: Vec::new(),
            no_headers: false,
            output: String::new(),
            sort_by: String::new(),
            cached: None,
        }
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
        let text = render(&Args { output: "name".into(), namespaced: Some(false), ..args() }, catalog().resources());
        assert_eq!(text, "namespaces\n");
    }

    #[test]
    fn another_order() {
        let by = |sort_by: &str| {
            let text = render(&Args { output: "name".into(), sort_by: sort_by.into(), ..args() }, catalog().resources());
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(by("name")[..3], ["deployments.apps", "deployments.extensions", "namespaces"]);
        assert_eq!(by("kind").last().unwrap(), "scalers.autoscaling");
    }
}
