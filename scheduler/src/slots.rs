//! The places in which bindings are under way. Whoever only waits for somebody else gives its place up meanwhile.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

/// All places there are.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Semaphore>);

/// A place, taken until this is dropped.
pub(crate) struct Slot {
    slots: Slots,
    taken: Option<OwnedSemaphorePermit>,
}

impl Slots {
    /// So many places.
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// The next place that is free.
    pub(crate) async fn free(&self) -> Slot {
        Slot { slots: self.clone(), taken: self.take().await }
    }

    async fn take(&self) -> Option<OwnedSemaphorePermit> {
        // It fails only when nobody may take a place any more, which never happens.
        self.0.clone().acquire_owned().await.ok()
    }
}

impl Slot {
    /// Waits for so long, and then for a place again.
    pub(crate) async fn rest(&mut self, pause: Duration) {
        self.taken = None;
        sleep(pause).await;
        self.taken = self.slots.take().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_rests_makes_room() {
        let slots = Slots::new(1);
        let mut patient = slots.free().await;
        assert!(timeout(Duration::from_secs(9), slots.free()).await.is_err(), "the only place is taken");
        let began = Instant::now();
        let other = async {
            let slot = slots.free().await;
            assert_eq!(began.elapsed(), Duration::ZERO, "who rests has no place");
            sleep(Duration::from_secs(30)).await;
            drop(slot);
        };
        tokio::join!(patient.rest(Duration::from_secs(10)), other);
        assert_eq!(began.elapsed(), Duration::from_secs(30), "it goes on when there is room again");
        assert!(timeout(Duration::from_secs(9), slots.free()).await.is_err(), "it has its place back");
    }
}
