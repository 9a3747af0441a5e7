//! Bodies that are on their way, and which of them gives way to a request that finds no place.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use swift_types::DeviceName;
use tokio_util::sync::CancellationToken;

/// Every body that is being waited for, the one that has brought nothing for longest first.
///
/// A request has its place from its head on, and a body may take as long as it brings something now and then. So clients
/// that send half a body would keep everybody else out; instead they give way, one for each request that comes.
#[derive(Debug, Default)]
pub(crate) struct ComingBodies(Mutex<Coming>);

#[derive(Debug, Default)]
struct Coming {
    turns: u64,
    bodies: BTreeMap<u64, Told>,
}

/// What is known of a body on its way.
#[derive(Clone, Debug)]
struct Told {
    device: Option<DeviceName>,
    /// What it takes of the [`Room`](crate::room::Room).
    room: u32,
    gives_way: CancellationToken,
}

/// One body on its way; it is so no more when this is dropped.
#[derive(Debug)]
pub(crate) struct ComingBody {
    all: Arc<ComingBodies>,
    turn: u64,
    told: Told,
}

impl ComingBodies {
    /// A body is on its way, for one device if it is about one, and into so much room.
    pub(crate) fn begin(self: &Arc<Self>, device: Option<&DeviceName>, room: u32) -> ComingBody {
        let told = Told { device: device.cloned(), room, gives_way: CancellationToken::new() };
        let turn = self.lock().add(told.clone());
        ComingBody { all: Arc::clone(self), turn, told }
    }

    /// Tells the body that has brought nothing for longest to give way; false if none is on its way.
    pub(crate) fn end_one(&self) -> bool {
        self.lock().end_longest_still(|_| true).is_some()
    }

    /// As [`end_one`](Self::end_one), among those for a device.
    pub(crate) fn end_one_of(&self, device: &DeviceName) -> bool {
        self.lock().end_longest_still(|told| told.device.as_ref() == Some(device)).is_some()
    }

    /// Tells bodies to give way until they leave so much room, as far as there are any.
    pub(crate) fn end_for_room(&self, wanted: u32) {
        let (mut coming, mut left) = (self.lock(), 0);
        while left < wanted {
            let Some(room) = coming.end_longest_still(|told| told.room > 0) else { return };
            left = room.saturating_add(left);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Coming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coming {
    fn add(&mut self, told: Told) -> u64 {
        self.turns += 1;
        self.bodies.insert(self.turns, told);
        self.turns
    }

    /// The room that becomes free, if one of those meant is on its way.
    fn end_longest_still(&mut self, is_meant: impl Fn(&Told) -> bool) -> Option<u32> {
        let turn = *self.bodies.iter().find(|(_, told)| is_meant(told))?.0;
        let told = self.bodies.remove(&turn)?;
        told.gives_way.cancel();
        Some(told.room)
    }
}

impl ComingBody {
    /// Something of it has come.
    pub(crate) fn has_come_on(&mut self) {
        let mut coming = self.all.lock();
        if coming.bodies.remove(&self.turn).is_some() {
            self.turn = coming.add(self.told.clone());
        }
    }

    /// Done when it has to give way.
    pub(crate) async fn gives_way(&self) {
        self.told.gives_way.cancelled().await;
    }
}

impl Drop for ComingBody {
    fn drop(&mut self) {
        self.all.lock().bodies.remove(&self.turn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given_way(bodies: &[&ComingBody]) -> Vec<bool> {
        bodies.iter().map(|body| body.told.gives_way.is_cancelled()).collect()
    }

    #[test]
    fn the_one_that_brought_nothing_for_longest_gives_way_once() {
        let all = Arc::new(ComingBodies::default());
        let (mut first, second, third) = (all.begin(None, 0), all.begin(None, 0), all.begin(None, 0));
        first.has_come_on();
        assert!(all.end_one());
        assert_eq!(given_way(&[&first, &second, &third]), [false, true, false]);
        drop(third);
        assert!(all.end_one());
        first.has_come_on();
        assert!(!all.end_one(), "each only once, and what has to give way comes on no more");
    }

    #[test]
    fn a_device_asks_its_own() {
        let all = Arc::new(ComingBodies::default());
        let [a, b]: [DeviceName; 2] = ["a", "b"].map(|name| name.parse().unwrap());
        let (of_none, of_a, of_b) = (all.begin(None, 0), all.begin(Some(&a), 0), all.begin(Some(&b), 0));
        assert!(all.end_one_of(&b));
        assert_eq!(given_way(&[&of_none, &of_a, &of_b]), [false, false, true]);
        assert!(!all.end_one_of(&b));
    }

    #[test]
    fn as_many_give_way_as_have_the_room_and_none_without_any() {
        let all = Arc::new(ComingBodies::default());
        let bodies = [0, 2, 2, 2].map(|room| all.begin(None, room));
        all.end_for_room(3);
        let [streamed, first, second, third] = &bodies;
        assert_eq!(given_way(&[streamed, first, second, third]), [false, true, true, false]);
        all.end_for_room(u32::MAX);
        assert_eq!(given_way(&[streamed, third]), [false, true]);
    }
}
