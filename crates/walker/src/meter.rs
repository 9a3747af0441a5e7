use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// What a running walk has done so far, all devices together. Shared and read while it runs.
#[derive(Debug, Default)]
pub struct WalkMeter {
    sent: AtomicU64,
    faults: AtomicU64,
    blocked_nanos: AtomicU64,
}

impl WalkMeter {
    /// Databases handed to the channel.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Directories that could not be walked.
    pub fn faults(&self) -> u64 {
        self.faults.load(Relaxed)
    }

    /// The time spent waiting for a place in a full channel, added up over the threads of the devices; waits for the rate
    /// limits are not in it.
    pub fn blocked(&self) -> Duration {
        Duration::from_nanos(self.blocked_nanos.load(Relaxed))
    }

    pub(crate) fn add_sent(&self) {
        self.sent.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_fault(&self) {
        self.faults.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_blocked(&self, since: Instant) {
        let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.blocked_nanos.fetch_add(nanos, Relaxed);
    }
}
