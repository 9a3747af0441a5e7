use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, select};

use crate::{DbTask, RateLimit, Walk, WalkEvent, device_walk::Step};

/// Why a walk came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkEnd {
    /// Every directory was looked at.
    Complete,
    /// It was told to stop; what was sent may still be in the channel.
    Stopped,
    /// Nobody is left to receive.
    Abandoned,
}

/// What a running walk has done so far. Shared and read while it runs.
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

    /// The time spent waiting for a place in a full channel; waits for the rate limit are not in it.
    pub fn blocked(&self) -> Duration {
        Duration::from_nanos(self.blocked_nanos.load(Relaxed))
    }

    fn add_blocked(&self, since: Instant) {
        let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.blocked_nanos.fetch_add(nanos, Relaxed);
    }
}

/// Walks and sends every database found, until the walk is over, `stop` says so or no receiver is left.
///
/// Blocks on the disk, on a full channel and on the rate. `stop` ends the two latter at once and the former
/// at the next directory: send it a message or drop its sender (dropping is what reaches several receivers
/// of one channel; [`crossbeam_channel::never`] never stops). Whatever else happens is told to `on_event` as
/// it comes and costs nothing of the rate.
pub fn run(
    mut walk: Walk,
    mut rate: RateLimit,
    tasks: &Sender<DbTask>,
    stop: &Receiver<()>,
    meter: &WalkMeter,
    mut on_event: impl FnMut(WalkEvent),
) -> WalkEnd {
    loop {
        if stop.try_recv() != Err(TryRecvError::Empty) {
            return WalkEnd::Stopped;
        }
        let task = match walk.step() {
            Step::Done => return WalkEnd::Complete,
            Step::Barren => continue,
            Step::Event(event) => {
                if matches!(event, WalkEvent::Fault(_)) {
                    meter.faults.fetch_add(1, Relaxed);
                }
                on_event(event);
                continue;
            }
            Step::Found(task) => task,
        };
        let wait = rate.wait(Instant::now());
        if !wait.is_zero() && stop.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return WalkEnd::Stopped;
        }
        if let Err(end) = send(task, tasks, stop, meter) {
            return end;
        }
    }
}

fn send(task: DbTask, tasks: &Sender<DbTask>, stop: &Receiver<()>, meter: &WalkMeter) -> Result<(), WalkEnd> {
    let task = match tasks.try_send(task) {
        Ok(()) => {
            meter.sent.fetch_add(1, Relaxed);
            return Ok(());
        }
        Err(TrySendError::Disconnected(_)) => return Err(WalkEnd::Abandoned),
        Err(TrySendError::Full(task)) => task,
    };
    let since = Instant::now();
    let sent = select! {
        send(tasks, task) -> sent => sent.map_err(|_| WalkEnd::Abandoned),
        recv(stop) -> _ => Err(WalkEnd::Stopped),
    };
    meter.add_blocked(since);
    sent.inspect(|()| {
        meter.sent.fetch_add(1, Relaxed);
    })
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::Arc};

    use crossbeam_channel::bounded;

    use super::*;
    use crate::{DeviceTree, Placement};

    #[test]
    fn waiting_for_a_place_is_metered_and_not_counted_as_sent() {
        let device = DeviceTree { name: "a".parse().unwrap(), id: 0, datadir: PathBuf::new() };
        let digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let (db_file, placement) = (PathBuf::new(), Placement::Right);
        let task = DbTask { device: Arc::new(device), partition: 0, digest, db_file, placement };
        let (tasks, workers) = bounded(1);
        let (stop, stopped) = bounded::<()>(0);
        let meter = WalkMeter::default();
        assert_eq!(send(task.clone(), &tasks, &stopped, &meter), Ok(()));
        assert_eq!((meter.sent(), meter.blocked()), (1, Duration::ZERO));
        drop(stop);
        assert_eq!(send(task, &tasks, &stopped, &meter), Err(WalkEnd::Stopped));
        assert_eq!((meter.sent(), workers.len()), (1, 1));
        assert!(meter.blocked() > Duration::ZERO);
    }
}
