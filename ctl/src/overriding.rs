//! Changing an object that flags have made by a patch in another flag, before it is sent.

use clap::Args;
use serde_json::Value;

use crate::{
    context::Context,
    error::{Result, usage},
    making::Kind,
    patch::{self, Schema},
    print::notice,
    schemas::Schemas,
};

/// The flags of verbs whose objects can be changed so.
#[derive(Args, Clone, Debug)]
pub(crate) struct Overriding {
    /// A patch in JSON for what is made.
    #[arg(long, value_name = "JSON", default_value = "")]
    overrides: String,
    /// What kind of patch: json, merge or strategic.
    #[arg(long, value_name = "TYPE", default_value = "merge")]
    override_type: String,
    /// Of old, how the object is made; there is only one way left.
    #[arg(long, hide = true)]
    generator: Option<String>,
}

impl Overriding {
    /// The object after the patch.
    ///
    /// # Errors
    /// When the patch is none, or another kind of thing comes out.
    pub(crate) async fn apply(&self, context: &Context, kind: &Kind, mut object: Value) -> Result<Value> {
        if self.overrides.is_empty() {
            return Ok(object);
        }
        let read = || serde_json::from_str::<Value>(&self.overrides).map_err(|_| usage("Invalid JSON Patch"));
        match self.override_type.as_str() {
            "merge" => object = patch::merged(&object, &read()?),
            "json" => object = patch::json_patched(&object, &read()?).map_err(usage)?,
            "strategic" => {
                let schemas = Schemas::default();
                let described = schemas.of(context.server().await?, &kind.resource()).await;
                let schema = described.schema().unwrap_or_else(Schema::well_known);
                object = patch::strategically(&object, &read()?, &schema).unwrap_or_default();
            }
            other => return Err(usage(format!("invalid override type: {other}"))),
        }
        let (found, version) = (object["kind"].clone(), object["apiVersion"].clone());
        if found != kind.kind || version != kind.resource().group_version() {
            return Err(usage(format!("no kind {found} is registered for version {version} in scheme \"pkg/scheme/scheme.go:28\"")));
        }
        Ok(object)
    }

    /// Says that an old flag means nothing any more, if it is there.
    pub(crate) fn warn(&self) {
        if self.generator.is_some() {
            notice("Flag --generator has been deprecated, has no effect and will be removed in the future.");
        }
    }
}
