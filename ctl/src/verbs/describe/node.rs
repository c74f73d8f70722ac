//! The page of a Node, with the pods on it and what they have asked for.

use std::collections::BTreeMap;

use mini_api::quantity::Quantity;
use serde_json::Value;

use super::{
    Describer, View, events,
    page::{Page, joined, quantity},
};
use crate::{
    server::{escape, with_query},
    value::{list, name, namespace, some_text, strings, text},
};

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "Node", related, events: about, render };

const ROLE_LABEL: &str = "node-role.kubernetes.io/";
/// The resources every page shows, and in this order; others follow if they are allocatable.
const COMMON: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
const SYSTEM_INFO: [(&str, &str); 10] = [
    ("Machine ID", "machineID"),
    ("System UUID", "systemUUID"),
    ("Boot ID", "bootID"),
    ("Kernel Version", "kernelVersion"),
    ("OS Image", "osImage"),
    ("Operating System", "operatingSystem"),
    ("Architecture", "architecture"),
    ("Container Runtime Version", "containerRuntimeVersion"),
    ("Kubelet Version", "kubeletVersion"),
    ("Kube-Proxy Version", "kubeProxyVersion"),
];

/// Kubelets write events about a node before they know its UID, and put the name there.
fn about(node: &Value) -> Vec<String> {
    [text(&node["metadata"]["uid"]), name(node)].map(|uid| events::involved(node, Some("Node"), uid)).into()
}

type Amounts = BTreeMap<String, Quantity>;

fn related(node: &Value) -> Vec<(&'static str, String)> {
    let name = name(node);
    let fields = format!("spec.nodeName={name},status.phase!=Succeeded,status.phase!=Failed");
    vec![
        ("lease", format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{}", escape(name))),
        ("pods", with_query("/api/v1/pods", &[("fieldSelector", &fields)])),
    ]
}

fn render(view: &View<'_>, page: &mut Page) {
    let node = view.object;
    let (spec, status) = (&node["spec"], &node["status"]);
    page.field(0, "Name", name(node));
    page.field(0, "Roles", roles(node));
    page.labels_and_annotations(node);
    page.field(0, "CreationTimestamp", view.clock.date(&node["metadata"]["creationTimestamp"]));
    page.column(0, "Taints", taints(&spec["taints"]));
    page.field(0, "Unschedulable", (spec["unschedulable"] == true).to_string());
    lease(view, page);
    conditions(view, page);
    page.line(0, "Addresses:");
    for address in list(&status["addresses"]) {
        page.field(1, text(&address["type"]), text(&address["address"]));
    }
    for (title, field) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        let mut amounts = status[field].as_object().into_iter().flatten().peekable();
        if amounts.peek().is_some() {
            page.line(0, &format!("{title}:"));
            amounts.for_each(|(resource, amount)| page.field(1, resource, quantity(amount)));
        }
    }
    page.line(0, "System Info:");
    for (title, field) in SYSTEM_INFO {
        page.field(1, title, text(&status["nodeInfo"][field]));
    }
    page.optional(0, "PodCIDR", &spec["podCIDR"]);
    if !list(&spec["podCIDRs"]).is_empty() {
        page.field(0, "PodCIDRs", joined(&spec["podCIDRs"], ","));
    }
    page.optional(0, "ProviderID", &spec["providerID"]);
    match view.objects("pods") {
        Some(found) => pods(view, page, found),
        None => page.field(0, "Pods", "not authorized"),
    }
    page.events(view.events, view.clock);
}

fn roles(node: &Value) -> String {
    let mut roles: Vec<&str> = strings(&node["metadata"]["labels"])
        .filter_map(|(key, value)| key.strip_prefix(ROLE_LABEL).filter(|role| !role.is_empty()).or((key == "kubernetes.io/role" && !value.is_empty()).then_some(value)))
        .collect();
    roles.sort_unstable();
    if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") }
}

/// `key=value:Effect`, sorted by effect and key.
fn taints(taints: &Value) -> Vec<String> {
    let mut sorted: Vec<&Value> = list(taints).iter().collect();
    sorted.sort_by_key(|taint| (text(&taint["effect"]), text(&taint["key"])));
    let one = |taint: &&Value| match some_text(&taint["value"]) {
        Some(value) => format!("{}={value}:{}", text(&taint["key"]), text(&taint["effect"])),
        None => format!("{}:{}", text(&taint["key"]), text(&taint["effect"])),
    };
    sorted.iter().map(one).collect()
}

