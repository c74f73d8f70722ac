//! Endpoints that someone wrote by hand: the EndpointSlices that say the same, for kube-proxy and DNS read nothing else.
//!
//! These are the Endpoints of Services without a selector. Where a Service has one, its pods are found for it, and the slices are
//! those of `endpointslice`.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use k8s_openapi::{
    api::{
        core::v1::{EndpointAddress, EndpointPort, Endpoints, Service},
        discovery::v1::{Endpoint, EndpointConditions, EndpointSlice},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use mini_api::owner;

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    endpointslice::{self, MANAGED_BY, Plan, Ports, SERVICE_NAME},
    services::{Port, TRIGGER_TIME},
    writes::{Result, Writes},
};

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
/// The label of Endpoints that are not to be mirrored: whoever wrote them writes the slices as well.
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
/// The annotation of Endpoints that are no endpoints but what copies of a program elect their leader by.
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// As many addresses of one set of ports are mirrored: so each set is one slice of each family.
const LIMIT: usize = 1000;
/// The index of slices by `namespace/service`, those of this controller only.
const MIRRORED: &str = "mirrored";

/// Writes slices. Its keys are Endpoints and, of the same names, Services.
pub(crate) struct Reconciler {
    services: Arc<Cache<Service>>,
    endpoints: Arc<Cache<Endpoints>>,
    slices: Arc<Cache<EndpointSlice>>,
}

impl Controller for Reconciler {
    const NAME: &'static str = "endpointslice-mirroring-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        // What has a selector before and after, and what is not to be mirrored before and after, is nothing to look at.
        let services = setup.watch(|change: &Change<Service>| {
            let concerned = change.sides().any(|service| !has_selector(service));
            concerned.then(|| change.key())
        });
        let endpoints = setup.watch(|change: &Change<Endpoints>| {
            let concerned = change.sides().any(|endpoints| may_be_mirrored(endpoints));
            concerned.then(|| change.key())
        });
        let slices = setup.watch(|change: &Change<EndpointSlice>| {
            change.sides().filter_map(|slice| endpointslice::service_of(slice, MANAGER)).collect::<Vec<_>>()
        });
        slices.index(MIRRORED, |slice| endpointslice::service_of(slice, MANAGER).iter().map(Key::to_string).collect());
        Self { services, endpoints, slices }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let (service, endpoints) = (self.services.get(key), self.endpoints.get(key));
        let existing = self.slices.indexed(MIRRORED, &key.to_string());
        let plan = plan(service.as_deref(), endpoints.as_deref(), &existing);
        plan.carry_out(writes).await
    }
}

/// Whether the pods of the Service are found for it. As upstream, its type is not asked for.
fn has_selector(service: &Service) -> bool {
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    selector.is_some_and(|selector| !selector.is_empty())
}

/// Whether the Endpoints are to be mirrored if their Service has no selector.
fn may_be_mirrored(endpoints: &Endpoints) -> bool {
    let (labels, annotations) = (endpoints.metadata.labels.as_ref(), endpoints.metadata.annotations.as_ref());
    let skipped = labels.and_then(|labels| labels.get(SKIP)).is_some_and(|skip| skip == "true");
    !skipped && !annotations.is_some_and(|annotations| annotations.contains_key(LEADER))
}

/// Decides from what there is of one name: the Service, the Endpoints, and the slices made of them before.
fn plan(service: Option<&Service>, endpoints: Option<&Endpoints>, existing: &[Arc<EndpointSlice>]) -> Plan {
    let mut there: BTreeMap<(String, Ports), Vec<Arc<EndpointSlice>>> = BTreeMap::new();
    for slice in existing {
        let key = (slice.address_type.clone(), endpointslice::ports_of(slice));
        there.entry(key).or_default().push(slice.clone());
    }
    let by_hand = service.is_some_and(|service| !has_selector(service));
    let mirrored = endpoints.filter(|endpoints| by_hand && may_be_mirrored(endpoints));
    let mut plan = Plan::default();
    for (key, made) in mirrored.map(mirrors).unwrap_or_default() {
        let mut slices = there.remove(&key).unwrap_or_default().into_iter();
        match slices.next() {
            Some(old) => plan.update.extend(changed(old, made)),
            None => plan.create.push(made),
        }
        plan.delete.extend(slices);
    }
    plan.delete.extend(there.into_values().flatten());
    // Rather than deleting one slice and creating another of its family, makes the one into the other.
    for made in std::mem::take(&mut plan.create) {
        let surplus = plan.delete.iter().position(|old| old.address_type == made.address_type);
        match surplus {
            Some(index) => plan.update.extend(changed(plan.delete.remove(index), made)),
            None => plan.create.push(made),
        }
    }
    if endpoints.is_some_and(|endpoints| endpoints.metadata.deletion_timestamp.is_some()) {
        plan.create.clear();
    }
    plan
}

