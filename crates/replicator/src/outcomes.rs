use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Sender, TrySendError};
use stats::{Metrics, Outcome, Queue};

/// The way back: a bounded, metered channel to the stats thread.
#[derive(Clone, Debug)]
pub(crate) struct Outcomes {
    sender: Sender<Outcome>,
    metrics: Arc<Metrics>,
    blocked_nanos: Arc<AtomicU64>,
}

impl Outcomes {
    pub(crate) fn new(sender: Sender<Outcome>, metrics: Arc<Metrics>) -> Self {
        Self { sender, metrics, blocked_nanos: Arc::default() }
    }

    /// Hands an outcome over; waits while the channel is full. The stats thread outlives all senders.
    pub(crate) fn push(&self, outcome: Outcome) {
        if let Err(TrySendError::Full(outcome)) = self.sender.try_send(outcome) {
            let since = Instant::now();
            let _ = self.sender.send(outcome);
            let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.blocked_nanos.fetch_add(nanos, Relaxed);
        }
        let capacity = self.sender.capacity().unwrap_or(0);
        let blocked = Duration::from_nanos(self.blocked_nanos.load(Relaxed));
        self.metrics.observe_queue(Queue::Outcomes, self.sender.len(), capacity, blocked);
    }
}