fn lease(view: &View<'_>, page: &mut Page) {
    match view.answer("lease") {
        Some(Ok(lease)) => {
            let spec = &lease["spec"];
            let time = |field: &str| if spec[field].is_string() { view.clock.date(&spec[field]) } else { "<unset>".to_owned() };
            page.line(0, "Lease:");
            page.field(1, "HolderIdentity", some_text(&spec["holderIdentity"]).unwrap_or("<unset>"));
            page.field(1, "AcquireTime", time("acquireTime"));
            page.field(1, "RenewTime", time("renewTime"));
        }
        Some(Err(error)) => {
            let why = error.refusal().map_or_else(|| error.to_string(), |refusal| refusal.message.clone());
            page.field(0, "Lease", format!("Failed to get lease: {why}"));
        }
        None => {}
    }
}

fn conditions(view: &View<'_>, page: &mut Page) {
    let conditions = list(&view.object["status"]["conditions"]);
    if conditions.is_empty() {
        return;
    }
    page.line(0, "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage");
    page.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    for condition in conditions {
        let field = |name: &str| text(&condition[name]);
        let time = |name: &str| view.clock.date(&condition[name]);
        page.line(
            1,
            &format!(
                "{} \t{} \t{} \t{} \t{} \t{}",
                field("type"),
                field("status"),
                time("lastHeartbeatTime"),
                time("lastTransitionTime"),
                field("reason"),
                field("message")
            ),
        );
    }
}

