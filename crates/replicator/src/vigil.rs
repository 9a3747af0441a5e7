//! A pass on a thread of its own, and whoever watches over it: a disk that hangs holds up its end for a while, not for ever.

use std::{
    collections::BTreeSet,
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvError, Sender, bounded, select, select_biased};
use stats::{Outcome, PassStats};
use swift_types::storage_directory;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use walker::{DeviceTree, Hands, HeldAt, Stalled};

use crate::{left_behind::Behind, node::Node, process::Watchdog, standstill::Standstill, stop::Stop};

/// What takes less is shown by no metric: everything takes a while.
const SHOWN_FROM: Duration = Duration::from_secs(5);
/// What takes less, and less than `device_timeout`, is not called hanging: a large file takes a while.
const HANGS_FROM: Duration = Duration::from_secs(60);
/// Whoever counts outcomes does nothing else, so what it has counted comes at once.
const COUNTED_IN: Duration = Duration::from_secs(10);

/// What the threads of a pass share with whoever watches over it.
pub(crate) struct Watch {
    /// Who is at work at which disk.
    pub(crate) hands: Arc<Hands>,
    /// Nothing new is begun: the daemon is told to stop, or the pass has gone to its end without what is left.
    pub(crate) stop: Arc<PassStop>,
    given_up: Receiver<()>,
    counted: Sender<PassStats>,
}

impl Watch {
    /// Outcomes as they come. They end with the last of those who send them, or when the pass ends without these.
    pub(crate) fn outcomes<'a>(
        &'a self,
        outcomes: &'a Receiver<Outcome>,
    ) -> impl Iterator<Item = Outcome> + 'a {
        std::iter::from_fn(move || {
            select_biased! {
                recv(outcomes) -> outcome => outcome.ok(),
                recv(self.given_up) -> _ => None,
            }
        })
    }

    /// What is known when the outcomes have ended.
    pub(crate) fn counted(&self, stats: &PassStats) {
        let _ = self.counted.try_send(stats.clone());
    }
}

/// The way one pass is told to end.
pub(crate) struct PassStop {
    token: CancellationToken,
    /// Dropping it is what plain threads see at once.
    sender: Mutex<Option<Sender<()>>>,
    receiver: Receiver<()>,
}

impl PassStop {
    /// For a pass of this daemon.
    fn of(stop: &Stop) -> Self {
        let (sender, receiver) = bounded(0);
        Self { token: stop.token().child_token(), sender: Mutex::new(Some(sender)), receiver }
    }

    /// Whether nothing new may be begun. True as soon as the daemon is told to stop.
    pub(crate) fn is_set(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Closed when nothing new may be begun; for plain threads.
    pub(crate) fn receiver(&self) -> &Receiver<()> {
        &self.receiver
    }

    fn begin_nothing(&self) {
        self.token.cancel();
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// How a pass, or a part of one, ended.
pub(crate) enum Watched<T> {
    /// Every thread of it has ended; this is what it came to.
    Ended(T),
    /// Of these devices nothing came to an end any more; what had been counted until then.
    LeftBehind(Box<PassStats>, Vec<DeviceTree>),
}

/// Works at these devices on a thread of its own. Blocks until the work has ended; or until nothing of it has for
/// `device_timeout`, and somebody waits for a disk. Then the work is told to end, which it does when the disk lets go of it;
/// until then those devices are [`left_behind`](Node::left_behind).
///
/// # Panics
/// As the work does.
pub(crate) fn watch<T: Send + 'static>(
    node: &Arc<Node>,
    devices: &[DeviceTree],
    work: impl FnOnce(&Node, &Watch) -> T + Send + 'static,
) -> Watched<T> {
    let hands = Arc::new(Hands::at(devices.iter().map(|device| device.id)));
    let ((abandon, given_up), (counting, counted)) = (bounded(0), bounded(1));
    let stop = Arc::new(PassStop::of(&node.stop));
    let watch = Watch { hands: Arc::clone(&hands), stop: Arc::clone(&stop), given_up, counted: counting };
    let (ending, ended) = bounded(1);
    let of_thread = Arc::clone(node);
    let thread = thread::Builder::new().name("pass".to_owned()).spawn(move || {
        let _ = ending.send(work(&of_thread, &watch));
    });
    let thread = thread.expect("a thread for the pass");
    let mut vigil = Vigil {
        node,
        devices,
        hands: &hands,
        stop: &stop,
        told: BTreeSet::new(),
        standstill: Standstill::default(),
    };
    match vigil.keep(&ended) {
        Some(Ok(end)) => Watched::Ended(end),
        Some(Err(_)) => resume_unwind(thread.join().expect_err("it ended without a word")),
        None => {
            let left = vigil.leave_behind();
            drop(abandon);
            let nothing = |_| PassStats::new(node.clock.seconds());
            Watched::LeftBehind(Box::new(counted.recv_timeout(COUNTED_IN).unwrap_or_else(nothing)), left)
        }
    }
}

/// From when on a device is said to hang at which nothing comes to an end.
pub(crate) fn hangs_from(node: &Node) -> Duration {
    let limit = node.conf.pass.device_timeout;
    if limit.is_zero() { HANGS_FROM } else { limit.min(HANGS_FROM) }
}

struct Vigil<'a> {
    node: &'a Node,
    devices: &'a [DeviceTree],
    hands: &'a Arc<Hands>,
    stop: &'a PassStop,
    /// Devices of which the log says that they do not go on.
    told: BTreeSet<u64>,
    standstill: Standstill,
}

impl Vigil<'_> {
    /// What the work came to, or an error if it panicked; none if it will not end.
    fn keep<T>(&mut self, ended: &Receiver<T>) -> Option<Result<T, RecvError>> {
        self.tell_manager(Instant::now());
        let end = loop {
            select! {
                recv(ended) -> end => break end,
                recv(self.node.stop.receiver()) -> _ => {
                    self.stop.begin_nothing();
                    // Whoever has told it to stop does not wait for longer than shutdown_grace.
                    break ended.recv();
                }
                default(Watchdog::TICK) => {
                    let now = Instant::now();
                    self.tell_manager(now);
                    if self.look(now) {
                        return None;
                    }
                }
            }
        };
        self.show(&[]);
        self.told.iter().for_each(|device| self.say_goes_on(*device));
        Some(end)
    }

