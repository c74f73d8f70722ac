//! NodeMetrics and PodMetrics: what nodes and pods use at the moment somebody asks. In upstream an added server answers for them,
//! which asks the kubelets as we do; as there, they are served only where the APIService `v1beta1.metrics.k8s.io` is.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;
use k8s_openapi::{
    ClusterResourceScope, ListableResource, Metadata, NamespaceResourceScope, Resource,
    api::core::v1::{Node, Pod},
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{ObjectMeta, Time},
    },
};
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use serde_json::Value;

use super::{
    row::{Observed, Sight, Survey},
    rules::{Column, Object, Rules, cast},
};
use crate::{
    error::ApiError,
    stats::{self, Summary},
};

/// The time that what is told is an average of.
const WINDOW: &str = "10s";

/// By the resource: how much.
pub(super) type Amounts = BTreeMap<String, Quantity>;

/// What one container uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ContainerMetrics {
    name: String,
    usage: Amounts,
}

/// Declares a kind of metrics: its metadata, a moment, a window, and one field of its own.
macro_rules! metrics {
    ($kind:ident, $name:literal, $list:literal, $plural:literal, $scope:ty, $field:ident: $type:ty, $about:literal) => {
        #[doc = $about]
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(default)]
        pub(super) struct $kind {
            metadata: ObjectMeta,
            timestamp: Option<Time>,
            window: String,
            $field: $type,
        }

        impl Resource for $kind {
            const API_VERSION: &'static str = "metrics.k8s.io/v1beta1";
            const GROUP: &'static str = "metrics.k8s.io";
            const KIND: &'static str = $name;
            const VERSION: &'static str = "v1beta1";
            const URL_PATH_SEGMENT: &'static str = $plural;
            type Scope = $scope;
        }

        impl ListableResource for $kind {
            const LIST_KIND: &'static str = $list;
        }

        impl Metadata for $kind {
            type Ty = ObjectMeta;
            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }

        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut object = serializer.serialize_struct($name, 6)?;
                object.serialize_field("apiVersion", Self::API_VERSION)?;
                object.serialize_field("kind", Self::KIND)?;
                object.serialize_field("metadata", &self.metadata)?;
                object.serialize_field("timestamp", &self.timestamp)?;
                object.serialize_field("window", &self.window)?;
                object.serialize_field(stringify!($field), &self.$field)?;
                object.end()
            }
        }

        impl JsonSchema for $kind {
            fn schema_name() -> Cow<'static, str> {
                concat!("io.k8s.metrics.pkg.apis.metrics.v1beta1.", $name).into()
            }
            fn json_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
                json_schema!({
                    "description": $about,
                    "type": "object",
                    "properties": {
                        "apiVersion": { "type": "string" },
                        "kind": { "type": "string" },
                        "metadata": generator.subschema_for::<ObjectMeta>(),
                        "timestamp": generator.subschema_for::<Time>(),
                        "window": { "type": "string" },
                        stringify!($field): generator.subschema_for::<$type>(),
                    },
                    "required": ["timestamp", "window", stringify!($field)],
                })
            }
        }
    };
}

metrics!(NodeMetrics, "NodeMetrics", "NodeMetricsList", "nodes", ClusterResourceScope, usage: Amounts, "What a node uses.");
metrics!(PodMetrics, "PodMetrics", "PodMetricsList", "pods", NamespaceResourceScope, containers: Vec<ContainerMetrics>, "What a pod uses.");

impl JsonSchema for ContainerMetrics {
    fn schema_name() -> Cow<'static, str> {
        "io.k8s.metrics.pkg.apis.metrics.v1beta1.ContainerMetrics".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
        json_schema!({
            "description": "What a container uses.",
            "type": "object",
            "properties": { "name": { "type": "string" }, "usage": generator.subschema_for::<Amounts>() },
            "required": ["name", "usage"],
        })
    }
}

/// How NodeMetrics are known.
pub(super) const OF_NODES: Observed = Observed {
    sight: Sight::Kubelets(Survey {
        of: "nodes",
        node: |object| object.meta().name.as_deref(),
        tell: |object, told, now| Some(Box::new(of_node(cast(object), told, now)) as Box<dyn Object>),
    }),
    absent: |_, name| ApiError::not_found("nodemetrics", NodeMetrics::GROUP, name),
};

/// How PodMetrics are known.
pub(super) const OF_PODS: Observed = Observed {
    sight: Sight::Kubelets(Survey {
        of: "pods",
        node: |object| cast::<Pod>(object).spec.as_ref()?.node_name.as_deref(),
        tell: |object, told, now| Some(Box::new(of_pod(cast(object), told, now)?) as Box<dyn Object>),
    }),
    absent: |namespace, name| ApiError::not_found("podmetrics", PodMetrics::GROUP, &format!("{namespace}/{name}")),
};

fn of_node(node: &Node, told: &Summary, now: Timestamp) -> NodeMetrics {
    NodeMetrics {
        metadata: metadata(&node.metadata, now),
        timestamp: Some(Time(now)),
        window: WINDOW.to_owned(),
        usage: amounts(&told.node),
    }
}

