//! Short names for contents: the `pod-template-hash` of a pod template, and the hash of what a ControllerRevision keeps.
//!
//! The first looks like upstream's and behaves like it (FNV-1a over the template, then the collision counter, written in
//! letters that spell no words), but is not the same string for the same template: upstream hashes a Go-specific
//! dump of memory, we hash JSON. Nothing may depend on the letters, only on equality. The second is upstream's, letter for letter.

use std::io;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::Value;

/// No vowels and nothing that looks like one, so that a random name is never a bad word.
const SAFE_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// What FNV of 32 bits begins with, and multiplies by.
const OFFSET_BASIS: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;

/// The hash of `template` as a label value of at most ten characters.
///
/// `collision_count` is the Deployment's `status.collisionCount`: raised when two templates share a hash, so that
/// the next try differs.
pub fn template_hash(template: &PodTemplateSpec, collision_count: Option<i32>) -> String {
    let mut hasher = Fnv1a::new();
    // Field order is fixed by the type and maps are sorted, so equal templates give equal bytes.
    serde_json::to_writer(&mut hasher, template).expect("string keys only, and the writer never fails");
    if let Some(count) = collision_count {
        // Eight bytes, the upper four zero: upstream's buffer is that long.
        hasher.update(&u64::from(count.cast_unsigned()).to_le_bytes());
    }
    safe_encode(&hasher.0.to_string())
}

/// The hash of the `data` of a ControllerRevision, which its name ends with.
///
/// `collision_count` is its owner's `status.collisionCount`: raised when two revisions share a hash, so that the next try differs.
pub fn revision_hash(data: &Value, collision_count: i32) -> String {
    let mut json = data.to_string();
    // Go writes these so even inside of strings, the only place where JSON has them.
    for (character, escaped) in [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")] {
        json = json.replace(character, escaped);
    }
    json.push_str(&collision_count.to_string());
    // FNV-1: it multiplies first, where FNV-1a does so last.
    let sum = json.bytes().fold(OFFSET_BASIS, |sum, byte| sum.wrapping_mul(PRIME) ^ u32::from(byte));
    safe_encode(&sum.to_string())
}

/// Each character replaced by one of the safe alphabet (`rand.SafeEncodeString`).
fn safe_encode(text: &str) -> String {
    text.bytes().map(|byte| char::from(SAFE_ALPHABET[usize::from(byte) % SAFE_ALPHABET.len()])).collect()
}

/// 32-bit FNV-1a that can be written to, so that the JSON need not be kept.
struct Fnv1a(u32);

impl Fnv1a {
    fn new() -> Self {
        Self(OFFSET_BASIS)
    }

    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(PRIME);
        }
    }
}

impl io::Write for Fnv1a {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Container, PodSpec};

    use super::*;

    fn template(image: &str) -> PodTemplateSpec {
        let container = Container { name: "c".into(), image: Some(image.into()), ..Default::default() };
        PodTemplateSpec { spec: Some(PodSpec { containers: vec![container], ..Default::default() }), ..Default::default() }
    }

    #[test]
    fn fnv_vectors() {
        for (text, want) in [("", 0x811c_9dc5), ("a", 0xe40c_292c), ("foobar", 0xbf9c_f968)] {
            let mut hasher = Fnv1a::new();
            hasher.update(text.as_bytes());
            assert_eq!(hasher.0, want, "{text}");
        }
    }

    #[test]
    fn encoding_is_upstreams() {
        assert_eq!(safe_encode("0123456789"), "456789bcdf");
    }

    #[test]
    fn the_hash_of_a_revision_is_upstreams() {
        // The template of the recorded StatefulSet sts-min, whose first revision is called sts-min-c685f478b.
        let data = serde_json::json!({"spec": {"template": {
            "$patch": "replace",
            "metadata": {"labels": {"a": "sts"}},
            "spec": {
                "containers": [{
                    "name": "c", "image": "nginx", "resources": {}, "imagePullPolicy": "Always",
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                }],
                "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
                "securityContext": {}, "schedulerName": "default-scheduler",
            },
        }}});
        assert_eq!(revision_hash(&data, 0), "c685f478b");
        assert_ne!(revision_hash(&data, 1), "c685f478b");
        let shell = serde_json::json!({"command": "a && b > c"});
        assert_eq!(revision_hash(&shell, 0), "55b7668ddc");
    }

    #[test]
    fn depends_on_template_and_collisions_only() {
        let one = template_hash(&template("nginx:1"), None);
        assert_eq!(one, template_hash(&template("nginx:1"), None));
        assert_ne!(one, template_hash(&template("nginx:2"), None));
        assert_ne!(one, template_hash(&template("nginx:1"), Some(0)));
        assert_ne!(template_hash(&template("nginx:1"), Some(0)), template_hash(&template("nginx:1"), Some(1)));
        assert!(one.len() <= 10 && one.bytes().all(|c| SAFE_ALPHABET.contains(&c)), "{one}");
    }
}
