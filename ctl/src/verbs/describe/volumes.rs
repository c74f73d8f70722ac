//! The volumes of pods, and where the bytes of persistent volumes are: a table of all sources there are.

use mini_api::quantity::Quantity;
use serde_json::Value;

use super::{
    page::{LONGEST, Page, go_list, joined, quantity, shorten},
    persistent_volume_claim,
};
use crate::value::{int, list, plain, some_text, strings, text};

/// One kind of source: its field, what it is, and its lines.
type Source = (&'static str, &'static str, &'static [(&'static str, Cell)]);

/// How a value of a source is shown; the names are those of fields.
enum Cell {
    Text(&'static str),
    Number(&'static str),
    Truth(&'static str),
    /// A text or number, or something else if there is none.
    Or(&'static str, &'static str),
    /// `[a b]`
    List(&'static str),
    /// `a, b`
    Joined(&'static str),
    /// `map[a:b]`
    Map(&'static str),
    /// A reference to a Secret beside the pod.
    Local(&'static str),
    /// A reference to a Secret in any namespace.
    Far(&'static str),
    /// A text of such a reference.
    Within(&'static str, &'static str),
    SizeLimit,
}

use Cell::{Far, Joined, List, Local, Map, Number, Or, SizeLimit, Text, Truth, Within};

const READ_ONLY: (&str, Cell) = ("ReadOnly:", Truth("readOnly"));
const FS_TYPE: (&str, Cell) = ("FSType:", Text("fsType"));

/// Sources that pods and persistent volumes have in common.
const COMMON: &[Source] = &[
    ("hostPath", "HostPath (bare host directory volume)", &[("Path:", Text("path")), ("HostPathType:", Or("type", "<none>"))]),
    ("nfs", "NFS (an NFS mount that lasts the lifetime of a pod)", &[("Server:", Text("server")), ("Path:", Text("path")), READ_ONLY]),
    ("csi", "CSI (a Container Storage Interface (CSI) volume source)", &[("Driver:", Text("driver")), FS_TYPE, READ_ONLY]),
    (
        "gcePersistentDisk",
        "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
        &[("PDName:", Text("pdName")), FS_TYPE, ("Partition:", Number("partition")), READ_ONLY],
    ),
    (
        "awsElasticBlockStore",
        "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
        &[("VolumeID:", Text("volumeID")), FS_TYPE, ("Partition:", Number("partition")), READ_ONLY],
    ),
    (
        "quobyte",
        "Quobyte (a Quobyte mount on the host that shares a pod's lifetime)",
        &[("Registry:", Text("registry")), ("Volume:", Text("volume")), READ_ONLY],
    ),
    (
        "azureDisk",
        "AzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)",
        &[
            ("DiskName:", Text("diskName")),
            ("DiskURI:", Text("diskURI")),
            ("Kind: ", Text("kind")),
            FS_TYPE,
            ("CachingMode:", Text("cachingMode")),
            READ_ONLY,
        ],
    ),
    (
        "vsphereVolume",
        "vSphereVolume (a Persistent Disk resource in vSphere)",
        &[("VolumePath:", Text("volumePath")), FS_TYPE, ("StoragePolicyName:", Text("storagePolicyName"))],
    ),
    ("photonPersistentDisk", "PhotonPersistentDisk (a Persistent Disk resource in photon platform)", &[("PdID:", Text("pdID")), FS_TYPE]),
    ("portworxVolume", "PortworxVolume (a Portworx Volume resource)", &[("VolumeID:", Text("volumeID"))]),
    (
        "storageos",
        "StorageOS (a StorageOS Persistent Disk resource)",
        &[("VolumeName:", Text("volumeName")), ("VolumeNamespace:", Text("volumeNamespace")), FS_TYPE, READ_ONLY],
    ),
    ("fc", "FC (a Fibre Channel disk)", &[("TargetWWNs:", Joined("targetWWNs")), ("LUN:", Or("lun", "<none>")), FS_TYPE, READ_ONLY]),
    (
        "flocker",
        "Flocker (a Flocker volume mounted by the Flocker agent)",
        &[("DatasetName:", Text("datasetName")), ("DatasetUUID:", Text("datasetUUID"))],
    ),
];

const GLUSTERFS: &str = "Glusterfs (a Glusterfs mount on the host that shares a pod's lifetime)";
const ISCSI: &str = "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)";
const RBD: &str = "RBD (a Rados Block Device mount on the host that shares a pod's lifetime)";
const CINDER: &str = "Cinder (a Persistent Disk resource in OpenStack)";
const SCALE_IO: &str = "ScaleIO (a persistent volume backed by a block device in ScaleIO)";
const CEPH_FS: &str = "CephFS (a CephFS mount on the host that shares a pod's lifetime)";
const AZURE_FILE: &str = "AzureFile (an Azure File Service mount on the host and bind mount to the pod)";
const FLEX: &str = "FlexVolume (a generic volume resource that is provisioned/attached using an exec based plugin)";

/// The sources that refer to a Secret look alike but for how they do it.
macro_rules! secretive {
    ($reference:ident, $scale_io:expr, $azure_file:expr, $glusterfs:expr) => {
        &[
            ("glusterfs", GLUSTERFS, $glusterfs),
            (
                "iscsi",
                ISCSI,
                &[
                    ("TargetPortal:", Text("targetPortal")),
                    ("IQN:", Text("iqn")),
                    ("Lun:", Number("lun")),
                    ("ISCSIInterface", Text("iscsiInterface")),
                    FS_TYPE,
                    READ_ONLY,
                    ("Portals:", List("portals")),
                    ("DiscoveryCHAPAuth:", Truth("chapAuthDiscovery")),
                    ("SessionCHAPAuth:", Truth("chapAuthSession")),
                    ("SecretRef:", $reference("secretRef")),
                    ("InitiatorName:", Or("initiatorName", "<none>")),
                ],
            ),
            (
                "rbd",
                RBD,
                &[
                    ("CephMonitors:", List("monitors")),
                    ("RBDImage:", Text("image")),
                    FS_TYPE,
                    ("RBDPool:", Text("pool")),
                    ("RadosUser:", Text("user")),
                    ("Keyring:", Text("keyring")),
                    ("SecretRef:", $reference("secretRef")),
                    READ_ONLY,
                ],
            ),
            ("cinder", CINDER, &[("VolumeID:", Text("volumeID")), FS_TYPE, READ_ONLY, ("SecretRef:", $reference("secretRef"))]),
            ("scaleIO", SCALE_IO, $scale_io),
            (
                "cephfs",
                CEPH_FS,
                &[
                    ("Monitors:", List("monitors")),
                    ("Path:", Text("path")),
                    ("User:", Text("user")),
                    ("SecretFile:", Text("secretFile")),
                    ("SecretRef:", $reference("secretRef")),
                    READ_ONLY,
                ],
            ),
            ("azureFile", AZURE_FILE, $azure_file),
            (
                "flexVolume",
                FLEX,
                &[
                    ("Driver:", Text("driver")),
                    FS_TYPE,
                    ("SecretRef:", $reference("secretRef")),
                    READ_ONLY,
                    ("Options:", Map("options")),
                ],
            ),
        ]
    };
}

const ENDPOINTS: (&str, Cell) = ("EndpointsName:", Text("endpoints"));
const SHARE: (&str, Cell) = ("ShareName:", Text("shareName"));
const SECRET_NAME: (&str, Cell) = ("SecretName:", Text("secretName"));

/// Sources in the form that pods have them.
const OF_PODS: &[Source] = secretive!(
    Local,
    &[
        ("Gateway:", Text("gateway")),
        ("System:", Text("system")),
        ("Protection Domain:", Text("protectionDomain")),
        ("Storage Pool:", Text("storagePool")),
        ("Storage Mode:", Text("storageMode")),
        ("VolumeName:", Text("volumeName")),
        FS_TYPE,
        READ_ONLY,
    ],
    &[SECRET_NAME, SHARE, READ_ONLY],
    &[ENDPOINTS, ("Path:", Text("path")), READ_ONLY]
);

/// Sources in the form that persistent volumes have them.
const OF_PERSISTENT_VOLUMES: &[Source] = secretive!(
    Far,
    &[
        ("Gateway:", Text("gateway")),
        ("System:", Text("system")),
        ("Protection Domain:", Text("protectionDomain")),
        ("Storage Pool:", Text("storagePool")),
        ("Storage Mode:", Text("storageMode")),
        ("VolumeName:", Text("volumeName")),
        ("SecretName:", Within("secretRef", "name")),
        ("SecretNamespace:", Within("secretRef", "namespace")),
        FS_TYPE,
        READ_ONLY,
    ],
    &[SECRET_NAME, ("SecretNamespace:", Text("secretNamespace")), SHARE, READ_ONLY],
    &[ENDPOINTS, ("EndpointsNamespace:", Or("endpointsNamespace", "<unset>")), ("Path:", Text("path")), READ_ONLY]
);

/// Sources that only pods have.
const ONLY_PODS: &[Source] = &[
    (
        "emptyDir",
        "EmptyDir (a temporary directory that shares a pod's lifetime)",
        &[("Medium:", Text("medium")), ("SizeLimit:", SizeLimit)],
    ),
    (
        "gitRepo",
        "GitRepo (a volume that is pulled from git when the pod is created)",
        &[("Repository:", Text("repository")), ("Revision:", Text("revision"))],
    ),
    ("secret", "Secret (a volume populated by a Secret)", &[SECRET_NAME, ("Optional:", Truth("optional"))]),
    ("configMap", "ConfigMap (a volume populated by a ConfigMap)", &[("Name:", Text("name")), ("Optional:", Truth("optional"))]),
    (
        "persistentVolumeClaim",
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        &[("ClaimName:", Text("claimName")), READ_ONLY],
    ),
    ("downwardAPI", "DownwardAPI (a volume populated by information about the pod)", &[]),
    ("projected", "Projected (a volume that contains injected data from multiple sources)", &[]),
    ("ephemeral", "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)", &[]),
    ("image", "Image (a container image or OCI artifact)", &[("Reference:", Text("reference")), ("PullPolicy:", Text("pullPolicy"))]),
];

/// Sources that only persistent volumes have.
const ONLY_PERSISTENT_VOLUMES: &[Source] = &[
    ("local", "LocalVolume (a persistent volume backed by local storage on a node)", &[("Path:", Text("path"))]),
    // Found before the common one: here it has a handle.
    (
        "csi",
        "CSI (a Container Storage Interface (CSI) volume source)",
        &[("Driver:", Text("driver")), FS_TYPE, ("VolumeHandle:", Text("volumeHandle")), READ_ONLY],
    ),
];

/// The volumes of a pod or of a template.
pub(super) fn volumes(page: &mut Page, volumes: &Value, space: &str) {
    if list(volumes).is_empty() {
        page.field(0, &format!("{space}Volumes"), "<none>");
        return;
    }
    page.line(0, &format!("{space}Volumes:"));
    let indent = if space.is_empty() { "" } else { " " };
    for volume in list(volumes) {
        page.line(1, &format!("{indent}{}:", text(&volume["name"])));
        source(page, volume, &[ONLY_PODS, OF_PODS, COMMON]);
    }
}

/// Where the bytes of a persistent volume are.
pub(super) fn persistent(page: &mut Page, spec: &Value) {
    source(page, spec, &[ONLY_PERSISTENT_VOLUMES, OF_PERSISTENT_VOLUMES, COMMON]);
}

fn source(page: &mut Page, volume: &Value, tables: &[&[Source]]) {
    let Some((field, kind, lines)) = tables.iter().copied().flatten().find(|(field, _, _)| volume[*field].is_object()) else {
        page.line(1, "<unknown>");
        return;
    };
    let source = &volume[*field];
    page.field(2, "Type", kind);
    for (title, value) in *lines {
        page.line(2, &format!("{title}\t{}", cell(source, value)));
    }
    match *field {
        "downwardAPI" => downward_api(page, source),
        "projected" => projected(page, source),
        "ephemeral" if source["volumeClaimTemplate"].is_object() => {
            page.nested(2, |page| persistent_volume_claim::template(page, &source["volumeClaimTemplate"]));
        }
        "csi" => {
            // Each of them is indented once more than the title asks for, as in kubectl.
            let attributes = strings(&source["volumeAttributes"]).map(|(key, value)| shorten(&format!("{key}={value}"), LONGEST));
            page.column(2, "VolumeAttributes", attributes.map(|line| format!("    {line}")));
        }
        _ => {}
    }
}

fn cell(source: &Value, cell: &Cell) -> String {
    let field = |reference: &str, name: &str| text(&source[reference][name]).to_owned();
    match *cell {
        Text(name) => text(&source[name]).to_owned(),
        Number(name) => int(&source[name]).to_string(),
        Truth(name) => (source[name] == true).to_string(),
        Or(name, nothing) if source[name].is_null() => nothing.to_owned(),
        Or(name, _) => plain(&source[name]),
        List(name) => go_list(&source[name]),
        Joined(name) => joined(&source[name], ", "),
        Map(name) => format!("map[{}]", strings(&source[name]).map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(" ")),
        Local(name) | Far(name) if source[name].is_null() => "nil".to_owned(),
        Local(name) => format!("&LocalObjectReference{{Name:{},}}", field(name, "name")),
        Far(name) => format!("&SecretReference{{Name:{},Namespace:{},}}", field(name, "name"), field(name, "namespace")),
        Within(reference, name) => field(reference, name),
        SizeLimit => match some_text(&source["sizeLimit"]).map(Quantity::parse) {
            Some(Ok(limit)) if limit.signum() > 0 => quantity(&source["sizeLimit"]),
            _ => "<unset>".to_owned(),
        },
    }
}

fn downward_api(page: &mut Page, source: &Value) {
    page.line(2, "Items:");
    for item in list(&source["items"]) {
        for of in [&item["fieldRef"]["fieldPath"], &item["resourceFieldRef"]["resource"]] {
            if let Some(of) = some_text(of) {
                page.line(3, &format!("{of} -> {}", text(&item["path"])));
            }
        }
    }
}

fn projected(page: &mut Page, source: &Value) {
    // Go prints a missing pointer so, and kubectl passes it on.
    let pointer = |value: &Value| if value.is_null() { "<nil>".to_owned() } else { plain(value) };
    for source in list(&source["sources"]) {
        let (secret, map, token) = (&source["secret"], &source["configMap"], &source["serviceAccountToken"]);
        if secret.is_object() {
            page.field(2, "SecretName", text(&secret["name"]));
            page.field(2, "SecretOptionalName", pointer(&secret["optional"]));
        } else if source["downwardAPI"].is_object() {
            page.field(2, "DownwardAPI", "true");
        } else if map.is_object() {
            page.field(2, "ConfigMapName", text(&map["name"]));
            page.field(2, "ConfigMapOptional", pointer(&map["optional"]));
        } else if token.is_object() {
            page.field(2, "TokenExpirationSeconds", int(&token["expirationSeconds"]).to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of_pod(volume: &Value) -> String {
        let mut page = Page::default();
        source(&mut page, volume, &[ONLY_PODS, OF_PODS, COMMON]);
        page.finish()
    }

    fn of_persistent_volume(spec: &Value) -> String {
        let mut page = Page::default();
        persistent(&mut page, spec);
        page.finish()
    }

    /// What kubectl 1.32 printed of them.
    #[test]
    fn cells_of_every_sort() {
        let iscsi = of_pod(&json!({"iscsi": {"targetPortal": "t", "iqn": "i", "lun": 1, "iscsiInterface": "default", "portals": ["a", "b"]}}));
        assert!(iscsi.ends_with(
            "    Lun:                1\n    ISCSIInterface      default\n    FSType:             \n    ReadOnly:           false\n    Portals:            [a b]\n    \
             DiscoveryCHAPAuth:  false\n    SessionCHAPAuth:    false\n    SecretRef:          nil\n    InitiatorName:      <none>\n"
        ), "{iscsi}");
        let flex = of_pod(&json!({"flexVolume": {"driver": "d", "options": {"z": "1", "a": "2"}, "secretRef": {"name": "x"}}}));
        assert!(flex.ends_with("    SecretRef:  &LocalObjectReference{Name:x,}\n    ReadOnly:   false\n    Options:    map[a:2 z:1]\n"), "{flex}");
        let fc = of_pod(&json!({"fc": {"targetWWNs": ["a", "b"], "lun": 2}}));
        assert!(fc.contains("    TargetWWNs:  a, b\n    LUN:         2\n"), "{fc}");
        for (limit, shown) in [(json!("1.5Gi"), "1536Mi"), (json!("0"), "<unset>"), (Value::Null, "<unset>")] {
            let text = of_pod(&json!({"emptyDir": {"sizeLimit": limit}}));
            assert!(text.ends_with(&format!("    SizeLimit:  {shown}\n")), "{text}");
        }
        assert_eq!(of_pod(&json!({"new": {}})), "  <unknown>\n");
    }

    #[test]
    fn a_persistent_volume_has_sources_of_its_own() {
        let csi = of_persistent_volume(&json!({"csi": {"driver": "d", "volumeHandle": "h", "volumeAttributes": {"a": "b", "c": "d"}}}));
        assert!(csi.ends_with(
            "    VolumeHandle:      h\n    ReadOnly:          false\n    VolumeAttributes:      a=b\n                           c=d\n"
        ), "{csi}");
        let rbd = of_persistent_volume(&json!({"rbd": {"secretRef": {"name": "n", "namespace": "m"}}}));
        assert!(rbd.contains("    SecretRef:     &SecretReference{Name:n,Namespace:m,}\n"), "{rbd}");
        let local = of_persistent_volume(&json!({"local": {"path": "/d"}}));
        assert!(local.ends_with("    Path:  /d\n"), "{local}");
    }
}
