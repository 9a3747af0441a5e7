use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{SendError, Sender, TrySendError};
use stats::{Metrics, Outcome, Queue};

/// The sending end of a bounded channel that tells how full it is and how long its senders waited.
#[derive(Debug)]
pub(crate) struct Metered<T> {
    sender: Sender<T>,
    queue: Queue,
    metrics: Arc<Metrics>,
    blocked_nanos: Arc<AtomicU64>,
}

/// The way back: to the stats thread, which outlives all senders.
pub(crate) type Outcomes = Metered<Outcome>;

impl<T> Metered<T> {
    pub(crate) fn new(queue: Queue, sender: Sender<T>, metrics: Arc<Metrics>) -> Self {
        Self { sender, queue, metrics, blocked_nanos: Arc::default() }
    }

    /// Hands an item over; waits while the channel is full. Gives it back if nobody receives any more.
    pub(crate) fn send(&self, item: T) -> Result<(), SendError<T>> {
        let sent = match self.sender.try_send(item) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(item)) => Err(SendError(item)),
            Err(TrySendError::Full(item)) => {
                let since = Instant::now();
                let sent = self.sender.send(item);
                let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.blocked_nanos.fetch_add(nanos, Relaxed);
                sent
            }
        };
        let capacity = self.sender.capacity().unwrap_or(0);
        let blocked = Duration::from_nanos(self.blocked_nanos.load(Relaxed));
        self.metrics.observe_queue(self.queue, self.sender.len(), capacity, blocked);
        sent
    }
}

impl Outcomes {
    /// Tells the stats thread of an outcome; waits while it is behind.
    pub(crate) fn push(&self, outcome: Outcome) {
        let _ = self.send(outcome);
    }
}

impl<T> Clone for Metered<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            queue: self.queue,
            metrics: Arc::clone(&self.metrics),
            blocked_nanos: Arc::clone(&self.blocked_nanos),
        }
    }
}
