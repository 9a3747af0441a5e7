//! What one device may take of the server, so that one that hangs leaves the rest to the others.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use swift_types::DeviceName;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tracing::error;
use warp::http::StatusCode;

use crate::{
    answer::Answer,
    coming::{ComingBodies, Told},
};

/// For how long all that a device may have at work may be at it without one coming to its end, before others are told so
/// instead of waiting: less than their `node_timeout`.
const STILL: Duration = Duration::from_secs(5);

/// The share of each device: half of the threads and half of the places to wait, rounded up, and room for bodies.
///
/// A system call on a disk that hangs does not return, so its thread is lost until the disk comes back. Nothing is held of
/// a device without requests in hand.
pub(crate) struct DeviceShares {
    /// Requests in hand of one device.
    places: usize,
    /// Those of them that are worked on.
    turns: usize,
    /// What their bodies may take of the [`Room`](crate::room::Room).
    room: usize,
    devices: Mutex<HashMap<DeviceName, InHand>>,
    left: Notify,
}

struct InHand {
    requests: usize,
    progress: Arc<Progress>,
}

/// How the requests of a device get on.
struct Progress {
    turns: Arc<Semaphore>,
    room: Arc<Semaphore>,
    /// When a turn began or ended last.
    moved: Mutex<Instant>,
    /// Whether the log says that others are refused.
    told: AtomicBool,
}

/// The place of a request among those of its device, for as long as anything works on it: also when the peer has gone.
pub(crate) struct DevicePlace {
    pub(crate) device: DeviceName,
    shares: Arc<DeviceShares>,
    progress: Arc<Progress>,
}

/// A request being worked on.
pub(crate) struct DeviceTurn {
    place: Arc<DevicePlace>,
    _permit: OwnedSemaphorePermit,
}

impl DeviceShares {
    /// Of `threads` that work, a `queue` of requests that wait, and so much room for bodies for each device.
    pub(crate) fn of(threads: usize, queue: usize, room: usize) -> Self {
        let turns = threads.div_ceil(2);
        let places = turns + queue.div_ceil(2);
        Self { places, turns, room, devices: Mutex::default(), left: Notify::new() }
    }

