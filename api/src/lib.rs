//! The words all components share: what Kubernetes *means* by a quantity, a selector, a ready pod.
//!
//! Pure by design, so that planning can be tested in microseconds: no tokio, no I/O, no clock, no HTTP. Where a
//! meaning depends on the time, the time is an argument. Wording of messages is upstream's, letter for letter,
//! because users, scripts and tests compare it.
//!
//! | module | word |
//! |---|---|
//! | [`age`] | how long ago, as `kubectl` prints it (`4m12s`, `3d4h`) |
//! | [`condition`] | finding and setting status conditions with true transition times |
//! | [`cron`] | when a schedule is due, and what is none |
//! | [`dial`] | how a connection that cannot be made is told |
//! | [`duration`] | a length of time as Go writes it (`1m30s`) |
//! | [`hash`] | the `pod-template-hash` of a pod template, and the hash of a ControllerRevision |
//! | [`indexes`] | sets of indexes such as `1,3-5` |
//! | [`ingress`] | whose an Ingress is |
//! | [`name`] | which names, keys and values are valid, and what is said if they are not |
//! | [`node_selector`] | which nodes a pod's selector and node affinity allow |
//! | [`owner`] | controller owner references |
//! | [`percent`] | "25%" or 3 of a total (surge, unavailable) |
//! | [`pod`] | readiness, life cycle, resources, QoS class and the STATUS column of a pod |
//! | [`proxy`] | what a node's proxy reads from Services and EndpointSlices, and the rules it makes of it |
//! | [`quantity`] | `resource.Quantity`: exact numbers such as `500m` and `2Gi` |
//! | [`quota`] | what an object uses of a ResourceQuota, and whether it is within its scopes |
//! | [`selector`] | label and field selectors: grammar, matching, canonical form |
//! | [`taint`] | which tolerations tolerate which taints |
//! | [`volume`] | which volume fits a claim, and how binding is told |

pub mod age;
pub mod condition;
pub mod cron;
pub mod dial;
pub mod duration;
pub mod hash;
pub mod indexes;
pub mod ingress;
pub mod name;
pub mod node_selector;
pub mod owner;
pub mod percent;
pub mod pod;
pub mod proxy;
pub mod quantity;
pub mod quota;
pub mod selector;
pub mod taint;
pub mod volume;
