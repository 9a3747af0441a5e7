//! Memory for the bodies of requests, all of them together.

use std::{pin::pin, sync::Arc};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use warp::http::StatusCode;

use crate::{
    answer::Answer,
    coming::{ComingBodies, Told},
    device_share::DevicePlace,
};

/// So many of the largest bodies find room at once.
const LARGEST_BODIES: usize = 4;
/// What room is counted in, bytes.
const UNIT: usize = 1024;
/// A body of so few bytes takes none: as many as there are connections take no more than their heads do, and the questions of
/// healthy peers, which are small, do not stand behind large bodies.
const SMALL: usize = 16 * UNIT;

/// Room for bodies in memory, half of it for those of one device. It is taken for a whole body before any of it is read, so that
/// no two wait for each other.
#[derive(Debug)]
pub(crate) struct Room {
    units: Arc<Semaphore>,
    of_a_device: usize,
    small: usize,
    coming: Arc<ComingBodies>,
}

/// The room that a body takes, until this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    of_all: Option<OwnedSemaphorePermit>,
    _of_its_device: Option<OwnedSemaphorePermit>,
}

impl Taken {
    /// How much that is, as [`ComingBodies`] counts it.
    pub(crate) fn units(&self) -> u32 {
        let permits = self.of_all.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        u32::try_from(permits).unwrap_or(u32::MAX)
    }
}

impl Room {
    /// Room for four bodies of this size, bytes.
    pub(crate) fn for_bodies_of(largest: usize, coming: Arc<ComingBodies>) -> Self {
        let of_a_device = (units(largest) as usize * (LARGEST_BODIES / 2)).min(Semaphore::MAX_PERMITS / 2);
        let small = SMALL.min(largest / 16);
        Self { units: Arc::new(Semaphore::new(2 * of_a_device)), of_a_device, small, coming }
    }

    /// What one device may have of it, as [`DevicePlace::room`] holds it.
    pub(crate) fn of_a_device(&self) -> usize {
        self.of_a_device
    }

    /// Takes room for `bytes`, of what the device has if it is for one; bodies on their way give way for what is not free. The
    /// error is the 503 where there is none until then.
    pub(crate) async fn take(
        &self,
        bytes: usize,
        place: Option<&DevicePlace>,
        until: Instant,
    ) -> Result<Taken, Answer> {
        if bytes <= self.small {
            return Ok(Taken { of_all: None, _of_its_device: None });
        }
        let wanted = units(bytes);
        let of_its_device = match place {
            Some(place) => {
                let is_meant = |told: &Told| told.is_for(&place.device);
                Some(self.take_of(place.room(), wanted, is_meant, until).await?)
            }
            None => None,
        };
        let of_all = self.take_of(&self.units, wanted, |_| true, until).await?;
        Ok(Taken { of_all: Some(of_all), _of_its_device: of_its_device })
    }

    async fn take_of(
        &self,
        units: &Arc<Semaphore>,
        wanted: u32,
        is_meant: impl Fn(&Told) -> bool,
        until: Instant,
    ) -> Result<OwnedSemaphorePermit, Answer> {
        let free = u32::try_from(units.available_permits()).unwrap_or(u32::MAX);
        let brings = |told: &Told| if is_meant(told) { told.room } else { 0 };
        let mut room = pin!(Arc::clone(units).acquire_many_owned(wanted));
        let made = self.coming.make_way(wanted.saturating_sub(free), brings, until, room.as_mut()).await;
        let taken = match made {
            Some(taken) => Ok(taken),
            // What is worked on comes to its end.
            None => timeout_at(until, room).await,
        };
        match taken {
            Ok(Ok(room)) => Ok(room),
            Ok(Err(_)) | Err(_) => {
                Err(Answer::text(StatusCode::SERVICE_UNAVAILABLE, "no room for the body\n"))
            }
        }
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::device_share::DeviceShares;

    const LONG: Duration = Duration::from_secs(60);

    fn soon() -> Instant {
        Instant::now() + LONG
    }

    #[tokio::test]
    async fn what_brings_nothing_gives_way_and_what_is_worked_on_does_not() {
        let coming = Arc::new(ComingBodies::default());
        let room = Room::for_bodies_of(2 * UNIT, Arc::clone(&coming));
        let most = room.take(7 * UNIT, None, soon()).await.unwrap();
        assert_eq!(most.units(), 7);
        let body = coming.begin(None, most.units());
        coming.grow_older(LONG);
        let (whole, ()) = tokio::join!(room.take(2 * UNIT, None, soon()), async {
            body.gives_way().await;
            drop(most);
        });
        drop(body);
        assert!(room.take(7 * UNIT, None, soon()).now_or_never().is_none(), "nobody is on the way any more");
        drop(whole);
        drop(room.take(8 * UNIT, None, soon()).await.unwrap());
    }

    #[tokio::test]
    async fn a_small_body_does_not_stand_behind_large_ones() {
        let room = Room::for_bodies_of(32 * UNIT, Arc::default());
        let _all = room.take(128 * UNIT, None, soon()).await.unwrap();
        let mut next = pin!(room.take(2 * UNIT + 1, None, soon()));
        assert!(next.as_mut().now_or_never().is_none());
        assert_eq!(room.take(2 * UNIT, None, soon()).await.unwrap().units(), 0);
    }

    #[tokio::test]
    async fn what_is_free_is_asked_of_nobody() {
        let coming = Arc::new(ComingBodies::default());
        let room = Room::for_bodies_of(2 * UNIT, Arc::clone(&coming));
        let (first, second) = (
            room.take(3 * UNIT, None, soon()).await.unwrap(),
            room.take(3 * UNIT, None, soon()).await.unwrap(),
        );
        let bodies = [&first, &second].map(|taken| coming.begin(None, taken.units()));
        coming.grow_older(LONG);
        let (third, ()) = tokio::join!(room.take(5 * UNIT, None, soon()), async {
            bodies[0].gives_way().await;
            drop(first);
        });
        assert_eq!(third.unwrap().units(), 5);
        assert!(bodies[1].gives_way().now_or_never().is_none(), "two were free already");
    }

    #[tokio::test]
    async fn a_device_has_half_of_it_and_asks_its_own() {
        let coming = Arc::new(ComingBodies::default());
        let room = Room::for_bodies_of(2 * UNIT, Arc::clone(&coming));
        let shares = Arc::new(DeviceShares::of(4, 0, room.of_a_device()));
        let [a, b] = ["a", "b"].map(|name| name.parse().unwrap());
        let place_of = async |device| shares.enter(device, &coming, soon()).await.unwrap();
        let (of_a, of_b) = (place_of(&a).await, place_of(&b).await);
        let at_b = room.take(2 * UNIT, Some(&of_b), soon()).await.unwrap();
        let at_a = room.take(4 * UNIT, Some(&of_a), soon()).await.unwrap();
        let (elsewhere, body) = (coming.begin(Some(&b), at_b.units()), coming.begin(Some(&a), at_a.units()));
        coming.grow_older(LONG);
        let (another, ()) = tokio::join!(room.take(2 * UNIT, Some(&of_a), soon()), async {
            body.gives_way().await;
            drop(at_a);
        });
        drop(another.unwrap());
        assert!(elsewhere.gives_way().now_or_never().is_none());
    }
}
