//! The volumes of the pods: trees of files that containers have mounted, and for how long they live.
//!
//! An `emptyDir` is the pod's, a host path its node's, a disk belongs to all nodes of this process. Files made from objects of the API are
//! published anew when they differ from what was published last. Must not know: containers, the API.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use bytes::Bytes;
use mini_machine::{
    files::{Device, Image, Item, Kind, Mode, Space, Tree},
    kernel,
};
use parking_lot::Mutex;

use super::super::{Content, File, Files, Mount, Now, RuntimeError, Source};

/// How many files and directories a volume may have.
const INODES: u64 = 100_000;
/// How many bytes a volume may have of which nothing is said.
const BYTES: u64 = 64 << 20;

/// The volumes of one pod.
#[derive(Default)]
pub(super) struct PodVolumes {
    empty: Mutex<HashMap<String, Arc<Tree>>>,
    published: Mutex<HashMap<String, Arc<Published>>>,
}

/// Files that follow objects of the API.
struct Published {
    files: Arc<dyn Files>,
    tree: Arc<Tree>,
    /// What stands for what was published last.
    digest: Mutex<Option<u64>>,
    now: Now,
}

/// Trees by their names.
#[derive(Default)]
pub(super) struct Trees(Mutex<HashMap<String, Arc<Tree>>>);

impl Trees {
    fn of(&self, name: &str, make: impl FnOnce() -> Arc<Tree>) -> Arc<Tree> {
        self.0.lock().entry(name.to_owned()).or_insert_with(make).clone()
    }
}

/// Where volumes come from that outlive a pod.
pub(super) struct Stores<'s> {
    /// By node.
    pub(super) hosts: &'s Trees,
    /// By the name of the volume.
    pub(super) disks: &'s Trees,
    /// The clock of new files.
    pub(super) now: &'s Now,
}

impl PodVolumes {
    /// What a container has mounted, ready to be mounted.
    ///
    /// # Errors
    /// When a path of the node is not what it should be, or a file cannot be had.
    pub(super) async fn mount(&self, mount: &Mount, node: &str, stores: &Stores<'_>) -> Result<kernel::Mount, RuntimeError> {
        let below = mount.sub_path.trim_matches('/');
        let mut inner = format!("/{below}");
        let (tree, kind, device) = match &mount.source {
            Source::Files(files) => (self.publish(&mount.volume, files, stores.now).await?, "tmpfs", "tmpfs"),
            Source::Empty { memory, limit } => {
                let tree = || tree(limit.unwrap_or(BYTES), 0o777, stores.now);
                let tree = self.empty.lock().entry(mount.volume.clone()).or_insert_with(tree).clone();
                (tree, if *memory { "tmpfs" } else { "ext4" }, if *memory { "tmpfs" } else { "/dev/vda1" })
            }
            Source::Host { path, kind } => {
                let tree = stores.hosts.of(node, || host(node, stores.now));
                host_path(&tree, path, kind)?;
                inner = format!("{}/{below}", path.trim_end_matches('/'));
                (tree, "ext4", "/dev/vda1")
            }
            Source::Disk { name } => (stores.disks.of(name, || tree(BYTES, 0o777, stores.now)), "ext4", "/dev/vdb"),
        };
        let inner = if inner.len() > 1 { inner.trim_end_matches('/').to_owned() } else { inner };
        if !below.is_empty() && !matches!(mount.source, Source::Files(_)) && tree.files().stat(&inner).is_err() {
            // A part that is not there is made, as a directory.
            tree.files().put([Item::directory(&inner, 0o755)]).map_err(|trouble| RuntimeError::Create(trouble.to_string()))?;
        }
        let read_only = mount.read_only || matches!(mount.source, Source::Files(_));
        Ok(kernel::Mount { path: mount.path.clone(), tree, inner, read_only, kind, device: device.to_owned() })
    }

    async fn publish(&self, volume: &str, files: &Arc<dyn Files>, now: &Now) -> Result<Arc<Tree>, RuntimeError> {
        let made = match self.published.lock().entry(volume.to_owned()) {
            Entry::Occupied(there) => there.get().clone(),
            Entry::Vacant(place) => {
                let published =
                    Published { files: files.clone(), tree: tree(BYTES, 0o755, now), digest: Mutex::default(), now: now.clone() };
                place.insert(Arc::new(published)).clone()
            }
        };
        made.refresh().await.map_err(RuntimeError::Create)?;
        Ok(made.tree.clone())
    }

