//! Bodies that are on their way, and which of them gives way to a request that finds no place.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use swift_types::DeviceName;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

/// For how long a body has not come on before it gives way: a peer that is sending is not cut off for one that comes.
const STILL: Duration = Duration::from_secs(1);
/// How much of a body comes before it counts as having come on: one that brings a byte now and then is still, too.
const A_STEP: usize = 16 << 10;

/// Every body that is being waited for.
///
/// A request has its place from its head on, and a body may take as long as it brings something now and then. So clients
/// that send half a body, or one byte after the other, would keep everybody else out; instead they give way, one for each
/// request that comes, the one first that has not come on for longest. Where nobody waits none has to. What has come and waits
/// for our disk is none of them.
#[derive(Debug, Default)]
pub(crate) struct ComingBodies(Mutex<Coming>);

#[derive(Debug, Default)]
struct Coming {
    begun: u64,
    bodies: BTreeMap<u64, OnItsWay>,
}

#[derive(Debug)]
struct OnItsWay {
    told: Told,
    /// Since when it has not come on; what our disk took is left out.
    since: Instant,
    /// What has come since then, in bytes.
    brought: usize,
    /// Since when it waits for our disk, if it does.
    held_up: Option<Instant>,
}

/// What is known of a body on its way.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    device: Option<DeviceName>,
    /// What it takes of the [`Room`](crate::room::Room).
    pub(crate) room: u32,
    gives_way: CancellationToken,
}

impl Told {
    pub(crate) fn is_for(&self, device: &DeviceName) -> bool {
        self.device.as_ref() == Some(device)
    }
}

/// One body on its way; it is so no more when this is dropped.
#[derive(Debug)]
pub(crate) struct ComingBody {
    all: Arc<ComingBodies>,
    number: u64,
    told: Told,
}

/// What comes of asking for a body that gives way.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// One does, which brings so much of what is lacking.
    Gives(u32),
    /// None has been still for long enough before then, or those that were leave just now.
    Later(Instant),
    /// None is on its way.
    None,
}

impl ComingBodies {
    /// A body is on its way, for one device if it is about one, and into so much room.
    pub(crate) fn begin(self: &Arc<Self>, device: Option<&DeviceName>, room: u32) -> ComingBody {
        let told = Told { device: device.cloned(), room, gives_way: CancellationToken::new() };
        let number = self.lock().add(told.clone());
        ComingBody { all: Arc::clone(self), number, told }
    }

    /// Waits until then for what `freed` waits for. Bodies give way for it that bring something of what is `lacking`, as soon as
    /// they have been still for long enough, and as few as will do. None where it is not free in time, or, while it still lacks
    /// something, no such body is on its way.
    pub(crate) async fn make_way<T>(
        &self,
        mut lacking: u32,
        brings: impl Fn(&Told) -> u32,
        until: Instant,
        freed: impl Future<Output = T>,
    ) -> Option<T> {
        let mut freed = pin!(freed);
        if let Some(free) = freed.as_mut().now_or_never() {
            return Some(free);
        }
        while lacking > 0 {
            // The lock is given back before anything is waited for.
            let asked = self.lock().ask(&brings);
            match asked {
                Asked::Gives(brought) => lacking = lacking.saturating_sub(brought),
                Asked::None => return None,
                Asked::Later(at) => tokio::select! {
                    free = freed.as_mut() => return Some(free),
                    () = sleep_until(at.min(until)) => if Instant::now() >= until { return None },
                },
            }
        }
        timeout_at(until, freed).await.ok()
    }

