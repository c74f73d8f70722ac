//! THE TABLE: every kind the API server serves, one row each. Discovery, routes, OpenAPI, tables and selectors derive from it.
//!
//! To add a kind without rules, add a row. To add rules, add a file with a `RULES` and name it on the row. To serve an old
//! version of a kind, add `.also(…)` to its row. Kinds know nothing of HTTP, the registry or the store.

use k8s_openapi::{
    api::{
        admissionregistration::v1::{
            MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration,
        },
        apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet},
        authentication::v1::{SelfSubjectReview, TokenReview},
        authorization::v1::{LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview},
        autoscaling::{v1::HorizontalPodAutoscaler as AutoscalerV1, v2::HorizontalPodAutoscaler},
        batch::v1::{CronJob, Job},
        certificates::v1::CertificateSigningRequest,
        coordination::v1::Lease,
        core::v1::{
            Binding, ComponentStatus, ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim,
            Pod, PodTemplate, ReplicationController, ResourceQuota, Secret, Service, ServiceAccount,
        },
        discovery::v1::EndpointSlice,
        events::v1::Event as NewEvent,
        flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration},
        networking::v1::{IPAddress, Ingress, IngressClass, NetworkPolicy, ServiceCIDR},
        node::v1::RuntimeClass,
        policy::v1::PodDisruptionBudget,
        rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
        scheduling::v1::PriorityClass,
        storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment, VolumeAttributesClass},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};
use mini_api::name;

pub mod connect;
pub mod field;
mod row;
pub mod rules;
pub mod subresource;

mod address;
mod admission;
mod api_service;
mod certificate_signing_request;
mod component_status;
mod config_map;
mod controller_revision;
mod count;
mod cron_job;
mod csi_driver;
mod csi_node;
mod csi_storage_capacity;
mod daemon_set;
mod deployment;
mod difference;
mod endpoint_slice;
mod endpoints;
mod event;
mod flow_schema;
mod horizontal_pod_autoscaler;
mod ingress;
mod ingress_class;
mod ip_address;
mod job;
mod lease;
mod limit_range;
mod metrics;
mod namespace;
mod network_policy;
mod node;
pub mod nulls;
mod old_version;
mod persistent_volume;
pub(crate) mod persistent_volume_claim;
mod pod;
mod pod_disruption_budget;
mod pod_template;
mod priority_class;
mod priority_level_configuration;
#[cfg(test)]
mod replay;
mod replica_set;
mod replication_controller;
mod resource_quota;
mod review;
mod role;
mod role_binding;
mod runtime_class;
mod secret;
mod selector;
mod service;
mod service_account;
mod service_cidr;
mod stateful_set;
pub(crate) mod storage_class;
mod storage_name;
mod unset;
mod volume_attachment;
mod volume_attributes_class;

pub use self::row::{Compute, Conversion, Field, Kind, Observed, Scale, Sight, Survey, Version, field};
use self::{
    connect::{ATTACH, EXEC, LOG, NODE_PROXY, POD_PROXY, PORT_FORWARD, SERVICE_PROXY},
    metrics::{NodeMetrics, PodMetrics},
    row::{age, body_of, computed, kind, observed},
    subresource::{APPROVAL, BINDING, EPHEMERAL_CONTAINERS, EVICTION, FINALIZE, RESIZE, TOKEN},
};

