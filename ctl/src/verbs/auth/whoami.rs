//! `auth whoami`: who the server takes one for.

use http::Method;
use serde_json::json;

use crate::{
    context::Context,
    discover::Resource,
    error::Result,
    output::{Output, Templates, typed_json},
    print::{TabWriter, print},
    server::{Call, JSON},
    value::{list, some_text, text},
};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The form of the answer [default: a table].
    #[arg(long, short, value_name = "FORM")]
    output: Option<String>,
    /// Also who manages which field, in YAML and JSON.
    #[arg(long)]
    show_managed_fields: bool,
    #[command(flatten)]
    templates: Templates,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let form = args.templates.form(args.output.as_deref(), false)?;
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}});
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let review = context.server().await?.call(Call { method: Method::POST, path, content_type: JSON, body: &review }).await?;
    match &form {
        None => {}
        Some(Output::Json) => return print(&typed_json(&review)),
        Some(Output::Name) => return print("selfsubjectreview.authentication.k8s.io/<unknown>\n"),
        Some(form) => return print(&form.render(&Resource::default(), &review)?),
    }
    let user = &review["status"]["userInfo"];
    let words = |value: &serde_json::Value| format!("[{}]", list(value).iter().map(text).collect::<Vec<_>>().join(" "));
    let mut writer = TabWriter::table();
    writer.line("ATTRIBUTE\tVALUE");
    for (title, field) in [("Username", "username"), ("UID", "uid")] {
        some_text(&user[field]).into_iter().for_each(|value| writer.line(&format!("{title}\t{value}")));
    }
    if !list(&user["groups"]).is_empty() {
        writer.line(&format!("Groups\t{}", words(&user["groups"])));
    }
    for (key, values) in user["extra"].as_object().into_iter().flatten() {
        writer.line(&format!("Extra: {key}\t{}", words(values)));
    }
    print(&writer.take())
}
