//! Image names and the registry that is not there: every image exists, but for the names that say they do not.
//!
//! Must not know: nodes, containers.

use super::Image;

/// The canonical form of an image name: registry, repository and tag are written out.
pub(super) fn canonical(name: &str) -> String {
    let (registry, rest) = match name.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
        _ => ("docker.io", name),
    };
    let library = if registry == "docker.io" && !rest.contains('/') { "library/" } else { "" };
    let tagged = rest.contains('@') || rest.rsplit('/').next().is_some_and(|last| last.contains(':'));
    format!("{registry}/{library}{rest}{}", if tagged { "" } else { ":latest" })
}

/// Whether a name is one of those that stand for an image nobody has pushed.
pub(super) fn is_missing(name: &str) -> bool {
    let reference = canonical(name);
    let (path, tag) = reference.rsplit_once(':').unwrap_or((&reference, ""));
    tag == "no-such-tag" || path.split_once('/').is_some_and(|(_, repository)| repository.starts_with("nosuch/"))
}

/// What containerd says about an image that cannot be found.
pub(super) fn not_found(name: &str) -> String {
    let reference = canonical(name);
    format!(
        "rpc error: code = NotFound desc = failed to pull and unpack image {reference:?}: \
         failed to resolve reference {reference:?}: {reference}: not found"
    )
}

/// The image a name resolves to: always the same digest and size.
pub(super) fn resolve(name: &str) -> Image {
    let reference = canonical(name);
    let repository = match reference.split_once('@') {
        Some((repository, _)) => repository,
        None => reference.rsplit_once(':').map_or(reference.as_str(), |(repository, _)| repository),
    };
    let word = |seed: u64| fnv(seed, &reference);
    let digest = match reference.split_once('@') {
        Some((_, digest)) => digest.to_owned(),
        None => format!("sha256:{:016x}{:016x}{:016x}{:016x}", word(1), word(2), word(3), word(4)),
    };
    let size = 5_000_000 + word(5) % 150_000_000;
    Image { id: format!("{repository}@{digest}"), reference, size }
}

/// FNV-1a over a seed and a text: stable, which is all a make-believe digest needs.
fn fnv(seed: u64, text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(seed.to_le_bytes().into_iter().fold(0xcbf2_9ce4_8422_2325, step), step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_names() {
        for (name, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.7.9", "docker.io/library/nginx:1.7.9"),
            ("bitnami/redis", "docker.io/bitnami/redis:latest"),
            ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"),
            ("localhost:5000/web", "localhost:5000/web:latest"),
            ("nginx@sha256:ab", "docker.io/library/nginx@sha256:ab"),
        ] {
            assert_eq!(canonical(name), full);
        }
    }

    #[test]
    fn missing_ones_say_so() {
        assert!(is_missing("nginx:no-such-tag"));
        assert!(is_missing("nosuch/thing:1"));
        assert!(is_missing("quay.io/nosuch/thing"));
        assert!(!is_missing("nginx:1.7.9"));
        assert_eq!(
            not_found("nginx:no-such-tag"),
            "rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/library/nginx:no-such-tag\": failed to \
             resolve reference \"docker.io/library/nginx:no-such-tag\": docker.io/library/nginx:no-such-tag: not found"
        );
    }

    #[test]
    fn digests_are_stable_and_differ() {
        assert_eq!(resolve("nginx"), resolve("nginx"));
        assert_ne!(resolve("nginx").id, resolve("nginx:1.7.9").id);
        assert_eq!(resolve("nginx@sha256:ab").id, "docker.io/library/nginx@sha256:ab");
        assert_eq!(resolve("nginx").id.len(), "docker.io/library/nginx@sha256:".len() + 64);
    }
}
