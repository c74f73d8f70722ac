//! The address of Ingresses. All that the built-in controller serves have the same one, as all that one controller of a real cluster
//! serves have its; kubelets route what is sent there.

use std::{net::Ipv4Addr, sync::Arc};

use k8s_openapi::api::networking::v1::{Ingress, IngressClass, IngressLoadBalancerIngress, IngressLoadBalancerStatus};
use mini_api::ingress;
use mini_daemon::events::{self, Recorder};

use crate::{
    address_pool::AddressPool,
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    writes::{Result, Writes},
};

/// Tells Ingresses their address.
pub(crate) struct Reconciler {
    ingresses: Arc<Cache<Ingress>>,
    classes: Arc<Cache<IngressClass>>,
    pool: AddressPool,
    recorder: Recorder,
}

impl Controller for Reconciler {
    const NAME: &'static str = "ingress-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let ingresses = setup.watch(|change: &Change<Ingress>| [change.key()]);
        let known = Arc::downgrade(&ingresses);
        let classes = setup.watch(move |_: &Change<IngressClass>| {
            let all = known.upgrade().map(|ingresses| ingresses.all()).unwrap_or_default();
            all.iter().map(|ingress| Key::of(&ingress.metadata)).collect::<Vec<_>>()
        });
        let pool = setup.config().load_balancer_pool;
        Self { ingresses, classes, pool, recorder: setup.recorder("mini-ingress-controller") }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(ingress) = self.ingresses.get(key) else { return Ok(Next::Changed) };
        let known = |class: &str| self.classes.get(&Key::cluster(class)).map(|class| ingress::is_built_in(&class));
        let served = ingress::is_served(ingress::class(&ingress), known);
        if let Some(new) = plan(&ingress, served, self.pool.of_ingresses()) {
            writes.update_status(&*ingress, &new).await?;
            if served {
                self.recorder.normal(&events::reference(&*ingress), "Sync", "Scheduled for sync");
            }
        }
        Ok(Next::Changed)
    }
}

/// The Ingress with its status as it should be, if it is not. What another controller says of it is let be.
fn plan(ingress: &Ingress, served: bool, address: Option<Ipv4Addr>) -> Option<Ingress> {
    let ours = address?.to_string();
    let points = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.clone()).unwrap_or_default();
    let is_told = matches!(&points[..], [point] if point.ip.as_ref() == Some(&ours));
    let wanted = match (served && ingress.metadata.deletion_timestamp.is_none(), is_told) {
        (true, false) => vec![IngressLoadBalancerIngress { ip: Some(ours), ..IngressLoadBalancerIngress::default() }],
        (false, true) if !served => Vec::new(),
        _ => return None,
    };
    let mut new = ingress.clone();
    let told = (!wanted.is_empty()).then_some(wanted);
    new.status.get_or_insert_default().load_balancer = Some(IngressLoadBalancerStatus { ingress: told });
    Some(new)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn those_that_are_served_are_told_the_address() {
        let ours = Some(Ipv4Addr::new(203, 0, 113, 254));
        for (told, served, address, expected) in [
            (vec![], true, ours, Some(vec!["203.0.113.254"])),
            (vec!["203.0.113.254"], true, ours, None),
            (vec!["1.2.3.4"], true, ours, Some(vec!["203.0.113.254"])),
            (vec!["203.0.113.254"], false, ours, Some(vec![])),
            (vec!["1.2.3.4"], false, ours, None),
            (vec![], false, ours, None),
            (vec![], true, None, None),
        ] {
            let points: Vec<_> = told.iter().map(|ip| json!({ "ip": ip })).collect();
            let ingress = json!({ "metadata": { "name": "i" }, "status": { "loadBalancer": { "ingress": points } } });
            let new = plan(&serde_json::from_value(ingress).unwrap(), served, address);
            let points = new.map(|new| new.status.unwrap().load_balancer.unwrap().ingress.unwrap_or_default());
            let seen = points.map(|points| points.into_iter().map(|point| point.ip.unwrap()).collect::<Vec<_>>());
            assert_eq!(seen, expected.map(|ips| ips.into_iter().map(str::to_owned).collect()), "{told:?} {served}");
        }
    }
}