/// All kinds, in the order discovery lists their groups and upstream lists their resources.
#[must_use]
#[expect(clippy::too_many_lines, reason = "it is a table: a row for each kind")]
pub fn table() -> Vec<Kind> {
    vec![
        body_of::<Binding>("pods", "binding"),
        observed::<ComponentStatus>(component_status::OBSERVED)
            .short(&["cs"])
            .deprecated(component_status::DEPRECATED)
            .rules(component_status::RULES),
        kind::<ConfigMap>().short(&["cm"]).rules(config_map::RULES),
        kind::<Endpoints>().short(&["ep"]).deprecated(endpoints::DEPRECATED).rules(endpoints::RULES),
        kind::<Event>()
            .short(&["ev"])
            .fields(event::FIELDS)
            .nulls("", &["eventTime", "firstTimestamp", "lastTimestamp"])
            .create_on_update()
            .also::<NewEvent>("events.k8s.io", "v1", event::VERSION)
            .rules(event::RULES),
        kind::<LimitRange>().short(&["limits"]).nulls("spec", &["limits"]).rules(limit_range::RULES),
        kind::<Namespace>()
            .short(&["ns"])
            .fields(namespace::FIELDS)
            .names(name::dns1123_label)
            .only_verbs(&["create", "delete", "get", "list", "patch", "update", "watch"])
            .subresources(&[FINALIZE])
            .rules(namespace::RULES),
        kind::<Node>().short(&["no"]).status_on_create().subresources(&[NODE_PROXY]).fields(node::FIELDS).rules(node::RULES),
        kind::<PersistentVolumeClaim>().short(&["pvc"]).returns_deleted().rules(persistent_volume_claim::RULES),
        kind::<PersistentVolume>().short(&["pv"]).returns_deleted().rules(persistent_volume::RULES),
        kind::<Pod>()
            .short(&["po"])
            .in_all()
            .generation()
            .returns_deleted()
            .subresources(&[ATTACH, BINDING, EPHEMERAL_CONTAINERS, EVICTION, EXEC, LOG, PORT_FORWARD, POD_PROXY, RESIZE])
            .fields(pod::FIELDS)
            .rules(pod::RULES),
        kind::<PodTemplate>().generation().returns_deleted().rules(pod_template::RULES),
        kind::<ReplicationController>()
            .short(&["rc"])
            .in_all()
            .generation()
            .scale(replication_controller::SCALE)
            .fields(replication_controller::FIELDS)
            .rules(replication_controller::RULES),
        kind::<ResourceQuota>().short(&["quota"]).returns_deleted().rules(resource_quota::RULES),
        kind::<Secret>().fields(secret::FIELDS).rules(secret::RULES),
        kind::<ServiceAccount>().short(&["sa"]).create_on_update().returns_deleted().subresources(&[TOKEN]).rules(service_account::RULES),
        kind::<Service>()
            .short(&["svc"])
            .in_all()
            .fields(service::FIELDS)
            .create_on_update()
            .returns_deleted()
            .names(name::dns1123_label)
            .subresources(&[SERVICE_PROXY])
            .rules(service::RULES),
        kind::<APIService>()
            .in_extensions()
            .names(name::path_segment)
            .also::<APIService>("apiregistration.k8s.io", "v1beta1", api_service::V1BETA1)
            .rules(api_service::RULES),
        kind::<ControllerRevision>().rules(controller_revision::RULES),
        kind::<DaemonSet>()
            .short(&["ds"])
            .in_all()
            .generation()
            .also::<DaemonSet>("extensions", "v1beta1", daemon_set::EXTENSIONS_V1BETA1)
            .also::<DaemonSet>("apps", "v1beta2", daemon_set::APPS_V1BETA2)
            .rules(daemon_set::RULES),
        kind::<Deployment>()
            .short(&["deploy"])
            .in_all()
            .generation()
            .scale(deployment::SCALE)
            .also::<deployment::OldDeployment>("extensions", "v1beta1", deployment::EXTENSIONS_V1BETA1)
            .also::<Deployment>("apps", "v1beta2", deployment::APPS_V1BETA2)
            .also::<deployment::OldDeployment>("apps", "v1beta1", deployment::APPS_V1BETA1)
            .rules(deployment::RULES),
        kind::<ReplicaSet>()
            .short(&["rs"])
            .in_all()
            .generation()
            .scale(deployment::SCALE)
            .fields(replica_set::FIELDS)
            .also::<ReplicaSet>("extensions", "v1beta1", replica_set::EXTENSIONS_V1BETA1)
            .also::<ReplicaSet>("apps", "v1beta2", replica_set::APPS_V1BETA2)
            .rules(replica_set::RULES),
        kind::<StatefulSet>()
            .short(&["sts"])
            .in_all()
            .generation()
            .names(name::dns1123_label)
            .scale(deployment::SCALE)
            .also::<StatefulSet>("apps", "v1beta2", stateful_set::APPS_V1BETA2)
            .also::<StatefulSet>("apps", "v1beta1", stateful_set::APPS_V1BETA1)
            .rules(stateful_set::RULES),
        computed::<SelfSubjectReview>(review::TELL_SELF),
        computed::<TokenReview>(review::JUDGE_TOKEN),
        computed::<LocalSubjectAccessReview>(review::ALLOW_LOCALLY).rules(review::LOCAL_SUBJECT_ACCESS),
        computed::<SelfSubjectAccessReview>(review::ALLOW_SELF).rules(review::SELF_SUBJECT_ACCESS),
        computed::<SelfSubjectRulesReview>(review::LIST_RULES),
        computed::<SubjectAccessReview>(review::ALLOW).rules(review::SUBJECT_ACCESS),
        kind::<HorizontalPodAutoscaler>()
            .short(&["hpa"])
            .in_all()
            .nulls("status", &["currentMetrics"])
            .also::<AutoscalerV1>("autoscaling", "v1", horizontal_pod_autoscaler::AUTOSCALING_V1)
            .rules(horizontal_pod_autoscaler::RULES),
        kind::<CronJob>()
            .short(&["cj"])
            .in_all()
            .generation()
            .names(cron_job::named)
            .also::<CronJob>("batch", "v1beta1", cron_job::BATCH_V1BETA1)
            .also::<CronJob>("batch", "v2alpha1", cron_job::BATCH_V2ALPHA1)
            .rules(cron_job::RULES),
        kind::<Job>().in_all().generation().fields(job::FIELDS).rules(job::RULES),
        kind::<CertificateSigningRequest>()
            .short(&["csr"])
            .names(name::path_segment)
            .fields(certificate_signing_request::FIELDS)
            .subresources(&[APPROVAL])
            .rules(certificate_signing_request::RULES),
        kind::<IngressClass>()
            .generation()
            .also::<IngressClass>("networking.k8s.io", "v1beta1", ingress_class::V1BETA1)
            .rules(ingress_class::RULES),
        kind::<Ingress>()
            .short(&["ing"])
            .generation()
            .also::<ingress::v1beta1::Ingress>("extensions", "v1beta1", ingress::v1beta1::EXTENSIONS)
            .also::<ingress::v1beta1::Ingress>("networking.k8s.io", "v1beta1", ingress::v1beta1::NETWORKING)
            .rules(ingress::RULES),
        kind::<IPAddress>().short(&["ip"]).names(name::canonical_ip).rules(ip_address::RULES),
        kind::<NetworkPolicy>()
            .short(&["netpol"])
            .generation()
            .also::<NetworkPolicy>("extensions", "v1beta1", network_policy::EXTENSIONS_V1BETA1)
            .rules(network_policy::RULES),
        kind::<ServiceCIDR>().rules(service_cidr::RULES),
        kind::<PodDisruptionBudget>().short(&["pdb"]).generation().rules(pod_disruption_budget::RULES),
        kind::<ClusterRoleBinding>()
            .names(name::path_segment)
            .create_on_update()
            .also::<ClusterRoleBinding>("rbac.authorization.k8s.io", "v1beta1", role_binding::CLUSTER_ROLE_BINDING_V1BETA1)
            .rules(role_binding::CLUSTER_ROLE_BINDING),
        kind::<ClusterRole>()
            .names(name::path_segment)
            .nulls("", &["rules"])
            .create_on_update()
            .also::<ClusterRole>("rbac.authorization.k8s.io", "v1beta1", role::CLUSTER_ROLE_V1BETA1)
            .rules(role::CLUSTER_ROLE),
        kind::<RoleBinding>()
            .names(name::path_segment)
            .create_on_update()
            .also::<RoleBinding>("rbac.authorization.k8s.io", "v1beta1", role_binding::ROLE_BINDING_V1BETA1)
            .rules(role_binding::ROLE_BINDING),
        kind::<Role>()
            .names(name::path_segment)
            .nulls("", &["rules"])
            .create_on_update()
            .also::<Role>("rbac.authorization.k8s.io", "v1beta1", role::ROLE_V1BETA1)
            .rules(role::ROLE),
        kind::<CSIDriver>().also::<CSIDriver>("storage.k8s.io", "v1beta1", csi_driver::V1BETA1).rules(csi_driver::RULES),
        kind::<CSINode>()
            .nulls("spec", &["drivers"])
            .also::<CSINode>("storage.k8s.io", "v1beta1", csi_node::V1BETA1)
            .rules(csi_node::RULES),
        kind::<CSIStorageCapacity>()
            .also::<CSIStorageCapacity>("storage.k8s.io", "v1beta1", csi_storage_capacity::V1BETA1)
            .rules(csi_storage_capacity::RULES),
        kind::<StorageClass>()
            .short(&["sc"])
            .returns_deleted()
            .also::<StorageClass>("storage.k8s.io", "v1beta1", storage_class::V1BETA1)
            .rules(storage_class::RULES),
        kind::<VolumeAttachment>()
            .returns_deleted()
            .also::<VolumeAttachment>("storage.k8s.io", "v1beta1", volume_attachment::V1BETA1)
            .rules(volume_attachment::RULES),
        kind::<VolumeAttributesClass>().short(&["vac"]).rules(volume_attributes_class::RULES),
        kind::<MutatingWebhookConfiguration>().in_extensions().generation().rules(admission::webhook::MUTATING),
        kind::<ValidatingAdmissionPolicyBinding>().in_extensions().generation().rules(admission::binding::RULES),
        kind::<ValidatingAdmissionPolicy>().in_extensions().generation().rules(admission::policy::RULES),
        kind::<ValidatingWebhookConfiguration>().in_extensions().generation().rules(admission::webhook::VALIDATING),
        kind::<CustomResourceDefinition>()
            .short(&["crd", "crds"])
            .in_extensions()
            .only_verbs(&["get", "list", "watch"])
            .later("creating custom resources"),
        kind::<PriorityClass>()
            .short(&["pc"])
            .generation()
            .also::<PriorityClass>("scheduling.k8s.io", "v1beta1", priority_class::V1BETA1)
            .rules(priority_class::RULES),
        kind::<Lease>().create_on_update().rules(lease::RULES),
        kind::<RuntimeClass>().also::<RuntimeClass>("node.k8s.io", "v1beta1", runtime_class::V1BETA1).rules(runtime_class::RULES),
        kind::<EndpointSlice>().generation().nulls("", &["endpoints", "ports"]).rules(endpoint_slice::RULES),
        kind::<FlowSchema>().generation().rules(flow_schema::RULES),
        kind::<PriorityLevelConfiguration>().generation().rules(priority_level_configuration::RULES),
        // Behind the nodes and pods they are about, which are looked up by the same names.
        observed::<NodeMetrics>(metrics::OF_NODES).aggregated().rules(metrics::NODE),
        observed::<PodMetrics>(metrics::OF_PODS).aggregated().rules(metrics::POD),
    ]
}