fn pods(view: &View<'_>, page: &mut Page, pods: &[Value]) {
    let status = &view.object["status"];
    let room = if status["allocatable"].is_object() { &status["allocatable"] } else { &status["capacity"] };
    let room: Amounts = amounts(room);
    let share = |resource: &str, amount: Quantity| {
        let whole = room.get(resource).copied().unwrap_or_default();
        let percent = if whole.is_zero() { 0.0 } else { amount.as_f64() / whole.as_f64() * 100.0 };
        #[expect(clippy::cast_possible_truncation, reason = "kubectl cuts the percentage off in the same way")]
        let percent = percent as i64;
        format!("{amount} ({percent}%)")
    };
    page.field(0, "Non-terminated Pods", format!("({} in total)", pods.len()));
    page.line(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge");
    page.line(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---");
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    for pod in pods {
        let (asked, limit) = (total(pod, "requests"), total(pod, "limits"));
        let cell = |amounts: &Amounts, resource: &str| share(resource, amounts.get(resource).copied().unwrap_or_default());
        page.line(
            1,
            &format!(
                "{}\t{}\t\t{}\t{}\t{}\t{}\t{}",
                namespace(pod).unwrap_or_default(),
                name(pod),
                cell(&asked, "cpu"),
                cell(&limit, "cpu"),
                cell(&asked, "memory"),
                cell(&limit, "memory"),
                view.clock.ago(&pod["metadata"]["creationTimestamp"])
            ),
        );
        add(&mut requests, asked);
        add(&mut limits, limit);
    }
    page.line(0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)");
    page.line(0, "  Resource\tRequests\tLimits\n  --------\t--------\t------");
    let of = |amounts: &Amounts, resource: &str| amounts.get(resource).copied().unwrap_or_default();
    for resource in COMMON {
        page.line(1, &format!("{resource}\t{}\t{}", share(resource, of(&requests, resource)), share(resource, of(&limits, resource))));
    }
    let (huge, others): (Vec<_>, Vec<_>) =
        room.keys().filter(|resource| !COMMON.contains(&resource.as_str()) && *resource != "pods").partition(|resource| resource.starts_with("hugepages-"));
    for resource in huge {
        page.line(1, &format!("{resource}\t{}\t{}", share(resource, of(&requests, resource)), share(resource, of(&limits, resource))));
    }
    for resource in others {
        page.line(1, &format!("{resource}\t{}\t{}", of(&requests, resource), of(&limits, resource)));
    }
}

fn amounts(quantities: &Value) -> Amounts {
    strings(quantities).map(|(resource, amount)| (resource.to_owned(), Quantity::parse(amount).unwrap_or_default())).collect()
}

fn add(sum: &mut Amounts, more: Amounts) {
    for (resource, amount) in more {
        *sum.entry(resource).or_default() += amount;
    }
}

fn raise(highest: &mut Amounts, other: &Amounts) {
    for (resource, amount) in other {
        let known = highest.entry(resource.clone()).or_default();
        *known = (*known).max(*amount);
    }
}

/// What a pod needs: its containers and sidecars at once, or an init container with the sidecars started before it, whichever
/// is more; plus its overhead. Source: upstream's `PodRequests`/`PodLimits`.
fn total(pod: &Value, field: &str) -> Amounts {
    let spec = &pod["spec"];
    let of = |container: &Value| amounts(&container["resources"][field]);
    let mut sum = Amounts::new();
    list(&spec["containers"]).iter().for_each(|container| add(&mut sum, of(container)));
    let (mut sidecars, mut starting) = (Amounts::new(), Amounts::new());
    for container in list(&spec["initContainers"]) {
        let mut now = of(container);
        if container["restartPolicy"] == "Always" {
            add(&mut sum, now.clone());
            add(&mut sidecars, now);
            now = sidecars.clone();
        } else {
            add(&mut now, sidecars.clone());
        }
        raise(&mut starting, &now);
    }
    raise(&mut sum, &starting);
    for (resource, overhead) in amounts(&spec["overhead"]) {
        // Overhead counts towards a limit only where there is one.
        if field == "requests" || sum.contains_key(&resource) {
            *sum.entry(resource).or_default() += overhead;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Refusal};
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// `kubectl describe node node-0000`, as recorded.
    #[test]
    fn as_kubectl_prints_it() {
        let node = json!({
            "metadata": {"name": "node-0000", "creationTimestamp": "2026-11-20T22:33:22Z", "labels": {"kubernetes.io/hostname": "node-0000"},
                "annotations": {"node.alpha.kubernetes.io/ttl": "0"}},
            "spec": {},
            "status": {"capacity": {"cpu": "64", "memory": "256Gi", "pods": "250"}, "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "250"},
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": "2026-11-20T22:33:22Z", "lastTransitionTime": "2026-11-20T22:33:22Z"}]},
        });
        let pod = |namespace: &str, name: &str, resources: Value| {
            json!({"metadata": {"namespace": namespace, "name": name, "creationTimestamp": "2026-11-20T22:39:40Z"}, "spec": {"containers": [{"resources": resources}]}})
        };
        let limited = json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "500m"}});
        let pods = json!({"items": [pod("default", "web-7b6559b597-456q6", json!({})), pod("ns-min", "pod-limited", limited)]});
        let missing = Error::Refused(Box::new(Refusal { code: 404, message: "leases.coordination.k8s.io \"node-0000\" not found".into(), ..Refusal::default() }));
        let text = described(&DESCRIBER, &node, vec![("lease", Err(missing)), ("pods", Ok(pods))], &[]);
        let expected = "\
Name:               node-0000
Roles:              <none>
Labels:             kubernetes.io/hostname=node-0000
Annotations:        node.alpha.kubernetes.io/ttl: 0
CreationTimestamp:  Fri, 20 Nov 2026 22:33:22 +0000
Taints:             <none>
Unschedulable:      false
Lease:              Failed to get lease: leases.coordination.k8s.io \"node-0000\" not found
Conditions:
  Type    Status  LastHeartbeatTime                 LastTransitionTime                Reason         Message
  ----    ------  -----------------                 ------------------                ------         -------
  Ready   True    Fri, 20 Nov 2026 22:33:22 +0000   Fri, 20 Nov 2026 22:33:22 +0000   KubeletReady   \nAddresses:
Capacity:
  cpu:     64
  memory:  256Gi
  pods:    250
Allocatable:
  cpu:     64
  memory:  256Gi
  pods:    250
System Info:
  Machine ID:                 \n  System UUID:                \n  Boot ID:                    \n  Kernel Version:             \n  OS Image:                   \n  Operating System:           \n  Architecture:               \n  Container Runtime Version:  \n  Kubelet Version:            \n  Kube-Proxy Version:         \nNon-terminated Pods:          (2 in total)
  Namespace                   Name                    CPU Requests  CPU Limits  Memory Requests  Memory Limits  Age
  ---------                   ----                    ------------  ----------  ---------------  -------------  ---
  default                     web-7b6559b597-456q6    0 (0%)        0 (0%)      0 (0%)           0 (0%)         1s
  ns-min                      pod-limited             100m (0%)     500m (0%)   0 (0%)           0 (0%)         1s
Allocated resources:
  (Total limits may be over 100 percent, i.e., overcommitted.)
  Resource           Requests   Limits
  --------           --------   ------
  cpu                100m (0%)  500m (0%)
  memory             0 (0%)     0 (0%)
  ephemeral-storage  0 (0%)     0 (0%)
Events:              <none>
";
        assert_eq!(text, expected);
    }

    #[test]
    fn init_containers_and_sidecars_count_as_upstream_counts_them() {
        let needs = |cpu: &str| json!({"requests": {"cpu": cpu}});
        let pod = json!({"spec": {
            "initContainers": [{"resources": needs("1")}, {"resources": needs("200m"), "restartPolicy": "Always"}, {"resources": needs("2")}],
            "containers": [{"resources": needs("500m")}, {"resources": needs("500m")}],
            "overhead": {"cpu": "50m"},
        }});
        assert_eq!(total(&pod, "requests")["cpu"].to_string(), "2250m");
        assert!(total(&pod, "limits").is_empty());
    }

    #[test]
    fn roles_and_taints() {
        let node = json!({"metadata": {"labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "edge"}}});
        assert_eq!(roles(&node), "control-plane,edge");
        let list = json!([{"key": "b", "effect": "NoSchedule"}, {"key": "a", "value": "v", "effect": "NoExecute"}]);
        assert_eq!(taints(&list), ["a=v:NoExecute", "b:NoSchedule"]);
    }
}
