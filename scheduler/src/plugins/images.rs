//! ImageLocality: a node that has the pod's images already need not pull them. Images that only a few nodes have count less, or
//! those nodes would get all the pods.

use crate::{
    framework::{Case, MAX_SCORE, Plugin, Score},
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &ImageLocality;

const MB: i64 = 1024 * 1024;
/// What takes less time to pull than this does not matter.
const LEAST: i64 = 23 * MB;
/// What takes more than this, for each container, does not matter any more.
const MOST: i64 = 1000 * MB;

struct ImageLocality;

impl Plugin for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn score<'c>(&self, case: Case<'c>, _rows: &[usize]) -> Option<Score<'c>> {
        let table = &case.cluster.nodes;
        let images = &case.pod.wants.images;
        let spread = |image: &'c str| (image, table.nodes_with_image(image) as f64 / table.len() as f64);
        let known: Vec<_> = images.iter().map(|image| spread(image)).filter(|(_, spread)| *spread > 0.0).collect();
        let most = MOST * images.len() as i64;
        let look = move |node: NodeRef<'_>| {
            let here = known.iter().filter_map(|(image, spread)| Some((node.info().image_size(image)? as f64 * spread) as i64));
            (here.sum::<i64>().clamp(LEAST, most) - LEAST) * MAX_SCORE / (most - LEAST)
        };
        (!images.is_empty() && images.iter().any(|image| table.nodes_with_image(image) > 0)).then(|| Score::plain(look))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::Cluster,
        framework::testing::{node, pod},
    };

    #[test]
    fn nodes_with_big_and_widespread_images_are_better() {
        let mut cluster = Cluster::default();
        for (name, images) in [("a", &[("big:1", 2000 * MB), ("small:1", 500 * MB)][..]), ("b", &[("small:1", 500 * MB)]), ("c", &[])] {
            let mut node = node(name);
            node.images = images.iter().map(|(name, size)| ((*name).into(), *size)).collect();
            cluster.nodes.apply_node(node);
        }
        let scores = |images: &[&str]| {
            let mut pod = pod("p");
            pod.wants.images = images.iter().map(|image| (*image).into()).collect();
            let score = PLUGIN.score(Case::new(&pod, &cluster), &[0, 1, 2])?;
            Some([0, 1, 2].map(|row| (score.look)(cluster.nodes.node(row))))
        };
        // Two of three nodes have 500 MB: 333 - 23 of 1000 - 23.
        assert_eq!(scores(&["small:1"]), Some([31_763, 31_763, 0]));
        // One of three has 2,000 MB, and the other image counts too: 666 + 333 - 23 of 2000 - 23.
        assert_eq!(scores(&["big:1", "small:1"]), Some([49_418, 15_697, 0]));
        assert_eq!(scores(&["big:2"]), None);
        assert_eq!(scores(&[]), None);
    }
}