    /// As if so much time had passed.
    #[cfg(test)]
    pub(crate) fn grow_older(&self, by: Duration) {
        for body in self.lock().bodies.values_mut() {
            body.since -= by;
            body.held_up = body.held_up.map(|since| since - by);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Coming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coming {
    fn add(&mut self, told: Told) -> u64 {
        self.begun += 1;
        let body = OnItsWay { told, since: Instant::now(), brought: 0, held_up: None };
        self.bodies.insert(self.begun, body);
        self.begun
    }

    /// Has the one that has been still for longest give way, of those that bring something.
    fn ask(&self, brings: impl Fn(&Told) -> u32) -> Asked {
        let now = Instant::now();
        let meant = self.bodies.values().filter(|body| body.held_up.is_none());
        let meant = meant.map(|body| (brings(&body.told), body)).filter(|(brought, _)| *brought > 0);
        // The place of one that was told already is free in a moment, for whoever waits for it.
        let (leaving, staying): (Vec<_>, Vec<_>) =
            meant.partition(|(_, body)| body.told.gives_way.is_cancelled());
        match staying.into_iter().min_by_key(|(_, body)| body.since) {
            Some((brought, body)) if body.since + STILL <= now => {
                body.told.gives_way.cancel();
                Asked::Gives(brought)
            }
            Some((_, body)) => Asked::Later(body.since + STILL),
            None if leaving.is_empty() => Asked::None,
            None => Asked::Later(now + STILL),
        }
    }
}

impl OnItsWay {
    fn has_brought(&mut self, bytes: usize, now: Instant) {
        self.brought = self.brought.saturating_add(bytes);
        if self.brought >= A_STEP {
            (self.since, self.brought) = (now, 0);
        }
    }

    fn goes_on(&mut self, now: Instant) {
        if let Some(held_up) = self.held_up.take() {
            self.since += now.saturating_duration_since(held_up);
        }
    }
}

impl ComingBody {
    /// So many bytes of it have come.
    pub(crate) fn has_brought(&self, bytes: usize) {
        self.change(|body| body.has_brought(bytes, Instant::now()));
    }

    /// It waits for our disk, until it goes on.
    pub(crate) fn is_held_up(&self) {
        self.change(|body| body.held_up = Some(Instant::now()));
    }

    /// More of it is waited for.
    pub(crate) fn goes_on(&self) {
        self.change(|body| body.goes_on(Instant::now()));
    }

    /// What has to give way comes on no more, and nobody waits for it.
    fn change(&self, change: impl FnOnce(&mut OnItsWay)) {
        let mut coming = self.all.lock();
        if self.told.gives_way.is_cancelled() {
            coming.bodies.remove(&self.number);
        } else if let Some(body) = coming.bodies.get_mut(&self.number) {
            change(body);
        }
    }

    /// Done when it has to give way.
    pub(crate) async fn gives_way(&self) {
        self.told.gives_way.cancelled().await;
    }
}

impl Drop for ComingBody {
    fn drop(&mut self) {
        self.all.lock().bodies.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn given_way(bodies: &[&ComingBody]) -> Vec<bool> {
        bodies.iter().map(|body| body.told.gives_way.is_cancelled()).collect()
    }

    fn ask(all: &ComingBodies) -> Asked {
        all.lock().ask(|_| 1)
    }

    #[tokio::test]
    async fn the_one_that_has_not_come_on_for_longest_gives_way_once() {
        let all = Arc::new(ComingBodies::default());
        let (first, second, third) = (all.begin(None, 0), all.begin(None, 0), all.begin(None, 0));
        first.has_brought(A_STEP);
        all.grow_older(STILL);
        assert_eq!(ask(&all), Asked::Gives(1));
        assert_eq!(given_way(&[&first, &second, &third]), [false, true, false]);
        drop(third);
        assert_eq!(ask(&all), Asked::Gives(1));
        assert!(matches!(ask(&all), Asked::Later(_)), "each only once, and both leave");
        first.has_brought(A_STEP);
        drop(second);
        assert_eq!(ask(&all), Asked::None, "what has to give way comes on no more");
    }

    #[tokio::test]
    async fn who_is_sending_gives_way_to_nobody() {
        let all = Arc::new(ComingBodies::default());
        let body = all.begin(None, 0);
        for _ in 0..9 {
            all.grow_older(STILL / 2);
            assert!(matches!(ask(&all), Asked::Later(_)));
            // In chunks, as it comes.
            (0..4).for_each(|_| body.has_brought(A_STEP / 4));
        }
        body.is_held_up();
        all.grow_older(STILL);
        assert_eq!(ask(&all), Asked::None, "our disk is not its fault");
        body.goes_on();
        assert!(matches!(ask(&all), Asked::Later(_)), "nor is the time that it took");
        assert_eq!(given_way(&[&body]), [false]);
    }

    #[tokio::test]
    async fn who_brings_a_byte_now_and_then_grows_old() {
        let all = Arc::new(ComingBodies::default());
        let (trickling, streamed, sending) = (all.begin(None, 0), all.begin(None, 0), all.begin(None, 0));
        for _ in 0..2 {
            all.grow_older(STILL.mul_f32(0.6));
            trickling.has_brought(1);
            streamed.has_brought(1);
            streamed.is_held_up();
            streamed.goes_on();
            sending.has_brought(A_STEP);
        }
        assert_eq!(given_way(&[&trickling, &streamed, &sending]), [false; 3], "nobody waits");
        assert_eq!([ask(&all), ask(&all)], [Asked::Gives(1), Asked::Gives(1)]);
        assert!(matches!(ask(&all), Asked::Later(_)));
        assert_eq!(given_way(&[&trickling, &streamed, &sending]), [true, true, false]);
    }

    #[tokio::test]
    async fn as_few_give_way_as_will_do_and_only_those_meant() {
        let all = Arc::new(ComingBodies::default());
        let device: DeviceName = "a".parse().unwrap();
        let of_a = |room| all.begin(Some(&device), room);
        let bodies = [of_a(0), all.begin(None, 2), of_a(2), of_a(2), of_a(2)];
        let brings = |told: &Told| if told.is_for(&device) { told.room } else { 0 };
        let until = Instant::now() + 60 * STILL;
        all.grow_older(STILL);
        let freed = all.make_way(3, brings, until, bodies[3].gives_way()).await;
        assert_eq!(freed, Some(()));
        let [streamed, elsewhere, first, second, third] = &bodies;
        assert_eq!(
            given_way(&[streamed, elsewhere, first, second, third]),
            [false, false, true, true, false]
        );
    }

    #[tokio::test]
    async fn one_gives_way_and_the_time_is_that_of_the_request() {
        let all = Arc::new(ComingBodies::default());
        let (first, second) = (all.begin(None, 0), all.begin(None, 0));
        all.grow_older(STILL);
        let (over, far) = (Instant::now(), Instant::now() + 60 * STILL);
        let at_once = |brings: u32| all.make_way(1, move |_| brings, far, pending::<()>()).now_or_never();
        assert_eq!(at_once(1), None);
        assert_eq!(given_way(&[&first, &second]), [true, false]);
        assert_eq!(all.make_way(0, |_| 1, over, pending::<()>()).await, None);
        assert_eq!(at_once(0), Some(None), "nobody can, so that is not waited for");
        assert_eq!(all.make_way(1, |_| 1, over, async { 7 }).await, Some(7));
        assert_eq!(given_way(&[&first, &second]), [true, false]);
    }

    #[tokio::test]
    async fn who_is_not_still_for_long_enough_is_waited_for() {
        let all = Arc::new(ComingBodies::default());
        let body = all.begin(None, 0);
        all.grow_older(STILL.mul_f32(0.9));
        let until = Instant::now() + 60 * STILL;
        let mut waits = pin!(all.make_way(1, |_| 1, until, pending::<()>()));
        assert_eq!(waits.as_mut().now_or_never(), None);
        assert_eq!(given_way(&[&body]), [false]);
        body.has_brought(A_STEP);
        all.grow_older(STILL.mul_f32(0.9));
        tokio::select! {
            _ = waits => {}
            () = body.gives_way() => {}
        }
        assert_eq!(given_way(&[&body]), [true]);
    }
}
