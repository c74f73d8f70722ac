//! Disks that pods name themselves, without a claim: those of which upstream knows that only one pod at a time may write to them.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PersistentDiskView {
    pd_name: String,
    #[serde(default)]
    read_only: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockStoreView {
    #[serde(rename = "volumeID")]
    volume: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IscsiView {
    iqn: String,
    #[serde(default)]
    read_only: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RbdView {
    monitors: Vec<String>,
    pool: Option<String>,
    image: String,
    #[serde(default)]
    read_only: bool,
}

/// A disk a volume of a pod names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disk {
    /// `gcePersistentDisk`.
    PersistentDisk {
        /// `pdName`.
        name: String,
        /// Nobody writes through it.
        read_only: bool,
    },
    /// `awsElasticBlockStore`: one pod alone may have it, even to read.
    BlockStore {
        /// `volumeID`.
        volume: String,
    },
    /// `iscsi`.
    Iscsi {
        /// The qualified name of the target.
        iqn: String,
        /// Nobody writes through it.
        read_only: bool,
    },
    /// `rbd`.
    Rbd {
        /// The monitors of the Ceph cluster: it is another one if none of them is the same.
        monitors: Vec<String>,
        /// The pool.
        pool: String,
        /// The image in the pool.
        image: String,
        /// Nobody writes through it.
        read_only: bool,
    },
}

impl Disk {
    /// Whether pods that name these cannot be on one node.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::PersistentDisk { name, read_only }, Self::PersistentDisk { name: other, read_only: too }) => {
                name == other && !(*read_only && *too)
            }
            (Self::BlockStore { volume }, Self::BlockStore { volume: other }) => volume == other,
            (Self::Iscsi { iqn, read_only }, Self::Iscsi { iqn: other, read_only: too }) => iqn == other && !(*read_only && *too),
            (
                Self::Rbd { monitors, pool, image, read_only },
                Self::Rbd { monitors: others, pool: other_pool, image: other_image, read_only: too },
            ) => {
                let same_cluster = monitors.iter().any(|monitor| others.contains(monitor));
                same_cluster && pool == other_pool && image == other_image && !(*read_only && *too)
            }
            _ => false,
        }
    }
}

impl From<PersistentDiskView> for Disk {
    fn from(view: PersistentDiskView) -> Self {
        Self::PersistentDisk { name: view.pd_name, read_only: view.read_only }
    }
}

impl From<BlockStoreView> for Disk {
    fn from(view: BlockStoreView) -> Self {
        Self::BlockStore { volume: view.volume }
    }
}

impl From<IscsiView> for Disk {
    fn from(view: IscsiView) -> Self {
        Self::Iscsi { iqn: view.iqn, read_only: view.read_only }
    }
}

impl From<RbdView> for Disk {
    fn from(view: RbdView) -> Self {
        let pool = view.pool.unwrap_or_else(|| "rbd".to_owned());
        Self::Rbd { monitors: view.monitors, pool, image: view.image, read_only: view.read_only }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::volumes_of;

    #[test]
    fn one_pod_alone_may_write() {
        let disk = |source: Value| {
            let mut volume = json!({"name": "v", "emptyDir": {}});
            source.as_object().unwrap().iter().for_each(|(kind, source)| volume[kind] = source.clone());
            volumes_of("p", serde_json::from_value(json!([volume])).unwrap()).1
        };
        let gce = |name: &str, read_only: bool| json!({"gcePersistentDisk": {"pdName": name, "readOnly": read_only}});
        let ebs = |id: &str| json!({"awsElasticBlockStore": {"volumeID": id, "readOnly": true}});
        let iscsi = |iqn: &str, read_only: bool| json!({"iscsi": {"targetPortal": "t", "lun": 0, "iqn": iqn, "readOnly": read_only}});
        let rbd =
            |monitors: &[&str], image: &str, read_only: bool| json!({"rbd": {"monitors": monitors, "image": image, "readOnly": read_only}});
        for (one, other, conflict) in [
            (gce("a", false), gce("a", false), true),
            (gce("a", true), gce("a", false), true),
            (gce("a", true), gce("a", true), false),
            (gce("a", false), gce("b", false), false),
            (ebs("a"), ebs("a"), true),
            (ebs("a"), ebs("b"), false),
            (iscsi("a", false), iscsi("a", true), true),
            (iscsi("a", true), iscsi("a", true), false),
            (iscsi("a", false), iscsi("b", false), false),
            (rbd(&["m", "n"], "a", false), rbd(&["n"], "a", true), true),
            (rbd(&["m"], "a", false), rbd(&["n"], "a", false), false),
            (rbd(&["m"], "a", true), rbd(&["m"], "a", true), false),
            (rbd(&["m"], "a", false), rbd(&["m"], "b", false), false),
            (json!({"rbd": {"monitors": ["m"], "image": "a", "pool": "other"}}), rbd(&["m"], "a", false), false),
            (gce("a", false), ebs("a"), false),
        ] {
            let (mine, others) = (disk(one.clone()), disk(other.clone()));
            assert_eq!(mine[0].conflicts(&others[0]), conflict, "{one} {other}");
            assert_eq!(others[0].conflicts(&mine[0]), conflict, "{other} {one}");
        }
        assert!(disk(json!({})).is_empty());
    }
}
