//! The tokens of a pod's service account: asked for when somebody reads one, and anew when it gets old.
//!
//! Must not know: in which file a token is.

use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{Pod, ServiceAccount, ServiceAccountTokenProjection},
};
use kube::{Api, api::PostParams};
use mini_daemon::clock;
use tokio::sync::Mutex;

use crate::{objects::Objects, runtime::Token};

/// Upstream's default and the shortest life of a token, in seconds.
const LIFE: i64 = 3600;
/// No token gets older than this.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);

/// One token of one pod.
pub(super) struct Minted {
    objects: Arc<Objects>,
    owner: Arc<Owner>,
    audience: Option<String>,
    seconds: i64,
    /// The token and the moment from which it is old.
    last: Arc<Mutex<Option<(Bytes, Timestamp)>>>,
}

/// What of a pod its tokens are about.
struct Owner {
    namespace: String,
    account: String,
    bound: BoundObjectReference,
}

impl Owner {
    fn of(pod: &Pod) -> Self {
        let meta = &pod.metadata;
        let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.clone());
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            account: account.unwrap_or_else(|| "default".to_owned()),
            bound: BoundObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: meta.name.clone(),
                uid: meta.uid.clone(),
            },
        }
    }
}

impl Minted {
    /// A token that nobody has read yet.
    pub(super) fn new(objects: Arc<Objects>, pod: &Pod, projection: &ServiceAccountTokenProjection) -> Self {
        let audience = projection.audience.clone().filter(|audience| !audience.is_empty());
        let owner = Arc::new(Owner::of(pod));
        Self { objects, owner, audience, seconds: projection.expiration_seconds.unwrap_or(LIFE), last: Arc::default() }
    }
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted").field("pod", &self.owner.bound.name).field("audience", &self.audience).finish_non_exhaustive()
    }
}

impl Token for Minted {
    fn read(&self) -> BoxFuture<'static, Result<Bytes, String>> {
        let (objects, owner, last) = (self.objects.clone(), self.owner.clone(), self.last.clone());
        let (audience, seconds) = (self.audience.clone(), self.seconds);
        async move {
            let mut last = last.lock().await;
            let now = clock::now();
            if let Some((token, _)) = last.as_ref().filter(|(_, old)| now < *old) {
                return Ok(token.clone());
            }
            let (token, ends) = ask(&objects, &owner, audience, seconds).await.map_err(|why| format!("failed to fetch token: {why}"))?;
            let life = ends.duration_since(now);
            *last = Some((token.clone(), now + (life * 4 / 5).min(OLDEST)));
            Ok(token)
        }
        .boxed()
    }
}

/// Asks the API server for a token that is bound to the pod.
async fn ask(objects: &Objects, owner: &Owner, audience: Option<String>, seconds: i64) -> Result<(Bytes, Timestamp), String> {
    let spec = TokenRequestSpec {
        audiences: Some(audience.into_iter().collect()),
        bound_object_ref: Some(owner.bound.clone()),
        expiration_seconds: Some(seconds),
    };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let api = Api::<ServiceAccount>::namespaced(objects.client(), &owner.namespace);
    let answer = api.create_token_request(&owner.account, &PostParams::default(), &request).await.map_err(|error| error.to_string())?;
    let status = answer.status.ok_or_else(|| "the API server gave no token".to_owned())?;
    let (token, ends) = status.token.zip(status.expiration_timestamp).ok_or_else(|| "the API server gave no token".to_owned())?;
    Ok((token.into(), ends.0))
}