    /// Tells of devices that do not go on; whether there is nothing left to wait for.
    fn look(&mut self, now: Instant) -> bool {
        let stalled = self.hands.stalled(now);
        self.show(&stalled);
        let limit = self.node.conf.pass.device_timeout;
        if limit.is_zero() {
            return false;
        }
        let late: Vec<_> = stalled.iter().filter(|stalled| stalled.time >= limit).collect();
        for stalled in late.iter().filter(|stalled| !self.told.contains(&stalled.device)) {
            error!(
                "ERROR {}: nothing has come to an end for {:.0} s (device_timeout), in hand is {}: its disk hangs, or this \
                 takes so long. The pass goes on with the other devices",
                self.device(stalled.device).map_or("", |device| device.name.as_str()),
                stalled.time.as_secs_f64(),
                self.place(stalled)
            );
        }
        let is_late = |device: &u64| late.iter().any(|stalled| stalled.device == *device);
        self.told.iter().filter(|device| !is_late(device)).for_each(|device| self.say_goes_on(*device));
        self.told = late.iter().map(|stalled| stalled.device).collect();
        !late.is_empty() && self.hands.quiet(now) >= limit
    }

    /// That this pass gets on, unless nothing of it does; and which disks it waits for.
    fn tell_manager(&mut self, now: Instant) {
        if self.standstill.is_one(self.hands, now) {
            self.node.watchdog.stuck("the pass stands still, see the log: restart the daemon");
        } else {
            self.node.watchdog.alive();
        }
        let hanging =
            self.hands.stalled(now).into_iter().filter(|stalled| stalled.time >= hangs_from(self.node));
        let hanging = hanging.filter_map(|stalled| Some(self.device(stalled.device)?.name.to_string()));
        let names: Vec<_> = hanging.chain(self.node.left_behind.names()).collect();
        let hang = if names.is_empty() { String::new() } else { format!("; hanging: {}", names.join(", ")) };
        self.node.watchdog.status(&format!("a pass is under way{hang}"));
    }

    fn leave_behind(&self) -> Vec<DeviceTree> {
        self.stop.begin_nothing();
        let now = self.node.clock.seconds();
        let stalled = self.hands.stalled(Instant::now());
        let times = stalled.iter().filter(|stalled| self.told.contains(&stalled.device));
        let left: Vec<_> =
            times.filter_map(|stalled| Some((self.device(stalled.device)?, stalled.time))).collect();
        for (device, time) in &left {
            error!(
                "ERROR {}: left behind, this pass ends without the rest of it. No pass takes it up before what is under way \
                 there has come to an end",
                device.name
            );
            self.node.left_behind.add(Behind {
                device: device.id,
                name: device.name.to_string(),
                since: now - time.as_secs_f64(),
                hands: Arc::clone(self.hands),
            });
        }
        left.into_iter().map(|(device, _)| device.clone()).collect()
    }

    fn show(&self, stalled: &[Stalled]) {
        let now = self.node.clock.seconds();
        for device in self.devices {
            let time = stalled.iter().find(|stalled| stalled.device == device.id).map(|stalled| stalled.time);
            let since = time.filter(|time| *time >= SHOWN_FROM).map(|time| now - time.as_secs_f64());
            self.node.metrics.observe_device(device.name.as_str(), since);
        }
    }

    fn say_goes_on(&self, device: u64) {
        if let Some(device) = self.device(device) {
            info!("{} goes on", device.name);
        }
    }

    fn device(&self, id: u64) -> Option<&DeviceTree> {
        self.devices.iter().find(|device| device.id == id)
    }

    /// Where that is, as far as the ring knows.
    fn place(&self, stalled: &Stalled) -> String {
        let Some(device) = self.device(stalled.device) else { return String::new() };
        match stalled.at {
            HeldAt::Directories => device.datadir.display().to_string(),
            HeldAt::Database(digest) => {
                let partition = self.node.ring().partition(&digest);
                let dir = storage_directory(self.node.server_type(), partition, &digest);
                device.datadir.with_file_name(dir).display().to_string()
            }
        }
    }
}
