//! Who waits for something that several may wait for.
//!
//! Knows nothing of what they wait for: all are woken and look again.

use std::{
    sync::Arc,
    task::{Wake, Waker},
};

use parking_lot::Mutex;

/// Who waits. It is a waker itself, so that a stream which remembers only the last who asked can wake all.
#[derive(Default)]
pub(crate) struct Wakers(Mutex<Vec<Waker>>);

impl Wakers {
    /// Remembers somebody until the next [`wake`](Self::wake).
    pub(crate) fn add(&self, waker: &Waker) {
        let mut waiting = self.0.lock();
        // The same waker may come with another copy of the same table of functions, which `will_wake` does not see.
        let is_known = |known: &Waker| known.will_wake(waker) || (known.data() == waker.data() && !waker.data().is_null());
        if !waiting.iter().any(is_known) {
            waiting.push(waker.clone());
        }
    }

    /// Wakes all.
    pub(crate) fn wake(&self) {
        let waiting = std::mem::take(&mut *self.0.lock());
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        Wakers::wake(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Wakers::wake(self);
    }
}
