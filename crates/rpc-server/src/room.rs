//! Memory for the bodies of requests, all of them together.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use warp::http::StatusCode;

use crate::{answer::Answer, coming::ComingBodies};

/// So many of the largest bodies find room at once.
const LARGEST_BODIES: usize = 4;
/// What room is counted in, bytes.
const UNIT: usize = 1024;
/// How long a request waits for those that give way to it: less than a peer's `node_timeout`.
pub(crate) const WAIT: Duration = Duration::from_secs(5);

/// Room for bodies in memory. It is taken for a whole body before any of it is read, so that no two wait for each other.
#[derive(Debug)]
pub(crate) struct Room {
    units: Arc<Semaphore>,
    coming: Arc<ComingBodies>,
}

/// The room that a body takes, until this is dropped.
#[derive(Debug)]
pub(crate) struct Taken(OwnedSemaphorePermit);

impl Taken {
    /// How much that is, as [`ComingBodies`] counts it.
    pub(crate) fn units(&self) -> u32 {
        u32::try_from(self.0.num_permits()).unwrap_or(u32::MAX)
    }
}

impl Room {
    /// Room for four bodies of this size, bytes.
    pub(crate) fn for_bodies_of(largest: usize, coming: Arc<ComingBodies>) -> Self {
        let units = (units(largest) as usize * LARGEST_BODIES).min(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(units)), coming }
    }

    /// Takes room for `bytes`; bodies on their way give way for it. The error is the 503 where there is none in time.
    pub(crate) async fn take(&self, bytes: usize) -> Result<Taken, Answer> {
        let wanted = units(bytes);
        if let Ok(room) = Arc::clone(&self.units).try_acquire_many_owned(wanted) {
            return Ok(Taken(room));
        }
        self.coming.end_for_room(wanted);
        match timeout(WAIT, Arc::clone(&self.units).acquire_many_owned(wanted)).await {
            Ok(Ok(room)) => Ok(Taken(room)),
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
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_brings_nothing_gives_way_and_what_is_worked_on_does_not() {
        let coming = Arc::new(ComingBodies::default());
        let room = Room::for_bodies_of(2 * UNIT, Arc::clone(&coming));
        let half = room.take(7 * UNIT).await.unwrap();
        assert_eq!(half.units(), 7);
        let body = coming.begin(None, half.units());
        let (whole, ()) = tokio::join!(room.take(2 * UNIT), async {
            body.gives_way().await;
            drop(half);
        });
        drop(body);
        assert!(room.take(7 * UNIT).now_or_never().is_none(), "nobody is on the way any more");
        drop(whole);
        drop(room.take(8 * UNIT).await.unwrap());
    }
}
