//! What is in the images, remembered: many containers are made of few images.
//!
//! Must not know: containers.

use std::{collections::HashMap, sync::Arc};

use mini_machine::images::{self, Image};
use parking_lot::Mutex;

/// The images that were asked for, by canonical reference.
#[derive(Default)]
pub(super) struct Catalogue(Mutex<HashMap<String, Arc<Image>>>);

impl Catalogue {
    /// What is in an image.
    pub(super) fn find(&self, reference: &str) -> Arc<Image> {
        let mut known = self.0.lock();
        if let Some(image) = known.get(reference) {
            return image.clone();
        }
        let image = Arc::new(images::find(reference));
        known.insert(reference.to_owned(), image.clone());
        image
    }
}
