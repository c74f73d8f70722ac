//! `explain`: what a kind's fields mean, from the server's OpenAPI documents.

mod schema;

use crate::{
    context::Context,
    discover::Resource,
    error::{Error, Result, usage},
    print::print,
};

/// Describe fields and structure of various resources.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// TYPE[.FIELD…]
    words: Vec<String>,
    /// All fields at once, without their descriptions.
    #[arg(long)]
    recursive: bool,
    /// The version to explain, such as apps/v1.
    #[arg(long, value_name = "VERSION", default_value = "")]
    api_version: String,
    /// The form of the answer: plaintext.
    #[arg(long, short, value_name = "FORM", default_value = "plaintext")]
    output: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let word = match args.words.as_slice() {
        [] => return Err(usage("You must specify the type of resource to explain. Use \"mini-ctl api-resources\" for a complete list of supported resources.")),
        [word] => word,
        _ => return Err(usage("We accept only this format: explain RESOURCE")),
    };
    match args.output.as_str() {
        "plaintext" => {}
        "plaintext-openapiv2" => return Err(usage("plaintext-openapiv2, the layout of kubectl before 1.27, is not offered; plaintext is")),
        other => return Err(usage(format!("unrecognized format: {other}"))),
    }
    let (mut resource, fields) = take_apart(context.catalog().await?.resources(), word, args.api_version.is_empty())?;
    let server = context.server().await?;
    if !args.api_version.is_empty() {
        let (group, version) = args.api_version.split_once('/').unwrap_or(("", &args.api_version));
        (resource.group, resource.version) = (group.to_owned(), version.to_owned());
    }
    let identity = format!("{}/{}, Resource={}", resource.group, resource.version, resource.plural);
    let root = if resource.group.is_empty() { "api" } else { "apis" };
    let index = server.get("/openapi/v3").await?;
    let Some(path) = index["paths"][format!("{root}/{}", resource.group_version())]["serverRelativeURL"].as_str() else {
        return Err(usage(format!("couldn't find resource for {identity:?}")));
    };
    let document = server.get(path).await?;
    let all = document["paths"].as_object();
    let served = [resource.path(None), resource.path(Some("{namespace}"))].map(|path| path.replace("%7B", "{").replace("%7D", "}"));
    if !all.is_some_and(|all| all.keys().any(|path| served.iter().any(|served| path == served))) {
        return Err(usage(format!("GVR ({identity}) not found in OpenAPI schema")));
    }
    let schemas = schema::Schemas::new(&document);
    if !resource.group.is_empty() {
        print(&format!("GROUP:      {}\n", resource.group))?;
    }
    print(&format!("KIND:       {}\nVERSION:    {}\n\n", resource.kind, resource.version))?;
    let Some(schema) = schemas.of_kind(&resource.group, &resource.version, &resource.kind) else {
        return Err(usage(format!("GVK {}/{}, Kind={} not found in OpenAPI schema", resource.group, resource.version, resource.kind)));
    };
    let page = schemas.page(schema, &fields, args.recursive);
    let page = page.ok_or_else(|| usage(format!("field {:?} does not exist", fields.last().map(String::as_str).unwrap_or_default())))?;
    print(&page)
}

/// `pods.spec.containers` as a resource and a path of fields. The group may follow the resource, unless a version is given elsewhere.
fn take_apart(resources: &[Resource], word: &str, with_group: bool) -> Result<(Resource, Vec<String>)> {
    let (name, rest) = word.split_once('.').unwrap_or((word, ""));
    let called: Vec<&Resource> = resources.iter().filter(|resource| resource.preferred && resource.is_called(&name.to_lowercase())).collect();
    let first = called.first().ok_or_else(|| Error::Plain(format!("the server doesn't have a resource type {name:?}")))?;
    let fields = |rest: &str| rest.split('.').filter(|field| !field.is_empty()).map(str::to_owned).collect();
    for resource in called.iter().filter(|resource| with_group && !resource.group.is_empty()) {
        match rest.strip_prefix(&resource.group) {
            Some(after) if after.is_empty() || after.starts_with('.') => return Ok(((*resource).clone(), fields(after))),
            _ => {}
        }
    }
    Ok(((*first).clone(), fields(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::tests::catalog;

    #[test]
    fn a_path_begins_with_a_resource() {
        for (word, group, fields) in [
            ("po", "", &[][..]),
            ("pods.", "", &[]),
            ("deploy.spec.replicas", "apps", &["spec", "replicas"]),
            ("deployments.extensions.spec", "extensions", &["spec"]),
            ("deployments.v1.apps", "apps", &["v1", "apps"]),
        ] {
            let (resource, found) = take_apart(catalog().resources(), word, true).unwrap();
            assert_eq!((resource.group.as_str(), found.as_slice()), (group, &*fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>()), "{word}");
        }
        let said = take_apart(catalog().resources(), "nope.x", true).unwrap_err().to_string();
        assert_eq!(said, "the server doesn't have a resource type \"nope\"");
    }
}
