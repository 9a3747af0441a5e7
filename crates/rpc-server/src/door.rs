//! How many connections may be open, and which gives way to a new one.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Lets connections in, up to a limit. When it is reached, the one that has been idle longest is closed for the next:
/// neither peers that keep connections for later nor clients that say nothing can keep others out.
pub(crate) struct Door {
    limit: usize,
    places: Arc<Semaphore>,
    /// Beside them, for connections that have given way and still send their last answer.
    last_answers: Arc<Semaphore>,
    /// Beside them, for connections that have sent their last answer and are still sent to.
    leaving: Arc<Semaphore>,
    /// Connections without a request in hand, the longest idle first.
    idle: Mutex<BTreeMap<u64, CancellationToken>>,
    turns: AtomicU64,
    became_idle: Notify,
    told: AtomicBool,
}

impl Door {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            places: Arc::new(Semaphore::new(limit)),
            last_answers: Arc::new(Semaphore::new(limit.div_ceil(8))),
            leaving: Arc::new(Semaphore::new(limit.div_ceil(8))),
            idle: Mutex::default(),
            turns: AtomicU64::new(0),
            became_idle: Notify::new(),
            told: AtomicBool::new(false),
        }
    }

    /// A seat for one connection, idle so far. Waits until there is one. May be dropped at any await.
    pub(crate) async fn seat(self: &Arc<Self>) -> Arc<Seat> {
        let place = loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                break place;
            }
            self.tell_once();
            // Made before the look, so that it misses nobody.
            let became_idle = self.became_idle.notified();
            let place = Arc::clone(&self.places).acquire_owned();
            let place = match self.close_longest_idle() {
                Closed::One => place.await.ok(),
                Closed::None => tokio::select! {
                    place = place => place.ok(),
                    () = became_idle => None,
                },
            };
            if let Some(place) = place {
                break place;
            }
        };
        if self.places.available_permits() > self.limit / 4 {
            self.told.store(false, Ordering::Relaxed);
        }
        let seat = Seat {
            door: Arc::clone(self),
            turn: AtomicU64::default(),
            busy: AtomicBool::default(),
            gives_way: CancellationToken::new(),
            place: Mutex::new(Some(place)),
        };
        seat.sit_idle();
        Arc::new(seat)
    }

    /// One line, until a quarter of the places is free again.
    fn tell_once(&self) {
        if !self.told.swap(true, Ordering::Relaxed) {
            warn!(
                "{} connections are open, as many as max_clients allows: the longest idle is closed for each new one",
                self.limit
            );
        }
    }

    /// Closes the longest idle connection, if there is one.
    pub(crate) fn close_longest_idle(&self) -> Closed {
        let longest = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
        longest.map_or(Closed::None, |(_, connection)| {
            connection.cancel();
            Closed::One
        })
    }
}

/// Whether there was an idle connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    One,
    None,
}

/// A connection's place behind the door, given back when this is dropped.
pub(crate) struct Seat {
    door: Arc<Door>,
    /// Its key among the idle, while it is one of them.
    turn: AtomicU64,
    busy: AtomicBool,
    gives_way: CancellationToken,
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Seat {
    /// Done when the connection has to close.
    pub(crate) async fn gives_way(&self) {
        self.gives_way.cancelled().await;
    }

    /// A request is in hand until this is dropped: the connection does not give way.
    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.store(true, Ordering::Relaxed);
        self.rise();
        Busy(Arc::clone(self))
    }

    /// Leaves its place to the next although the connection stays open while this lives; none where too many have done so.
    pub(crate) fn lingers(&self) -> Option<OwnedSemaphorePermit> {
        self.leaves_for(&self.door.last_answers)
    }

    /// As [`lingers`](Self::lingers), behind its last answer.
    pub(crate) fn leaves(&self) -> Option<OwnedSemaphorePermit> {
        self.rise();
        self.leaves_for(&self.door.leaving)
    }

