//! How an object from a file comes to be what the server has: made, changed where it differs, or sent whole for the server to merge.
//! For `apply`, and for `diff`, which only asks what would come of it. It knows no kind.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    error::{Error, Result, usage},
    patch::{self, go_json, last_applied, with_last_applied, without_last_applied},
    schemas::Schemas,
    selection::Target,
    server::{Call, JSON, Server},
    writing::{Validation, Writing},
};

/// The name under which the server notes who set the fields; that of kubectl, so that both tools may be mixed.
pub(crate) const MANAGER: &str = "kubectl-client-side-apply";
/// The same where the server merges.
pub(crate) const SERVER_SIDE_MANAGER: &str = "kubectl";

const STRATEGIC: &str = "application/strategic-merge-patch+json";
const MERGE: &str = "application/merge-patch+json";

/// How often a conflict is met with another try, and how long is waited before each but the first.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// What all objects have in common.
pub(crate) struct Applying<'a> {
    pub(crate) server: &'a Server,
    pub(crate) writing: &'a Writing,
    pub(crate) validation: Option<&'a Validation>,
    /// Whether the object is to say what was applied.
    pub(crate) annotate: bool,
    pub(crate) schemas: Schemas,
}

/// What came of a change.
pub(crate) enum Changed {
    /// Nothing differs.
    Not,
    To(Value),
}

impl Applying<'_> {
    fn query(&self, path: &str, manager: &str, more: &[(&str, &str)]) -> String {
        let validation: Vec<_> = self.validation.map(Validation::parameter).into_iter().collect();
        self.writing.query(path, manager, &[&validation, more].concat())
    }

    /// Makes the object.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn create(&self, target: &Target, object: &Value) -> Result<Value> {
        let object = if self.annotate { with_last_applied(object) } else { object.clone() };
        if self.writing.stays_here() {
            return Ok(object);
        }
        let path = self.query(&target.resource.path(Some(&target.namespace)), MANAGER, &[]);
        self.server.call(Call { method: Method::POST, path: &path, content_type: JSON, body: &object }).await
    }

    /// Sends what differs from what is there; meets a conflict with another look at that.
    ///
    /// # Errors
    /// What the server says, and what it was sent.
    pub(crate) async fn update(&self, target: &Target, object: &Value, live: &Value) -> Result<Changed> {
        let mut outcome = self.update_once(target, object, live).await;
        for attempt in 1..=ATTEMPTS {
            if !outcome.as_ref().is_err_and(Error::is_conflict) {
                break;
            }
            if attempt > 1 {
                sleep(PAUSE).await;
            }
            let live = self.server.get(&target.path()).await?;
            outcome = self.update_once(target, object, &live).await;
        }
        outcome
    }

    async fn update_once(&self, target: &Target, object: &Value, live: &Value) -> Result<Changed> {
        let original = last_applied(live);
        let modified = if self.annotate { with_last_applied(object) } else { without_last_applied(object) };
        let described = self.schemas.of(self.server, &target.resource).await;
        let schema = described.schema();
        let merge = || patch::json_merge(original.as_ref(), &modified, live);
        let (mut body, mut content_type) = match &schema {
            Some(schema) => (patch::strategic(original.as_ref(), &modified, live, schema), STRATEGIC),
            None => (merge(), MERGE),
        };
        if body == json!({}) {
            return Ok(Changed::Not);
        }
        let path = self.query(&target.path(), MANAGER, &[]);
        let mut answer = self.server.call(Call { method: Method::PATCH, path: &path, content_type, body: &body }).await;
        // Kinds that users defined have a schema, too, but only the server knows that it does not merge their lists.
        if answer.as_ref().is_err_and(|error| error.refusal().is_some_and(|refusal| refusal.code == 415)) {
            (body, content_type) = (merge(), MERGE);
            answer = self.server.call(Call { method: Method::PATCH, path: &path, content_type, body: &body }).await;
        }
        let doing = || format!("applying patch:\n{}\nto:\n{}\nfor:", go_json(&body), target.described());
        answer.map(Changed::To).map_err(|error| error.while_doing("patching", &target.source).while_doing(&doing(), &target.source))
    }

    /// Sends the whole object for the server to merge.
    ///
    /// # Errors
    /// What the server says, and for conflicts what can be done about them.
    pub(crate) async fn server_side(&self, target: &Target, object: &Value, force: bool) -> Result<Value> {
        let path = self.query(&target.path(), SERVER_SIDE_MANAGER, &[("force", if force { "true" } else { "false" })]);
        // JSON is YAML.
        let call = Call { method: Method::PATCH, path: &path, content_type: "application/apply-patch+yaml", body: object };
        self.server.call(call).await.map_err(|error| match error.refusal() {
            Some(refusal) if refusal.code == 409 => usage(format!("{}\n{CONFLICT}", refusal.message)),
            _ => error,
        })
    }
}

const CONFLICT: &str = "\
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";