/// The slice that is there as the one that was made for its place, if that is a change.
fn changed(old: Arc<EndpointSlice>, made: EndpointSlice) -> Option<(Arc<EndpointSlice>, EndpointSlice)> {
    // Their order is no difference.
    let same_ports = endpointslice::ports_of(&old) == endpointslice::ports_of(&made);
    let metadata = ObjectMeta {
        labels: made.metadata.labels,
        annotations: made.metadata.annotations,
        owner_references: made.metadata.owner_references,
        ..old.metadata.clone()
    };
    let ports = if same_ports { old.ports.clone() } else { made.ports };
    let new = EndpointSlice { metadata, address_type: made.address_type, endpoints: made.endpoints, ports };
    let differs = new != *old;
    differs.then_some((old, new))
}

/// The slices as they should be, by family and ports. Where there are no addresses, there is no slice.
fn mirrors(endpoints: &Endpoints) -> BTreeMap<(String, Ports), EndpointSlice> {
    let metadata = metadata(endpoints);
    let slices = wanted(endpoints).into_iter().map(|((family, ports), endpoints)| {
        let slice = EndpointSlice {
            metadata: metadata.clone(),
            address_type: family.clone(),
            endpoints: Some(endpoints),
            ports: Some(ports.iter().map(endpointslice::port).collect()),
        };
        ((family, ports), slice)
    });
    slices.collect()
}

/// What all slices of the Endpoints have in common.
fn metadata(endpoints: &Endpoints) -> ObjectMeta {
    let name = endpoints.metadata.name.clone().unwrap_or_default();
    let mut labels = endpoints.metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME.to_owned(), name.clone());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    let mut annotations = endpoints.metadata.annotations.clone().unwrap_or_default();
    annotations.retain(|annotation, _| annotation != TRIGGER_TIME && annotation != LAST_APPLIED);
    ObjectMeta {
        generate_name: Some(format!("{name}-")),
        namespace: endpoints.metadata.namespace.clone(),
        labels: Some(labels),
        annotations: Some(annotations).filter(|annotations| !annotations.is_empty()),
        owner_references: Some(vec![owner::controller_ref(endpoints)]),
        ..ObjectMeta::default()
    }
}

/// What tells one address from another: its text, and the UID of what is there.
type Identity<'a> = (&'a str, Option<&'a str>);

/// The endpoints of each slice. What several subsets say of one address or one port is put together first, as upstream does: the
/// same ports are one slice, and who is called not ready anywhere is not. Of too many addresses the ready ones come first.
fn wanted(endpoints: &Endpoints) -> BTreeMap<(String, Ports), Vec<Endpoint>> {
    let mut known: BTreeMap<Identity<'_>, &EndpointAddress> = BTreeMap::new();
    let mut behind: BTreeMap<Option<Port>, BTreeMap<Identity<'_>, bool>> = BTreeMap::new();
    for subset in endpoints.subsets.iter().flatten() {
        let mut ports: Vec<Option<Port>> = subset.ports.iter().flatten().map(|port| Some(read(port))).collect();
        if ports.is_empty() {
            // Addresses without a port are addresses all the same.
            ports.push(None);
        }
        let ready = subset.addresses.iter().flatten().map(|address| (address, true));
        let not_ready = subset.not_ready_addresses.iter().flatten().map(|address| (address, false));
        for (address, ready) in ready.chain(not_ready) {
            let uid = address.target_ref.as_ref().and_then(|target| target.uid.as_deref());
            let identity = (address.ip.as_str(), uid);
            known.entry(identity).or_insert(address);
            for port in &ports {
                *behind.entry(port.clone()).or_default().entry(identity).or_insert(true) &= ready;
            }
        }
    }
    let mut sets: BTreeMap<BTreeMap<Identity<'_>, bool>, Ports> = BTreeMap::new();
    for (port, addresses) in behind {
        sets.entry(addresses).or_default().extend(port);
    }
    let mut wanted: BTreeMap<(String, Ports), Vec<Endpoint>> = BTreeMap::new();
    for (addresses, ports) in sets {
        let mut valid: Vec<(IpAddr, bool, &EndpointAddress)> = Vec::new();
        for (identity, ready) in addresses {
            if let (Some(address), Ok(ip)) = (known.get(&identity), identity.0.parse::<IpAddr>()) {
                valid.push((ip.to_canonical(), ready, *address));
            }
        }
        valid.sort_by_key(|(_, ready, _)| !ready);
        for (ip, ready, address) in valid.into_iter().take(LIMIT) {
            let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
            wanted.entry((family.to_owned(), ports.clone())).or_default().push(endpoint(ip, ready, address));
        }
    }
    wanted
}

