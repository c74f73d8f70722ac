//! Load balancers of Services: an address of the pool for each that wants one. There is no cloud: having the address is all.
//!
//! Who has which address is read from the Services. Only what is given and cannot be seen there yet is kept in memory.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    sync::{Arc, Weak},
};

use k8s_openapi::api::core::v1::{LoadBalancerIngress, LoadBalancerStatus, Service, ServiceSpec};
use mini_daemon::{events, events::Recorder};
use parking_lot::Mutex;

use crate::{
    address_pool::AddressPool,
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    protection::{self, carry_out},
    queue::Queue,
    writes::{Result, Writes},
};

/// What keeps a Service until its load balancer is gone.
const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";

/// Gives addresses to Services, and takes them back.
pub(crate) struct Reconciler {
    services: Arc<Cache<Service>>,
    pool: AddressPool,
    /// By UID: what was given and is not in the cache yet.
    given: Mutex<HashMap<String, Ipv4Addr>>,
    recorder: Recorder,
}

impl Controller for Reconciler {
    const NAME: &'static str = "service-lb-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let services = setup.watch(|change: &Change<Service>| [change.key()]);
        let (known, queue) = (Arc::downgrade(&services), setup.queue());
        services.listen(move |change| look_again(change, &known, &queue));
        let pool = setup.config().load_balancer_pool;
        Self { services, pool, given: Mutex::default(), recorder: setup.recorder("service-controller") }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(service) = self.services.get(key).filter(|_| !self.pool.is_none()) else { return Ok(Next::Changed) };
        let about = events::reference(&*service);
        let say = |reason: &str, message: &str| self.recorder.normal(&about, reason, message);
        match plan(&service, self.pool) {
            Step::Keep => {}
            Step::Claim => {
                say("EnsuringLoadBalancer", "Ensuring load balancer");
                carry_out(protection::Step::Protect, &*service, FINALIZER, writes).await?;
            }
            Step::Give => match self.choose(&service) {
                Ok(address) => {
                    writes.update_status(&*service, &with_address(&service, Some(address))).await?;
                    say("EnsuredLoadBalancer", "Ensured load balancer");
                }
                // It is looked at again when an address becomes free.
                Err(why) => {
                    self.recorder.warning(&about, "SyncLoadBalancerFailed", format!("Error syncing load balancer: failed to ensure load balancer: {why}"));
                }
            },
            Step::TakeBack => {
                say("DeletingLoadBalancer", "Deleting load balancer");
                writes.update_status(&*service, &with_address(&service, None)).await?;
            }
            Step::Release => {
                if address(&service).is_some() {
                    say("DeletingLoadBalancer", "Deleting load balancer");
                }
                carry_out(protection::Step::Release, &*service, FINALIZER, writes).await?;
                say("DeletedLoadBalancer", "Deleted load balancer");
            }
        }
        Ok(Next::Changed)
    }
}

/// When an address becomes free, those that wait for one try again.
fn look_again(change: &Change<Service>, services: &Weak<Cache<Service>>, queue: &Queue<Key>) {
    let before = change.old.as_ref().and_then(|old| address(old));
    if before.is_none() || before == change.new.as_ref().and_then(|new| address(new)) {
        return;
    }
    let waiting = services.upgrade().map(|services| services.all()).unwrap_or_default();
    for service in waiting.iter().filter(|service| wants(service) && address(service).is_none()) {
        queue.add(Key::of(&service.metadata));
    }
}

impl Reconciler {
    fn choose(&self, service: &Service) -> std::result::Result<Ipv4Addr, String> {
        // Locked before the Services are read: no other worker may choose meanwhile.
        let mut given = self.given.lock();
        choose(service, &self.services.all(), &mut given, self.pool)
    }
}

/// An address that nobody of `services` has, and nobody else is `given`.
fn choose(
    service: &Service,
    services: &[Arc<Service>],
    given: &mut HashMap<String, Ipv4Addr>,
    pool: AddressPool,
) -> std::result::Result<Ipv4Addr, String> {
    let own = service.metadata.uid.as_deref().unwrap_or_default();
    let mut taken = BTreeMap::new();
    let mut unseen = HashMap::new();
    for other in services.iter().filter(|other| other.metadata.uid.as_deref() != Some(own)) {
        let (uid, name, seen) = (other.metadata.uid.clone().unwrap_or_default(), Key::of(&other.metadata), address(other));
        // What is given counts until it is seen, or until the Service is gone.
        if let Some(address) = given.get(&uid).copied().filter(|address| seen != Some(*address) && wants(other)) {
            unseen.insert(uid, address);
            taken.insert(address, name.to_string());
        }
        taken.extend(seen.map(|address| (address, name.to_string())));
    }
    *given = unseen;
    let address = pool.choose(wish(service), &taken)?;
    given.insert(own.to_owned(), address);
    Ok(address)
}

/// What is to be done for one Service. Each step is one write; the next follows when it can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing.
    Keep,
    /// Nobody must forget that it has a load balancer.
    Claim,
    /// It gets an address.
    Give,
    /// It is no load balancer any more.
    TakeBack,
    /// Nothing is left to be cleaned up.
    Release,
}

fn plan(service: &Service, pool: AddressPool) -> Step {
    let claimed = service.metadata.finalizers.iter().flatten().any(|there| there == FINALIZER);
    let deleted = service.metadata.deletion_timestamp.is_some();
    match (wants(service) && !deleted, claimed) {
        (true, false) => Step::Claim,
        (true, true) if is_right(service, pool) => Step::Keep,
        (true, true) => Step::Give,
        (false, true) if !deleted && address(service).is_some() => Step::TakeBack,
        (false, true) => Step::Release,
        (false, false) => Step::Keep,
    }
}

