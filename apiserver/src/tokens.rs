//! Tokens that tell which service account somebody is: JSON web tokens, signed with a key of the cluster's own that is kept
//! in the store. Nobody has to show one yet; TokenReview tells whose one is.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use mini_store::{Expect, Store};
use ring::{
    digest,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde::{Deserialize, Serialize};

/// Who signs, and for whom a token is that names no audience: the API server itself.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// Where the store keeps the key, outside of what the API shows.
const KEY: &str = "/mini/service-account-key";

/// Signs and checks tokens.
pub struct Tokens {
    signing: EncodingKey,
    checking: DecodingKey,
    /// Names the key in the tokens it signed.
    id: String,
}

/// What a token says, in the names of RFC 7519 and of Kubernetes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// For whom it is.
    pub aud: Vec<String>,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// When it was signed.
    pub iat: i64,
    /// Who signed it.
    pub iss: String,
    /// Which token it is.
    pub jti: String,
    /// Whose it is.
    #[serde(rename = "kubernetes.io")]
    pub kubernetes: Subject,
    /// From when on it counts.
    pub nbf: i64,
    /// `system:serviceaccount:NAMESPACE:NAME`.
    pub sub: String,
}

/// Whose a token is, and what must be there for it to count.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subject {
    /// Of the account.
    pub namespace: String,
    /// The account, and what the token is bound to, by kind in lower case.
    #[serde(flatten)]
    pub objects: BTreeMap<String, Named>,
}

/// An object, and which of that name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl Tokens {
    /// Signs with the key of the store, which is made when there is none.
    ///
    /// # Errors
    /// When the store fails, or what it keeps is no key.
    pub async fn of(store: &dyn Store) -> Result<Self> {
        let kept = match store.get(KEY).await? {
            Some(entry) => entry.value,
            None => {
                let made = Bytes::from(key()?);
                store.put(KEY, made.clone(), Expect::Absent).await.context("keep the key of service accounts")?;
                made
            }
        };
        Self::with(&kept)
    }

    /// Signs with a key of its own.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new() -> Result<Self> {
        Self::with(&key()?)
    }

    fn with(key: &[u8]) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &SystemRandom::new())
            .map_err(|error| anyhow!("read the key of service accounts: {error}"))?;
        let public = pair.public_key().as_ref();
        let id = BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, public));
        Ok(Self { signing: EncodingKey::from_ec_der(key), checking: DecodingKey::from_ec_der(public), id })
    }

    /// A token that says so.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn sign(&self, claims: &Claims) -> Result<String> {
        let header = Header { kid: Some(self.id.clone()), typ: None, ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.signing).context("sign a token")
    }

    /// What a token says, if it is one of ours and counts at this moment.
    #[must_use]
    pub fn read(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_issuer(&[ISSUER]);
        // Time is ours to tell, and audiences depend on who asks.
        rules.validate_exp = false;
        rules.validate_aud = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.checking, &rules).ok()?.claims;
        (claims.nbf..claims.exp).contains(&now.as_second()).then_some(claims)
    }
}

fn key() -> Result<Vec<u8>> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    Ok(made.map_err(|error| anyhow!("make a key: {error}"))?.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        let account = Named { name: "a".to_owned(), uid: "u".to_owned() };
        Claims {
            aud: vec![ISSUER.to_owned()],
            exp: 200,
            iat: 100,
            iss: ISSUER.to_owned(),
            jti: "j".to_owned(),
            kubernetes: Subject { namespace: "n".to_owned(), objects: [("serviceaccount".to_owned(), account)].into() },
            nbf: 100,
            sub: "system:serviceaccount:n:a".to_owned(),
        }
    }

    #[test]
    fn a_token_counts_from_its_beginning_to_its_end_and_only_here() {
        let (tokens, others) = (Tokens::new().unwrap(), Tokens::new().unwrap());
        let token = tokens.sign(&claims()).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        for (second, counts) in [(99, false), (100, true), (199, true), (200, false)] {
            assert_eq!(tokens.read(&token, at(second)).is_some(), counts, "{second}");
        }
        assert_eq!(tokens.read(&token, at(150)).unwrap().kubernetes.objects["serviceaccount"].uid, "u");
        assert!(others.read(&token, at(150)).is_none());
        assert!(tokens.read("no.such.token", at(150)).is_none());
    }

    #[tokio::test]
    async fn the_key_is_kept() {
        let store = mini_store::open("memory:").unwrap();
        let token = Tokens::of(&*store).await.unwrap().sign(&claims()).unwrap();
        let at = Timestamp::from_second(150).unwrap();
        assert!(Tokens::of(&*store).await.unwrap().read(&token, at).is_some());
    }
}