fn read(port: &EndpointPort) -> Port {
    Port {
        name: port.name.clone().unwrap_or_default(),
        number: port.port,
        protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
        app_protocol: port.app_protocol.clone(),
    }
}

fn endpoint(ip: IpAddr, ready: bool, address: &EndpointAddress) -> Endpoint {
    Endpoint {
        addresses: vec![ip.to_string()],
        conditions: Some(EndpointConditions { ready: Some(ready), ..EndpointConditions::default() }),
        hostname: address.hostname.clone().filter(|hostname| !hostname.is_empty()),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::{Value, json};

    use super::*;
    use crate::services::tests::service;

    /// The Service `web` without a selector.
    fn bare() -> Service {
        let mut service = service(vec![]);
        service.spec.as_mut().unwrap().selector = None;
        service
    }

    /// Endpoints of its name.
    fn custom(subsets: Value) -> Endpoints {
        let metadata = json!({ "name": "web", "namespace": "default", "uid": "endpoints" });
        serde_json::from_value(json!({ "apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets })).unwrap()
    }

    fn one() -> Value {
        json!([{ "addresses": [{ "ip": "10.0.0.1" }], "ports": [{ "port": 80 }] }])
    }

    fn with_label(mut endpoints: Endpoints, name: &str, value: &str) -> Endpoints {
        endpoints.metadata.labels.get_or_insert_default().insert(name.to_owned(), value.to_owned());
        endpoints
    }

    fn with_annotation(mut endpoints: Endpoints, name: &str, value: &str) -> Endpoints {
        endpoints.metadata.annotations.get_or_insert_default().insert(name.to_owned(), value.to_owned());
        endpoints
    }

    /// The slices that are made of Endpoints, as if they were there.
    fn existing(endpoints: &Endpoints) -> Vec<Arc<EndpointSlice>> {
        let made = plan(Some(&bare()), Some(endpoints), &[]).create.into_iter().enumerate();
        let named = made.map(|(index, mut slice)| {
            slice.metadata.name = Some(format!("s{index}"));
            Arc::new(slice)
        });
        named.collect()
    }

    /// How many slices are created, updated and deleted.
    fn counts(plan: &Plan) -> (usize, usize, usize) {
        (plan.create.len(), plan.update.len(), plan.delete.len())
    }

    /// Family, ports and addresses; `!` is before what is not ready.
    fn summary(slice: &EndpointSlice) -> String {
        let ports = slice.ports.iter().flatten().map(|port| format!("{}{}", port.name.as_deref().unwrap_or("-"), port.port.unwrap_or(0)));
        let ends = slice.endpoints.iter().flatten().map(|end| {
            let ready = end.conditions.as_ref().and_then(|said| said.ready) == Some(true);
            format!("{}{}", if ready { "" } else { "!" }, end.addresses[0])
        });
        let (ports, ends): (Vec<_>, Vec<_>) = (ports.collect(), ends.collect());
        format!("{}|{}|{}", slice.address_type, ports.join(","), ends.join(","))
    }

    #[test]
    fn a_slice_says_what_the_endpoints_say() {
        let target = json!({ "kind": "Pod", "name": "a", "namespace": "default", "uid": "uid-a" });
        let address = json!({ "ip": "10.0.0.1", "hostname": "a", "nodeName": "n1", "targetRef": target });
        let ports = json!([{ "name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "http" }]);
        let mut endpoints = custom(json!([{ "addresses": [address], "notReadyAddresses": [{ "ip": "10.0.0.2" }], "ports": ports }]));
        endpoints = with_label(with_label(endpoints, "team", "blue"), MANAGED_BY, "nobody");
        endpoints = with_annotation(with_annotation(endpoints, TRIGGER_TIME, "then"), LAST_APPLIED, "{}");
        endpoints = with_annotation(endpoints, "example.com/note", "by hand");
        let plan = plan(Some(&bare()), Some(&endpoints), &[]);
        assert_eq!(counts(&plan), (1, 0, 0));
        let owner = json!({
            "apiVersion": "v1", "kind": "Endpoints", "name": "web", "uid": "endpoints", "controller": true, "blockOwnerDeletion": true,
        });
        let labels = json!({ "team": "blue", SERVICE_NAME: "web", MANAGED_BY: MANAGER });
        let metadata = json!({
            "generateName": "web-", "namespace": "default", "labels": labels, "annotations": { "example.com/note": "by hand" },
            "ownerReferences": [owner],
        });
        let ready = json!({
            "addresses": ["10.0.0.1"], "conditions": { "ready": true }, "hostname": "a", "nodeName": "n1", "targetRef": target,
        });
        let not_ready = json!({ "addresses": ["10.0.0.2"], "conditions": { "ready": false } });
        let want = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata, "addressType": "IPv4",
            "endpoints": [ready, not_ready], "ports": ports,
        });
        assert_eq!(serde_json::to_value(&plan.create[0]).unwrap(), want);
    }

    #[test]
    fn subsets_become_slices() {
        let (a, b) = (json!({ "ip": "10.0.0.1" }), json!({ "ip": "10.0.0.2" }));
        let (http, https) = (json!({ "name": "http", "port": 80 }), json!({ "name": "https", "port": 443 }));
        for (subsets, want) in [
            (json!([]), vec![]),
            (json!([{ "addresses": [b, a], "ports": [http] }]), vec!["IPv4|http80|10.0.0.1,10.0.0.2"]),
            (json!([{ "addresses": [b], "notReadyAddresses": [a], "ports": [http] }]), vec!["IPv4|http80|10.0.0.2,!10.0.0.1"]),
            (json!([{ "addresses": [a, { "ip": "fd00:0::1" }], "ports": [http] }]), vec!["IPv4|http80|10.0.0.1", "IPv6|http80|fd00::1"]),
            (json!([{ "addresses": [{ "ip": "::ffff:10.0.0.1" }], "ports": [http] }]), vec!["IPv4|http80|10.0.0.1"]),
            (json!([{ "addresses": [a] }]), vec!["IPv4||10.0.0.1"]),
            (json!([{ "addresses": [{ "ip": "nowhere" }], "ports": [http] }]), vec![]),
            (json!([{ "addresses": [a], "ports": [http, https] }]), vec!["IPv4|http80,https443|10.0.0.1"]),
            (
                json!([{ "addresses": [a], "ports": [https] }, { "addresses": [b], "ports": [http] }]),
                vec!["IPv4|http80|10.0.0.2", "IPv4|https443|10.0.0.1"],
            ),
            (json!([{ "addresses": [a], "ports": [https] }, { "addresses": [a], "ports": [http] }]), vec!["IPv4|http80,https443|10.0.0.1"]),
            (
                json!([{ "addresses": [a, b], "ports": [http] }, { "notReadyAddresses": [a], "ports": [http] }]),
                vec!["IPv4|http80|10.0.0.2,!10.0.0.1"],
            ),
        ] {
            let plan = plan(Some(&bare()), Some(&custom(subsets.clone())), &[]);
            let made: Vec<String> = plan.create.iter().map(summary).collect();
            assert_eq!(made, want, "{subsets}");
        }
    }

    #[test]
    fn of_too_many_addresses_the_ready_ones_are_mirrored() {
        let address = |n: usize| json!({ "ip": format!("10.0.{}.{}", n / 250, n % 250) });
        let not_ready: Vec<Value> = (0..5).map(address).collect();
        let ready: Vec<Value> = (5..LIMIT + 3).map(address).collect();
        let endpoints = custom(json!([{ "addresses": ready, "notReadyAddresses": not_ready, "ports": [{ "port": 80 }] }]));
        let plan = plan(Some(&bare()), Some(&endpoints), &[]);
        assert_eq!(counts(&plan), (1, 0, 0));
        let ends = plan.create[0].endpoints.as_deref().unwrap();
        let is_ready = |end: &&Endpoint| end.conditions.as_ref().and_then(|said| said.ready) == Some(true);
        assert_eq!((ends.len(), ends.iter().filter(is_ready).count()), (LIMIT, LIMIT - 2));
    }

    #[test]
    fn only_what_is_by_hand_and_not_set_aside_is_mirrored() {
        let (bare, selecting, endpoints) = (bare(), service(vec![]), custom(one()));
        let mut choosy_about_nothing = bare.clone();
        choosy_about_nothing.spec.as_mut().unwrap().selector = Some(BTreeMap::new());
        let skipped = with_label(endpoints.clone(), SKIP, "true");
        let not_skipped = with_label(endpoints.clone(), SKIP, "false");
        let election = with_annotation(endpoints.clone(), LEADER, "{}");
        for (service, endpoints, mirrored) in [
            (Some(&bare), Some(&endpoints), true),
            (Some(&choosy_about_nothing), Some(&endpoints), true),
            (Some(&bare), Some(&not_skipped), true),
            (None, Some(&endpoints), false),
            (Some(&bare), None, false),
            (Some(&selecting), Some(&endpoints), false),
            (Some(&bare), Some(&skipped), false),
            (Some(&bare), Some(&election), false),
        ] {
            let labels = endpoints.map(|endpoints| &endpoints.metadata);
            let first = plan(service, endpoints, &[]);
            assert_eq!(counts(&first), (usize::from(mirrored), 0, 0), "{service:?} {labels:?}");
            let later = plan(service, endpoints, &existing(&custom(one())));
            assert_eq!(counts(&later).2, usize::from(!mirrored), "{service:?} {labels:?}");
        }
    }

    #[test]
    fn slices_are_kept_as_long_as_they_can_be() {
        let (bare, endpoints) = (bare(), custom(one()));
        let there = existing(&endpoints);
        let twice = [there[0].clone(), there[0].clone()];
        let (there, twice) = (there.as_slice(), twice.as_slice());
        let more = custom(json!([{ "addresses": [{ "ip": "10.0.0.1" }, { "ip": "10.0.0.2" }], "ports": [{ "port": 80 }] }]));
        let elsewhere = custom(json!([{ "addresses": [{ "ip": "10.0.0.1" }], "ports": [{ "port": 81 }] }]));
        let other_family = custom(json!([{ "addresses": [{ "ip": "fd00::1" }], "ports": [{ "port": 80 }] }]));
        let mut again = endpoints.clone();
        again.metadata.uid = Some("another".to_owned());
        for (what, endpoints, existing, want) in [
            ("nothing", endpoints.clone(), there, (0, 0, 0)),
            ("what is no matter", with_annotation(endpoints.clone(), TRIGGER_TIME, "now"), there, (0, 0, 0)),
            ("an address", more, there, (0, 1, 0)),
            ("a label", with_label(endpoints.clone(), "team", "blue"), there, (0, 1, 0)),
            ("an annotation", with_annotation(endpoints.clone(), "team", "blue"), there, (0, 1, 0)),
            ("the owner", again, there, (0, 1, 0)),
            ("the ports", elsewhere, there, (0, 1, 0)),
            ("the family", other_family, there, (1, 0, 1)),
            ("the slices", endpoints, twice, (0, 0, 1)),
            ("everything", custom(json!([])), there, (0, 0, 1)),
        ] {
            let plan = plan(Some(&bare), Some(&endpoints), existing);
            assert_eq!(counts(&plan), want, "{what} changes: {plan:?}");
            for (old, new) in &plan.update {
                assert_eq!(old.metadata.name, new.metadata.name);
                let later = self::plan(Some(&bare), Some(&endpoints), &[Arc::new(new.clone())]);
                assert_eq!(counts(&later), (0, 0, 0), "{what} changes again: {later:?}");
            }
        }
    }

    #[test]
    fn for_endpoints_that_are_being_deleted_nothing_is_made() {
        let mut endpoints = custom(one());
        endpoints.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(counts(&plan(Some(&bare()), Some(&endpoints), &[])), (0, 0, 0));
    }
}