/// Whether it is a load balancer, and of ours: who names a class is another's.
fn wants(service: &Service) -> bool {
    let is_ours = |spec: &ServiceSpec| spec.type_.as_deref() == Some("LoadBalancer") && spec.load_balancer_class.is_none();
    service.spec.as_ref().is_some_and(is_ours)
}

/// The address it asks for.
fn wish(service: &Service) -> Option<&str> {
    service.spec.as_ref()?.load_balancer_ip.as_deref().filter(|wish| !wish.is_empty())
}

/// The address it has.
fn address(service: &Service) -> Option<Ipv4Addr> {
    let ingress = service.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref()?;
    ingress.iter().find_map(|point| point.ip.as_ref()?.parse().ok())
}

/// Whether the address it has is one of the pool, and the one it asks for.
fn is_right(service: &Service, pool: AddressPool) -> bool {
    let fits = |address: Ipv4Addr| wish(service).map_or_else(|| pool.contains(address), |wish| wish == address.to_string());
    address(service).is_some_and(fits)
}

fn with_address(service: &Service, address: Option<Ipv4Addr>) -> Service {
    let point = |address: Ipv4Addr| LoadBalancerIngress {
        ip: Some(address.to_string()),
        ip_mode: Some("VIP".to_owned()),
        ..LoadBalancerIngress::default()
    };
    let mut new = service.clone();
    let ingress = address.map(|address| vec![point(address)]);
    new.status.get_or_insert_default().load_balancer = Some(LoadBalancerStatus { ingress });
    new
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn service(spec: Value, finalizers: &[&str], address: Option<&str>) -> Service {
        let ingress = address.map(|ip| json!([{ "ip": ip }]));
        serde_json::from_value(json!({
            "metadata": { "name": "web", "namespace": "default", "uid": "u", "finalizers": finalizers },
            "spec": spec, "status": { "loadBalancer": { "ingress": ingress } },
        }))
        .unwrap()
    }

    #[test]
    fn one_step_after_the_other() {
        let pool = "203.0.113.0/24".parse().unwrap();
        let balancer = || json!({ "type": "LoadBalancer" });
        let wishing = || json!({ "type": "LoadBalancer", "loadBalancerIP": "203.0.113.9" });
        let foreign = || json!({ "type": "LoadBalancer", "loadBalancerClass": "a.b/c" });
        let plain = || json!({ "type": "ClusterIP" });
        let (ours, none) = ([FINALIZER].as_slice(), [].as_slice());
        for (spec, finalizers, address, step) in [
            (balancer(), none, None, Step::Claim),
            (balancer(), ours, None, Step::Give),
            (balancer(), ours, Some("203.0.113.1"), Step::Keep),
            (balancer(), ours, Some("10.0.0.1"), Step::Give),
            (wishing(), ours, Some("203.0.113.1"), Step::Give),
            (wishing(), ours, Some("203.0.113.9"), Step::Keep),
            (foreign(), none, Some("10.0.0.1"), Step::Keep),
            (plain(), none, None, Step::Keep),
            (plain(), ours, Some("203.0.113.1"), Step::TakeBack),
            (plain(), ours, None, Step::Release),
        ] {
            assert_eq!(plan(&service(spec.clone(), finalizers, address), pool), step, "{spec} {finalizers:?} {address:?}");
        }
        let mut deleted = service(balancer(), ours, Some("203.0.113.1"));
        deleted.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(plan(&deleted, pool), Step::Release);
    }

    #[test]
    fn nobody_is_given_what_another_has_or_is_about_to_have() {
        let pool = "203.0.113.0/30".parse().unwrap();
        let named = |name: &str, has: Option<&str>| {
            let mut service = service(json!({ "type": "LoadBalancer" }), &[FINALIZER], has);
            service.metadata.name = Some(name.to_owned());
            service.metadata.uid = Some(name.to_owned());
            Arc::new(service)
        };
        let first = Ok(Ipv4Addr::new(203, 0, 113, 1));
        let second = Ok(Ipv4Addr::new(203, 0, 113, 2));
        let full = Err("the address pool 203.0.113.0/30 is exhausted".to_owned());
        let mut given = HashMap::new();
        let all = [named("a", None), named("b", None), named("c", None)];
        assert_eq!(choose(&all[0], &all, &mut given, pool), first);
        assert_eq!(choose(&all[1], &all, &mut given, pool), second);
        assert_eq!(choose(&all[2], &all, &mut given, pool), full);
        assert_eq!(choose(&all[0], &all, &mut given, pool), first, "its own is not another's");

        let seen = [named("a", Some("203.0.113.1")), named("b", Some("203.0.113.2")), named("c", None)];
        assert_eq!(choose(&seen[2], &seen, &mut HashMap::new(), pool), full, "after a restart");
        assert_eq!(choose(&seen[2], &seen[1..], &mut given, pool), first, "who is gone has nothing");
    }

    #[test]
    fn an_address_is_told_and_taken_back() {
        let with = with_address(&service(json!({}), &[], None), Some(Ipv4Addr::new(203, 0, 113, 1)));
        assert_eq!(serde_json::to_value(&with.status).unwrap(), json!({ "loadBalancer": { "ingress": [{ "ip": "203.0.113.1", "ipMode": "VIP" }] } }));
        assert_eq!(address(&with), Some(Ipv4Addr::new(203, 0, 113, 1)));
        assert_eq!(serde_json::to_value(with_address(&with, None).status).unwrap(), json!({ "loadBalancer": {} }));
    }
}
