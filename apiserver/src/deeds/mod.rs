//! Subresources whose POST concerns more than the object they belong to, such as an eviction: it asks the disruption budgets,
//! writes one and deletes a pod.
//!
//! To add a deed, write one file with a `Deed`, add its word to the list, and name the subresource on the kind's row with
//! [`Action::Deed`](crate::kinds::subresource::Action::Deed). What is to be decided is decided by pure functions.

use async_trait::async_trait;
use serde_json::Value;

use crate::{
    error::{ApiError, Result},
    registry::{Call, Registry},
};

/// Declares the deeds: the subresource's path in discovery, and the file.
macro_rules! deeds {
    ($($path:literal => $deed:ident),* $(,)?) => {
        $(mod $deed;)*
        /// The deed behind a subresource, such as `pods/eviction`.
        #[must_use]
        pub fn find(plural: &str, subresource: &str) -> Option<&'static dyn Deed> {
            let path = format!("{plural}/{subresource}");
            match path.as_str() {
                $($path => Some(&$deed::Plan),)*
                _ => None,
            }
        }
    };
}

deeds!["pods/eviction" => eviction, "serviceaccounts/token" => token];

/// One deed.
#[async_trait]
pub trait Deed: Send + Sync {
    /// Does it to the object of that name. Answers what the client is to get; nothing is a plain success.
    ///
    /// # Errors
    /// The refusal, as the client is to see it.
    async fn run(&self, registry: &Registry, call: &mut Call, name: &str, body: &[u8]) -> Result<Option<Value>>;
}

/// The body of a request whose kind is not that of the object: checked to be one of these kinds, by `apiVersion` and `kind`.
fn read<K: serde::de::DeserializeOwned>(body: &[u8], name: &str, versions: &[&str]) -> Result<K> {
    let mut value: Value = serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let Some(map) = value.as_object_mut() else {
        return Err(ApiError::bad_request(format!("the object provided is unrecognized (must be of type {name})")));
    };
    let mut take = |field: &str| map.remove(field).and_then(|value| value.as_str().map(str::to_owned)).filter(|text| !text.is_empty());
    let (version, kind) = (take("apiVersion"), take("kind"));
    let (version, kind) = (version.as_deref().unwrap_or(versions[0]), kind.as_deref().unwrap_or(name));
    if kind != name || !versions.contains(&version) {
        let short = version.rsplit_once('/').map_or(version, |(_, version)| version);
        return Err(ApiError::bad_request(format!(
            "{kind} in version {short:?} cannot be handled as a {name}: no kind {kind:?} is registered for version {version:?} in scheme \"<source>\""
        )));
    }
    serde_json::from_value(value)
        .map_err(|error| ApiError::bad_request(format!("{name} in version {version:?} cannot be handled as a {name}: {error}")))
}