    /// Publishes what has changed.
    pub(super) async fn refresh(&self) {
        let published: Vec<_> = self.published.lock().values().cloned().collect();
        for volume in published {
            if let Err(why) = volume.refresh().await {
                tracing::debug!(why, "a volume keeps what it had");
            }
        }
    }
}

impl Published {
    async fn refresh(&self) -> Result<(), String> {
        let (mut items, mut hasher) = (Vec::new(), DefaultHasher::new());
        for File { path, mode, content } in self.files.list() {
            let bytes = match content {
                Content::Bytes(bytes) => bytes,
                Content::Token(token) => token.read().await?,
            };
            let mode = Mode::try_from(mode & 0o7777).unwrap_or(0o644);
            (&path, mode, &bytes[..]).hash(&mut hasher);
            items.push(Item::file(path, mode, bytes));
        }
        let digest = hasher.finish();
        if self.digest.lock().replace(digest) == Some(digest) {
            return Ok(());
        }
        let version = (self.now)().strftime("%Y_%m_%d_%H_%M_%S").to_string();
        self.tree.files().publish("/", &format!("{version}.{:010}", digest % 10_000_000_000), &items).map_err(|trouble| trouble.to_string())
    }
}

fn tree(bytes: u64, mode: Mode, now: &Now) -> Arc<Tree> {
    let tree = Tree::new(Image::empty(), Space { bytes, inodes: INODES }, now.clone());
    // Its root is there already: only its mode is set, which cannot fail.
    let _ = tree.files().put([Item::directory("/", mode)]);
    tree
}

/// The make-believe file system of a node.
fn host(node: &str, now: &Now) -> Arc<Tree> {
    let tree = tree(BYTES, 0o755, now);
    let directories =
        ["/etc", "/home", "/mnt", "/opt", "/proc", "/root", "/run", "/srv", "/sys", "/usr", "/var/lib/kubelet", "/var/log/pods"];
    let files = [
        Item::file("/etc/hostname", 0o644, Bytes::from(format!("{node}\n"))),
        Item::file("/etc/os-release", 0o644, &b"PRETTY_NAME=\"mini (simulated)\"\nNAME=\"mini\"\nID=mini\n"[..]),
        Item::directory("/tmp", 0o1777),
        Item::device("/dev/null", 0o666, Device::Null),
        Item::device("/dev/zero", 0o666, Device::Zero),
        Item::device("/dev/urandom", 0o666, Device::Random),
    ];
    // There is room in a new tree.
    let _ = tree.files().put(directories.map(|path| Item::directory(path, 0o755)).into_iter().chain(files));
    tree
}