    fn leaves_for(&self, beside: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let stays = Arc::clone(beside).try_acquire_owned().ok()?;
        drop(self.place.lock().unwrap_or_else(PoisonError::into_inner).take());
        Some(stays)
    }

    /// Whether a request is in hand.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    fn sit_idle(&self) {
        if self.gives_way.is_cancelled() {
            return;
        }
        let turn = self.door.turns.fetch_add(1, Ordering::Relaxed);
        self.turn.store(turn, Ordering::Relaxed);
        let mut idle = self.door.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.insert(turn, self.gives_way.clone());
        drop(idle);
        self.door.became_idle.notify_waiters();
    }

    fn rise(&self) {
        let turn = self.turn.load(Ordering::Relaxed);
        self.door.idle.lock().unwrap_or_else(PoisonError::into_inner).remove(&turn);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.rise();
    }
}

/// A request in hand.
pub(crate) struct Busy(Arc<Seat>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Relaxed);
        self.0.sit_idle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gave_way(seat: &Seat) -> bool {
        seat.gives_way.is_cancelled()
    }

    #[tokio::test]
    async fn the_longest_idle_gives_way_and_one_with_a_request_never() {
        let door = Arc::new(Door::new(3));
        let (first, second, third) = (door.seat().await, door.seat().await, door.seat().await);
        let busy = first.busy();
        // It has been answered once, so it is not the longest idle any more.
        drop(second.busy());
        let newcomer = tokio::spawn({
            let door = Arc::clone(&door);
            async move { door.seat().await }
        });
        third.gives_way().await;
        assert_eq!((gave_way(&first), gave_way(&second)), (false, false));
        assert!(!newcomer.is_finished(), "the place is free when the connection has ended");
        drop(third);
        let newcomer = newcomer.await.unwrap();
        assert!(!gave_way(&newcomer) && !gave_way(&first) && !gave_way(&second));
        drop(busy);
    }

    #[tokio::test]
    async fn where_all_are_busy_the_first_to_be_done_gives_way() {
        let door = Arc::new(Door::new(1));
        let only = door.seat().await;
        let busy = only.busy();
        let newcomer = tokio::spawn({
            let door = Arc::clone(&door);
            async move { door.seat().await }
        });
        while !door.told.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        assert!(!gave_way(&only));
        drop(busy);
        only.gives_way().await;
        drop(only);
        drop(newcomer.await.unwrap());
        assert!(door.idle.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_next_does_not_wait_for_last_answers_as_long_as_they_are_few() {
        let door = Arc::new(Door::new(2));
        let (first, second) = (door.seat().await, door.seat().await);
        let lingers = first.lingers();
        assert!(lingers.is_some() && second.lingers().is_none());
        let third = door.seat().await;
        assert_eq!([gave_way(&first), gave_way(&second), gave_way(&third)], [false; 3]);
        drop(lingers);
        assert!(second.lingers().is_some());
    }

    #[tokio::test]
    async fn who_leaves_is_not_asked_for_its_place() {
        let door = Arc::new(Door::new(2));
        let (first, second) = (door.seat().await, door.seat().await);
        let leaves = first.leaves();
        assert!(leaves.is_some() && second.leaves().is_none(), "few do so at once");
        let third = door.seat().await;
        assert_eq!(door.close_longest_idle(), Closed::One);
        assert_eq!([gave_way(&first), gave_way(&third)], [false, true]);
        assert_eq!(door.close_longest_idle(), Closed::None);
    }

    #[tokio::test]
    async fn an_outage_is_told_once() {
        let door = Arc::new(Door::new(4));
        let mut seats = Vec::new();
        for _ in 0..4 {
            seats.push(door.seat().await);
        }
        assert!(!door.told.load(Ordering::Relaxed));
        door.tell_once();
        seats.truncate(3);
        seats.push(door.seat().await);
        assert!(door.told.load(Ordering::Relaxed), "as full as before");
        seats.truncate(1);
        seats.push(door.seat().await);
        assert!(!door.told.load(Ordering::Relaxed), "two of four are free");
    }
}