/// None of a pod of which its node's kubelet says nothing.
fn of_pod(pod: &Pod, told: &Summary, now: Timestamp) -> Option<PodMetrics> {
    let found = told.pods.iter().find(|one| Some(&one.pod_ref.uid) == pod.metadata.uid.as_ref())?;
    let container = |one: &stats::ContainerStats| ContainerMetrics { name: one.name.clone(), usage: amounts(&one.usage) };
    let containers: Vec<_> = found.containers.iter().map(container).collect();
    let (timestamp, window) = (Some(Time(now)), WINDOW.to_owned());
    (!containers.is_empty()).then(|| PodMetrics { metadata: metadata(&pod.metadata, now), timestamp, window, containers })
}

fn metadata(of: &ObjectMeta, now: Timestamp) -> ObjectMeta {
    ObjectMeta {
        name: of.name.clone(),
        namespace: of.namespace.clone(),
        labels: of.labels.clone(),
        creation_timestamp: Some(Time(now)),
        ..ObjectMeta::default()
    }
}

fn amounts(usage: &stats::Usage) -> Amounts {
    let cpu = Quantity(format!("{}n", usage.cpu.usage_nano_cores));
    let memory = Quantity(format!("{}Ki", usage.memory.working_set_bytes / 1024));
    [("cpu".to_owned(), cpu), ("memory".to_owned(), memory)].into()
}

/// What is special about NodeMetrics.
pub(super) const NODE: Rules<NodeMetrics> = Rules {
    columns: &[
        Column::name(),
        quantity("cpu", |metrics, _| sum([&metrics.usage], "cpu")),
        quantity("memory", |metrics, _| sum([&metrics.usage], "memory")),
        Column { format: "duration", ..quantity("Window", |metrics, _| metrics.window.clone().into()) },
    ],
    ..Rules::NONE
};

/// What is special about PodMetrics.
pub(super) const POD: Rules<PodMetrics> = Rules {
    columns: &[
        Column::name(),
        quantity("cpu", |metrics, _| sum(metrics.containers.iter().map(|one| &one.usage), "cpu")),
        quantity("memory", |metrics, _| sum(metrics.containers.iter().map(|one| &one.usage), "memory")),
        Column { format: "duration", ..quantity("Window", |metrics, _| metrics.window.clone().into()) },
    ],
    ..Rules::NONE
};

const fn quantity<K>(name: &'static str, cell: fn(&K, Timestamp) -> Value) -> Column<K> {
    Column { name, kind: "string", format: "quantity", description: "", priority: 0, cell }
}

fn sum<'a>(amounts: impl IntoIterator<Item = &'a Amounts>, resource: &str) -> Value {
    let amounts = amounts.into_iter().filter_map(|amounts| amounts.get(resource)).map(mini_api::quantity::of);
    amounts.sum::<mini_api::quantity::Quantity>().to_string().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::rules::Behaviour;

    fn summary() -> Summary {
        let used = |cpu: u64, memory: u64| json!({ "usageNanoCores": cpu, "workingSetBytes": memory });
        let container = |name: &str| json!({ "name": name, "cpu": used(1_500_000, 0), "memory": used(0, 8 << 20) });
        serde_json::from_value(json!({
            "node": { "nodeName": "n1", "cpu": used(250_000_000, 0), "memory": used(0, 1 << 30) },
            "pods": [{ "podRef": { "name": "web", "namespace": "default", "uid": "u" }, "containers": [container("a"), container("b")] }],
        }))
        .unwrap()
    }

    #[test]
    fn what_a_kubelet_says_is_told_by_pod() {
        let pod = |uid: &str| {
            serde_json::from_value::<Pod>(
                json!({ "metadata": { "name": "web", "namespace": "default", "uid": uid, "labels": { "a": "b" } } }),
            )
            .unwrap()
        };
        let metrics = of_pod(&pod("u"), &summary(), Timestamp::UNIX_EPOCH).unwrap();
        expect_test::expect![[
            r#"{"apiVersion":"metrics.k8s.io/v1beta1","kind":"PodMetrics","metadata":{"creationTimestamp":"1970-01-01T00:00:00Z","labels":{"a":"b"},"name":"web","namespace":"default"},"timestamp":"1970-01-01T00:00:00Z","window":"10s","containers":[{"name":"a","usage":{"cpu":"1500000n","memory":"8192Ki"}},{"name":"b","usage":{"cpu":"1500000n","memory":"8192Ki"}}]}"#
        ]]
        .assert_eq(&serde_json::to_string(&metrics).unwrap());
        assert_eq!(POD.cells(&metrics, Timestamp::UNIX_EPOCH), ["web", "3m", "16Mi", "10s"]);
        assert_eq!(serde_json::from_str::<PodMetrics>(&serde_json::to_string(&metrics).unwrap()).unwrap(), metrics);
        assert_eq!(of_pod(&pod("another"), &summary(), Timestamp::UNIX_EPOCH), None);
    }

    #[test]
    fn and_by_node() {
        let node = serde_json::from_value::<Node>(json!({ "metadata": { "name": "n1" } })).unwrap();
        let metrics = of_node(&node, &summary(), Timestamp::UNIX_EPOCH);
        assert_eq!(NODE.cells(&metrics, Timestamp::UNIX_EPOCH), ["n1", "250m", "1Gi", "10s"]);
    }
}
