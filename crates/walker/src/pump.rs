use std::{
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, Scope, ScopedJoinHandle},
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, select};
use rand::rngs::StdRng;

use crate::{
    DbTask, Hands, HeldAt, Lanes, Pace, PartitionTurns, Walk, WalkEvent, WalkMeter,
    brake::{Brake, Ruling},
    device_walk::{DeviceWalk, Step},
    reclaim_tmp,
};

/// Why a walk came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkEnd {
    /// Every directory was looked at.
    Complete,
    /// It was told to stop; what was sent may still be in the channel.
    Stopped,
    /// Nobody is left to receive the databases of a device.
    Abandoned,
}

/// Walks each device on a thread of its own and sends every database found into its lane, until the last device is walked,
/// `stop` says so or a device's lane has no receiver left.
///
/// Blocks until the last of the threads has ended. Each blocks on its disk, on a full lane and on `pace`; a device that
/// hangs holds up no other one, only the end of the walk and what the brake holds back until then. `stop` ends the waits for
/// the channel and the pace at once and the walk of a device at its next directory: drop its sender
/// ([`crossbeam_channel::never`] never stops). Whatever else happens is told to `on_event` as it comes, by one thread at a
/// time, and costs nothing of the pace.
///
/// # Panics
/// When a device's thread has, or cannot be had; the others are waited for.
pub fn run(
    walk: Walk,
    pace: &Pace,
    lanes: &Lanes,
    stop: &Receiver<()>,
    meter: &WalkMeter,
    on_event: impl FnMut(WalkEvent) + Send,
) -> WalkEnd {
    let Walk { devices, turns, brake, tmp_before, hands } = walk;
    let (brake, on_event) = (brake.map(Mutex::new), Mutex::new(on_event));
    let way = Way { turns, brake, tmp_before, hands, pace, lanes, stop, meter, on_event };
    let walked = thread::scope(|threads| {
        let started: Vec<_> = devices.into_iter().map(|device| way.start(threads, device)).collect();
        let ends =
            started.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        ends.fold(Ok(()), Result::and)
    });
    let ended = walked.and_then(|()| way.release_misplaced());
    ended.map_or_else(|end| end, |()| WalkEnd::Complete)
}

/// What the threads of a walk share: the way of a database from its directory to the workers.
struct Way<'a, F> {
    turns: PartitionTurns,
    brake: Option<Mutex<Brake>>,
    tmp_before: Option<SystemTime>,
    hands: Arc<Hands>,
    pace: &'a Pace,
    lanes: &'a Lanes,
    stop: &'a Receiver<()>,
    meter: &'a WalkMeter,
    on_event: Mutex<F>,
}

impl<F: FnMut(WalkEvent) + Send> Way<'_, F> {
    /// The name of its thread shows an operator which disk hangs.
    fn start<'scope>(
        &'scope self,
        threads: &'scope Scope<'scope, '_>,
        (device, dice): (DeviceWalk, StdRng),
    ) -> ScopedJoinHandle<'scope, Result<(), WalkEnd>> {
        let thread = thread::Builder::new().name(format!("walk {}", device.name()));
        thread.spawn_scoped(threads, move || self.walk(device, dice)).expect("a thread for each device")
    }

    /// One device to its end; the error is why it did not come to it.
    fn walk(&self, mut device: DeviceWalk, mut dice: StdRng) -> Result<(), WalkEnd> {
        self.go_on()?;
        self.reclaim_tmp(&device);
        loop {
            self.go_on()?;
            match self.hands.hold(device.id(), HeldAt::Directories, || device.step(&self.turns, &mut dice)) {
                Step::Done => return Ok(()),
                Step::Barren => {}
                Step::Event(event) => self.tell(event),
                Step::Found(task) => self.judge(task)?,
            }
        }
    }

    fn reclaim_tmp(&self, device: &DeviceWalk) {
        let device_dir = device.device_dir();
        if let Some(before) = self.tmp_before
            && let Err(source) =
                self.hands.hold(device.id(), HeldAt::Directories, || reclaim_tmp(device_dir, before))
        {
            self.tell(WalkEvent::TmpNotReclaimed { device_dir: device_dir.to_owned(), source });
        }
    }

    fn go_on(&self) -> Result<(), WalkEnd> {
        match self.stop.try_recv() {
            Err(TryRecvError::Empty) => Ok(()),
            _ => Err(WalkEnd::Stopped),
        }
    }

    fn tell(&self, event: WalkEvent) {
        if matches!(event, WalkEvent::Fault(_)) {
            self.meter.add_fault();
        }
        let mut on_event = self.on_event.lock().unwrap_or_else(PoisonError::into_inner);
        on_event(event);
    }

    fn judge(&self, task: DbTask) -> Result<(), WalkEnd> {
        let ruling = match &self.brake {
            Some(brake) => brake.lock().unwrap_or_else(PoisonError::into_inner).judge(task),
            None => return self.send(task),
        };
        self.follow(ruling)
    }

    /// Nothing more will be found on any device.
    fn release_misplaced(&self) -> Result<(), WalkEnd> {
        let Some(brake) = &self.brake else { return Ok(()) };
        let ruling = brake.lock().unwrap_or_else(PoisonError::into_inner).release();
        self.follow(ruling)
    }

    fn follow(&self, ruling: Ruling) -> Result<(), WalkEnd> {
        match ruling {
            Ruling::Send(tasks) => return tasks.into_iter().try_for_each(|task| self.send(task)),
            Ruling::Set(found, tasks) => {
                self.tell(WalkEvent::MassMisplacement(found));
                for task in tasks {
                    self.tell(WalkEvent::LeftAlone(task));
                }
            }
            Ruling::LeftAlone(task) => self.tell(WalkEvent::LeftAlone(task)),
        }
        Ok(())
    }

    /// When its turn has come.
    fn send(&self, task: DbTask) -> Result<(), WalkEnd> {
        self.go_on()?;
        let device = task.device.id;
        self.wait(device, self.pace.wait_for_device(device, Instant::now()))?;
        self.wait(device, self.pace.wait_for_process(Instant::now()))?;
        let lane = self.lanes.of(device).ok_or(WalkEnd::Abandoned)?;
        send(task, lane, self.stop, self.meter)
    }

    fn wait(&self, device: u64, time: Duration) -> Result<(), WalkEnd> {
        if time.is_zero() {
            return Ok(());
        }
        match self.hands.wait(device, || self.stop.recv_timeout(time)) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            _ => Err(WalkEnd::Stopped),
        }
    }
}

fn send(task: DbTask, tasks: &Sender<DbTask>, stop: &Receiver<()>, meter: &WalkMeter) -> Result<(), WalkEnd> {
    let task = match tasks.try_send(task) {
        Ok(()) => {
            meter.add_sent();
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
    sent.inspect(|()| meter.add_sent())
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
