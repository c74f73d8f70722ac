//! `serviceaccounts/token`: a token for whoever is to act as the account.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestStatus},
        core::v1::{Node, Pod, Secret},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use mini_daemon::clock;
use serde_json::Value;

use super::{Deed, read};
use crate::{
    error::{ApiError, Result},
    kinds::{
        field::{Errors, Path},
        nulls::Nulls,
        rules::{Type, cast},
    },
    registry::{Call, Registry},
    tokens::{Claims, ISSUER, Named, Subject},
};

/// Seconds a token counts if nothing else is asked for.
const SECONDS: i64 = 3600;
/// The fewest seconds that can be asked for.
const SECONDS_MIN: i64 = 600;
/// The most.
const SECONDS_MAX: i64 = 1 << 32;
/// What an answer says even of a token that is bound to nothing.
const NULLS: Nulls = Nulls { of: "spec", fields: &["boundObjectRef"] };

pub(super) struct Plan;

#[async_trait]
impl Deed for Plan {
    async fn run(&self, registry: &Registry, call: &mut Call, name: &str, body: &[u8]) -> Result<Option<Value>> {
        let mut request: TokenRequest = read(body, "TokenRequest", &["authentication.k8s.io/v1"])?;
        let item = registry.get(call.kind, &call.namespace, name).await?;
        let account = registry.object(call.kind, &item)?;
        check(&request, name, &call.namespace)?;
        let spec = request.spec.get_or_insert_default();
        let mut objects = vec![("serviceaccount", named(account.meta()))];
        if let Some(reference) = &spec.bound_object_ref {
            objects.extend(bound(registry, call, name, reference).await?);
        }
        let audiences = spec.audiences.get_or_insert_default();
        if audiences.is_empty() {
            audiences.push(ISSUER.to_owned());
        }
        let audiences = audiences.clone();
        let seconds = *spec.expiration_seconds.get_or_insert(SECONDS);
        let claims = claims(name, &call.namespace, objects, audiences, seconds, call.now);
        let token = registry.tokens().sign(&claims).map_err(|error| ApiError::internal(format!("failed to generate token: {error}")))?;
        let end = call.now + SignedDuration::from_secs(seconds);
        request.metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(call.namespace.clone()),
            creation_timestamp: Some(Time(call.now)),
            ..ObjectMeta::default()
        };
        request.status = Some(TokenRequestStatus { token: Some(token), expiration_timestamp: Some(Time(end)) });
        let mut answer = serde_json::to_value(&request).map_err(|error| ApiError::internal(error.to_string()))?;
        NULLS.fill(&mut answer);
        Ok(Some(answer))
    }
}

fn check(request: &TokenRequest, name: &str, namespace: &str) -> Result<()> {
    let said = |field: &Option<String>, path: &str| field.clone().filter(|said| !said.is_empty() && said != path);
    if let Some(other) = said(&request.metadata.name, name) {
        return Err(ApiError::wrong_name(&other, name));
    }
    if said(&request.metadata.namespace, namespace).is_some() {
        return Err(ApiError::bad_request("the namespace of the provided object does not match the namespace sent on the request"));
    }
    let mut errors = Errors::new();
    let spec = Path::new("spec");
    let path = spec.child("expirationSeconds");
    let seconds = request.spec.as_ref().and_then(|spec| spec.expiration_seconds).unwrap_or(SECONDS);
    if seconds < SECONDS_MIN {
        errors.invalid(&path, seconds, "may not specify a duration less than 10 minutes");
    }
    if seconds > SECONDS_MAX {
        errors.invalid(&path, seconds, "may not specify a duration larger than 2^32 seconds");
    }
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid("TokenRequest", "authentication.k8s.io", "", &errors)) }
}

/// What a token that is bound to an object says of it.
async fn bound(registry: &Registry, call: &Call, account: &str, to: &BoundObjectReference) -> Result<Vec<(&'static str, Named)>> {
    let (kind, name) = (to.kind.as_deref().unwrap_or_default(), to.name.as_deref().unwrap_or_default());
    let mut said = Vec::new();
    match (to.api_version.as_deref().unwrap_or_default(), kind) {
        ("v1", "Pod") => {
            let pod: Pod = get(registry, "pods", &call.namespace, name).await?;
            let spec = pod.spec.unwrap_or_default();
            if spec.service_account_name.as_deref() != Some(account) {
                let other = spec.service_account_name.unwrap_or_default();
                let why = format!("cannot bind token for serviceaccount {account:?} to pod running with serviceaccount {other:?}");
                return Err(ApiError::bad_request(why));
            }
            said.push(("pod", named(&pod.metadata)));
            if let Some(node) = spec.node_name.filter(|node| !node.is_empty()) {
                // A pod may be bound to a node that has gone.
                let uid = get::<Node>(registry, "nodes", "", &node).await.ok().and_then(|node| node.metadata.uid).unwrap_or_default();
                said.push(("node", Named { name: node, uid }));
            }
        }
        ("v1", "Secret") => said.push(("secret", named(&get::<Secret>(registry, "secrets", &call.namespace, name).await?.metadata))),
        ("v1", "Node") => said.push(("node", named(&get::<Node>(registry, "nodes", "", name).await?.metadata))),
        (version, kind) => {
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            return Err(ApiError::bad_request(format!("cannot bind token to object of type {group}/{version}, Kind={kind}")));
        }
    }
    let (asked, found) = (to.uid.as_deref().unwrap_or_default(), said[0].1.uid.as_str());
    if !asked.is_empty() && asked != found {
        let why = format!(
            "the UID in the bound object reference ({asked}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(ApiError::conflict(kind, "", name, &why));
    }
    Ok(said)
}

async fn get<K: Type>(registry: &Registry, plural: &str, namespace: &str, name: &str) -> Result<K> {
    let kind = registry.find(plural).ok_or_else(ApiError::no_resource)?;
    let item = registry.get(kind, namespace, name).await?;
    Ok(cast::<K>(&*registry.object(kind, &item)?).clone())
}

fn named(meta: &ObjectMeta) -> Named {
    Named { name: meta.name.clone().unwrap_or_default(), uid: meta.uid.clone().unwrap_or_default() }
}

fn claims(account: &str, namespace: &str, objects: Vec<(&str, Named)>, audiences: Vec<String>, seconds: i64, now: Timestamp) -> Claims {
    let from = now.as_second();
    Claims {
        aud: audiences,
        exp: from + seconds,
        iat: from,
        iss: ISSUER.to_owned(),
        jti: clock::uuid(),
        kubernetes: Subject {
            namespace: namespace.to_owned(),
            objects: objects.into_iter().map(|(kind, named)| (kind.to_owned(), named)).collect(),
        },
        nbf: from,
        sub: format!("system:serviceaccount:{namespace}:{account}"),
    }
}