    /// A place for one more request, for which a body on its way may have to give way until then; the error is the 503 for one
    /// too many.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        device: &DeviceName,
        coming: &ComingBodies,
        until: Instant,
    ) -> Result<Arc<DevicePlace>, Answer> {
        let entering = async {
            loop {
                // Made before the look, so that it misses nobody.
                let left = self.left.notified();
                match self.try_enter(device) {
                    Ok(place) => return place,
                    Err(_) => left.await,
                }
            }
        };
        let brings = |told: &Told| u32::from(told.is_for(device));
        match coming.make_way(1, brings, until, entering).await {
            Some(place) => Ok(place),
            None => self.enter_at_once(device),
        }
    }

    /// As [`enter`](Self::enter), and nobody gives way for it.
    pub(crate) fn enter_at_once(self: &Arc<Self>, device: &DeviceName) -> Result<Arc<DevicePlace>, Answer> {
        self.try_enter(device).map_err(|full| full.answer(device))
    }

    fn try_enter(self: &Arc<Self>, device: &DeviceName) -> Result<Arc<DevicePlace>, Full> {
        let mut devices = self.lock();
        let in_hand = devices.entry(device.clone()).or_insert_with(|| InHand {
            requests: 0,
            progress: Arc::new(Progress::new(self.turns, self.room)),
        });
        let progress = Arc::clone(&in_hand.progress);
        if in_hand.requests == self.places {
            return Err(Full { progress, places: self.places });
        }
        in_hand.requests += 1;
        Ok(Arc::new(DevicePlace { device: device.clone(), shares: Arc::clone(self), progress }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceName, InHand>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A device that has no place.
struct Full {
    progress: Arc<Progress>,
    places: usize,
}

impl Full {
    fn answer(self, device: &DeviceName) -> Answer {
        self.progress.refuse(device, &format!("has {} requests in hand", self.places))
    }
}

impl DevicePlace {
    /// What its device has left of the [`Room`](crate::room::Room).
    pub(crate) fn room(&self) -> &Arc<Semaphore> {
        &self.progress.room
    }

    /// Waits for its turn; the error is the 503 where the device does not get on.
    pub(crate) async fn turn(self: &Arc<Self>) -> Result<DeviceTurn, Answer> {
        let progress = &self.progress;
        let mut waiting = pin!(Arc::clone(&progress.turns).acquire_owned());
        let mut patience = Duration::ZERO;
        let permit = loop {
            match timeout(patience, &mut waiting).await {
                Ok(permit) => break permit.map_err(|_| Answer::empty(StatusCode::SERVICE_UNAVAILABLE))?,
                Err(_) if progress.is_still() => {
                    let why = format!("has ended none of {} requests for {STILL:?}", self.shares.turns);
                    return Err(progress.refuse(&self.device, &why));
                }
                Err(_) => patience = STILL,
            }
        };
        progress.has_moved();
        Ok(DeviceTurn { place: Arc::clone(self), _permit: permit })
    }
}

impl Drop for DevicePlace {
    fn drop(&mut self) {
        let mut devices = self.shares.lock();
        if let Some(in_hand) = devices.get_mut(&self.device) {
            in_hand.requests -= 1;
            if in_hand.requests == 0 {
                devices.remove(&self.device);
            }
        }
        drop(devices);
        self.shares.left.notify_waiters();
    }
}

impl Drop for DeviceTurn {
    fn drop(&mut self) {
        self.place.progress.has_moved();
    }
}

impl Progress {
    fn new(turns: usize, room: usize) -> Self {
        let [turns, room] = [turns, room].map(|permits| Arc::new(Semaphore::new(permits)));
        Self { turns, room, moved: Mutex::new(Instant::now()), told: AtomicBool::new(false) }
    }

    fn has_moved(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn is_still(&self) -> bool {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).elapsed() >= STILL
    }

    /// Says so once, until the device has no more requests in hand.
    fn refuse(&self, device: &DeviceName, why: &str) -> Answer {
        if !self.told.swap(true, Ordering::Relaxed) {
            error!(
                "ERROR {device} {why}, as many as one device may: others for it get 503; look at that disk"
            );
        }
        Answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("{device} {why}\n"))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn device(name: &str) -> DeviceName {
        name.parse().unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + STILL
    }

    async fn enter(shares: &Arc<DeviceShares>, name: &str) -> Result<Arc<DevicePlace>, Answer> {
        shares.enter(&device(name), &ComingBodies::default(), soon()).await
    }

    #[tokio::test]
    async fn a_device_has_half_and_leaves_nothing_behind() {
        let shares = Arc::new(DeviceShares::of(3, 2, 0));
        let mut all = Vec::new();
        for _ in 0..3 {
            all.push(enter(&shares, "a").await.unwrap());
        }
        let refused = enter(&shares, "a").await.map(drop).unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        drop(enter(&shares, "b").await.unwrap());
        assert_eq!(shares.lock().len(), 1);
        drop(all);
        assert!(shares.lock().is_empty());
    }

    #[tokio::test]
    async fn where_nothing_gets_on_nobody_waits() {
        let shares = Arc::new(DeviceShares::of(1, 4, 0));
        let place = enter(&shares, "a").await.unwrap();
        let turn = place.turn().await.unwrap();
        let long_ago = Instant::now().checked_sub(STILL).unwrap();
        *place.progress.moved.lock().unwrap() = long_ago;
        let refused = place.turn().await.map(drop).unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        drop(turn);
        drop(place.turn().await.unwrap());
    }

    #[tokio::test]
    async fn a_turn_is_waited_for_while_others_end() {
        let shares = Arc::new(DeviceShares::of(1, 4, 0));
        let place = enter(&shares, "a").await.unwrap();
        let first = place.turn().await.unwrap();
        let waiter = Arc::clone(&place);
        let second = tokio::spawn(async move { waiter.turn().await.map(drop) });
        drop(first);
        second.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_body_on_its_way_to_the_device_gives_its_place() {
        let shares = Arc::new(DeviceShares::of(1, 0, 0));
        let coming = Arc::new(ComingBodies::default());
        let held = enter(&shares, "a").await.unwrap();
        let [elsewhere, body, next] = ["b", "a", "a"].map(|name| coming.begin(Some(&device(name)), 0));
        let name = device("a");
        coming.grow_older(STILL);
        let (entered, ()) = tokio::join!(shares.enter(&name, &coming, soon()), async {
            body.gives_way().await;
            // Another is quicker, which is no reason to end one more.
            drop(held);
            let quicker = shares.enter_at_once(&name).unwrap();
            tokio::task::yield_now().await;
            drop(quicker);
        });
        entered.unwrap();
        let [elsewhere, next] = [&elsewhere, &next].map(|body| body.gives_way().now_or_never());
        assert_eq!([elsewhere, next], [None; 2]);
    }

    #[tokio::test]
    async fn who_enters_at_once_or_not_at_all_ends_no_body() {
        let (shares, coming) = (Arc::new(DeviceShares::of(1, 0, 0)), Arc::new(ComingBodies::default()));
        let held = enter(&shares, "a").await.unwrap();
        let body = coming.begin(Some(&device("a")), 0);
        coming.grow_older(STILL);
        let refused = shares.enter_at_once(&device("a")).map(drop).unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body.gives_way().now_or_never(), None);
        drop(held);
        shares.enter_at_once(&device("a")).unwrap();
    }
}
