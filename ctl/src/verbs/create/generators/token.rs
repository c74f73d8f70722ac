//! `create token`: asks the server for a token of a service account, and prints it.

use std::io::IsTerminal;

use http::Method;
use serde_json::{Value, json};

use super::one_name;
use crate::{
    context::Context,
    error::{Result, usage},
    making::{Kind, failed},
    output::Templates,
    print::print,
    server::{Call, JSON, escape},
    value::some_text,
    verbs::wait::duration,
};

const KIND: Kind = Kind { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest", plural: "tokenrequests", namespaced: true };

/// Request a service account token.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The name of the service account
    #[arg(value_name = "SERVICE_ACCOUNT_NAME")]
    words: Vec<String>,
    /// Whom the token is for [default: the API server].
    #[arg(long, value_name = "NAME")]
    audience: Vec<String>,
    /// How long it is good for [default: as long as the server likes].
    #[arg(long, value_name = "DURATION", default_value = "0s", allow_hyphen_values = true)]
    duration: String,
    /// The kind of the object it ends with: Node, Pod or Secret.
    #[arg(long, value_name = "KIND", default_value = "")]
    bound_object_kind: String,
    /// The name of that object.
    #[arg(long, value_name = "NAME", default_value = "")]
    bound_object_name: String,
    /// The UID of that object.
    #[arg(long, value_name = "UID", default_value = "")]
    bound_object_uid: String,
    /// Print the whole answer of the server.
    #[arg(long, short, value_name = "FORM")]
    output: Option<String>,
    /// Accepted as kubectl does; a token has no managed fields.
    #[arg(long, hide = true)]
    show_managed_fields: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let form = Templates::default().form(args.output.as_deref(), false)?;
    let name = one_name(&args.words, "token")?;
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"creationTimestamp": null},
        "spec": spec(&args)?,
        "status": {"expirationTimestamp": null, "token": ""},
    });
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/{}/token", escape(context.namespace().await?), escape(name));
    let call = Call { method: Method::POST, path: &path, content_type: JSON, body: &request };
    let mut answer = context.server().await?.call(call).await.map_err(failed("create token"))?;
    let token = some_text(&answer["status"]["token"]).ok_or_else(|| usage("failed to create token: no token in server response"))?;
    match form {
        None if std::io::stdout().is_terminal() => print(&format!("{token}\n")),
        None => print(token),
        Some(form) => {
            if answer["spec"]["boundObjectRef"].is_null() {
                answer["spec"]["boundObjectRef"] = Value::Null;
            }
            print(&form.render(&KIND.resource(), &answer)?)
        }
    }
}

fn spec(args: &Args) -> Result<Value> {
    if args.duration.starts_with('-') {
        return Err(usage("--duration must be greater than or equal to 0"));
    }
    let lifetime = duration(&args.duration).map_err(|error| usage(error.to_string()))?;
    if lifetime.subsec_nanos() != 0 {
        return Err(usage("--duration cannot be expressed in units less than seconds"));
    }
    if args.audience.iter().any(String::is_empty) {
        return Err(usage("--audience must not be an empty string"));
    }
    let wrong = match [&args.bound_object_kind, &args.bound_object_name, &args.bound_object_uid].map(String::as_str) {
        ["", "", ""] => "",
        ["", "", _] => "--bound-object-uid can only be set if --bound-object-kind is provided",
        ["", ..] => "--bound-object-name can only be set if --bound-object-kind is provided",
        ["Node" | "Pod" | "Secret", "", _] => "--bound-object-name is required if --bound-object-kind is provided",
        ["Node" | "Pod" | "Secret", ..] => "",
        _ => "supported --bound-object-kind values are Node, Pod, Secret",
    };
    if !wrong.is_empty() {
        return Err(usage(wrong));
    }
    let mut spec = json!({"audiences": args.audience});
    if !lifetime.is_zero() {
        spec["expirationSeconds"] = lifetime.as_secs().into();
    }
    if !args.bound_object_kind.is_empty() {
        let mut object = json!({"kind": args.bound_object_kind, "apiVersion": "v1", "name": args.bound_object_name});
        if !args.bound_object_uid.is_empty() {
            object["uid"] = args.bound_object_uid.clone().into();
        }
        spec["boundObjectRef"] = object;
    }
    Ok(spec)
}