/// Sees to it that a path of a node is what a pod expects there.
fn host_path(tree: &Arc<Tree>, path: &str, kind: &str) -> Result<(), RuntimeError> {
    let files = tree.files();
    let there = files.stat(path).map(|stat| stat.kind).ok();
    let refused = |what: &str| Err(RuntimeError::Create(format!("hostPath type check failed: {path} is not {what}")));
    let missing = match (kind, there) {
        ("" | "DirectoryOrCreate", None) => Some(Item::directory(path, 0o755)),
        ("FileOrCreate", None) => Some(Item::file(path, 0o644, Bytes::new())),
        ("Directory" | "DirectoryOrCreate", there) if there != Some(Kind::Directory) => return refused("a directory"),
        ("File" | "FileOrCreate", there) if there != Some(Kind::File) => return refused("a file"),
        ("Socket", _) => return refused("a socket file"),
        ("CharDevice", there) if !matches!(there, Some(Kind::Device(_))) => return refused("a character device"),
        ("BlockDevice", _) => return refused("a block device"),
        _ => None,
    };
    files.put(missing).map_err(|trouble| RuntimeError::Create(trouble.to_string()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn now() -> Now {
        Arc::new(|| Timestamp::UNIX_EPOCH)
    }

    fn mount(volume: &str, source: Source, sub_path: &str) -> Mount {
        Mount { volume: volume.into(), path: "/data".into(), sub_path: sub_path.into(), read_only: false, source }
    }

    #[derive(Debug, Default)]
    struct Map(Mutex<Vec<(&'static str, &'static str)>>);

    impl Files for Map {
        fn list(&self) -> Vec<File> {
            let file = |(path, text): &(&str, &'static str)| File {
                path: (*path).into(),
                mode: 0o644,
                content: Content::Bytes(Bytes::from_static(text.as_bytes())),
            };
            self.0.lock().iter().map(file).collect()
        }
    }

    #[tokio::test]
    async fn files_of_objects_follow_them() {
        let (hosts, disks, now) = (Trees::default(), Trees::default(), now());
        let (stores, pod) = (Stores { hosts: &hosts, disks: &disks, now: &now }, PodVolumes::default());
        let map = Arc::new(Map::default());
        *map.0.lock() = vec![("a", "1"), ("b/c", "2")];
        let mounted = pod.mount(&mount("m", Source::Files(map.clone()), ""), "n", &stores).await.unwrap();
        assert!(mounted.read_only);
        let read = |path: &str| mounted.tree.files().read(path).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        assert_eq!((read("/a"), read("/b/c")), (Ok("1".into()), Ok("2".into())));
        let (data, version) = (mounted.tree.files().readlink("/a").unwrap(), mounted.tree.files().readlink("/..data").unwrap());
        assert_eq!((data.as_str(), &version[..2]), ("..data/a", ".."));
        pod.refresh().await;
        assert_eq!(mounted.tree.files().readlink("/..data").unwrap(), version, "nothing has changed");
        *map.0.lock() = vec![("a", "3")];
        pod.refresh().await;
        assert_eq!(read("/a"), Ok("3".into()));
        assert!(read("/b/c").is_err());
    }

    #[tokio::test]
    async fn volumes_live_as_long_as_they_should() {
        let (hosts, disks, now) = (Trees::default(), Trees::default(), now());
        let stores = Stores { hosts: &hosts, disks: &disks, now: &now };
        let (one, other) = (PodVolumes::default(), PodVolumes::default());
        let empty = || Source::Empty { memory: false, limit: None };
        let host = |path: &str, kind: &str| Source::Host { path: path.into(), kind: kind.into() };
        let disk = || Source::Disk { name: "pv".into() };
        let mounted = async |pod: &PodVolumes, source: Source, node: &str| pod.mount(&mount("v", source, ""), node, &stores).await.unwrap();
        assert!(Arc::ptr_eq(&mounted(&one, empty(), "n").await.tree, &mounted(&one, empty(), "n").await.tree), "of one pod");
        assert!(!Arc::ptr_eq(&mounted(&one, empty(), "n").await.tree, &mounted(&other, empty(), "n").await.tree));
        assert!(
            Arc::ptr_eq(&mounted(&one, host("/a", ""), "n").await.tree, &mounted(&other, host("/b", ""), "n").await.tree),
            "of one node"
        );
        assert!(!Arc::ptr_eq(&mounted(&one, host("/a", ""), "n").await.tree, &mounted(&one, host("/a", ""), "m").await.tree));
        assert!(Arc::ptr_eq(&mounted(&one, disk(), "n").await.tree, &mounted(&other, disk(), "m").await.tree), "of all");
    }

    #[tokio::test]
    async fn paths_of_a_node_are_checked() {
        let (hosts, disks, now) = (Trees::default(), Trees::default(), now());
        let (stores, pod) = (Stores { hosts: &hosts, disks: &disks, now: &now }, PodVolumes::default());
        for (path, kind, part, want) in [
            ("/new", "", "", Ok("/new")),
            ("/var/log", "Directory", "x/y", Ok("/var/log/x/y")),
            ("/var/none", "Directory", "", Err("hostPath type check failed: /var/none is not a directory")),
            ("/etc/hostname", "File", "", Ok("/etc/hostname")),
            ("/etc", "File", "", Err("hostPath type check failed: /etc is not a file")),
            ("/made", "FileOrCreate", "", Ok("/made")),
            ("/dev/null", "CharDevice", "", Ok("/dev/null")),
            ("/run/docker.sock", "Socket", "", Err("hostPath type check failed: /run/docker.sock is not a socket file")),
            ("/", "", "", Ok("/")),
        ] {
            let source = Source::Host { path: path.into(), kind: kind.into() };
            let mounted = pod.mount(&mount("v", source, part), "n", &stores).await;
            assert_eq!(
                mounted.map(|mounted| mounted.inner),
                want.map(str::to_owned).map_err(|why| RuntimeError::Create(why.into())),
                "{path} {kind}"
            );
        }
    }
}
