//! The list of plugins: the only place that names them. To add one, write its file and put its word into the list; the order is
//! that of upstream's filters, because the first that refuses a node gives the reason.

use crate::framework::Plugin;

macro_rules! plugins {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        /// All plugins, in the order in which they filter.
        pub static PLUGINS: &[&dyn Plugin] = &[$($name::PLUGIN),*];
    };
}

plugins! {
    unschedulable, node_name, taints, node_affinity, ports, resources, volume_restrictions, volume_limits, volume_binding, volume_zone,
    topology_spread, pod_affinity, balance, images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_upstreams_and_the_set_has_room() {
        let names: Vec<_> = PLUGINS.iter().map(|plugin| plugin.name()).collect();
        let want = "NodeUnschedulable NodeName TaintToleration NodeAffinity NodePorts NodeResourcesFit VolumeRestrictions NodeVolumeLimits \
                    VolumeBinding VolumeZone PodTopologySpread InterPodAffinity NodeResourcesBalancedAllocation ImageLocality";
        assert_eq!(names.join(" "), want);
        assert!(names.len() <= 32);
    }
}
