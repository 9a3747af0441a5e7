use std::{
    collections::HashMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use ring::Device;
use stats::Outcome;
use swift_types::DeviceName;
use tracing::{debug, warn};
use walker::{DeviceTree, Hands, HeldAt};

use crate::{left_behind::Behind, node::Node, pass::Scope, process::Watchdog};

/// A device that has not said for so long whether it is mounted is not waited for; less if `device_timeout` is less.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which of this node's devices a pass walks.
pub(crate) struct Ground {
    /// Those that are mounted and asked for.
    pub(crate) trees: Vec<DeviceTree>,
    /// Those of them that have the directory of this type already.
    pub(crate) with_datadir: Vec<DeviceTree>,
    /// What is to be told of the others.
    pub(crate) skipped: Vec<Outcome>,
    /// How many of these do not answer.
    pub(crate) left_behind: usize,
}

/// A device that is there.
struct Found {
    tree: DeviceTree,
    has_datadir: bool,
}

type Answer = (u64, Result<Found, String>);

impl Ground {
    /// Looks at each device on a thread of its own. Blocks until all have answered, but not for a disk that hangs: that one is
    /// [`left_behind`](Node::left_behind).
    pub(crate) fn look(node: &Arc<Node>, scope: &Scope, local: &[Arc<Device>]) -> Self {
        let answers = ask(node, local);
        let mut ground =
            Self { trees: Vec::new(), with_datadir: Vec::new(), skipped: Vec::new(), left_behind: 0 };
        for device in local {
            match answers.get(&device.id) {
                Some(Ok(Found { tree, .. })) if !scope.has_device(tree.name.as_str()) => {
                    debug!("Skipping device {} due to given arguments", tree.name);
                }
                Some(Ok(Found { tree, has_datadir })) => {
                    ground.trees.push(tree.clone());
                    ground.with_datadir.extend(has_datadir.then(|| tree.clone()));
                }
                Some(Err(reason)) => ground.skip(device, reason.clone()),
                None => {
                    ground.left_behind += usize::from(scope.has_device(&device.device));
                    ground
                        .skip(device, format!("{} is left behind: its disk does not answer", device.device));
                }
            }
        }
        ground
    }

    fn skip(&mut self, device: &Device, reason: String) {
        warn!("Skipping: {reason}");
        let (device, ip) = (device.device.clone(), device.replication_ip.clone());
        self.skipped.push(Outcome::DeviceSkipped { device, ip, reason });
    }
}

/// What each has answered; nothing of those that did not. Tells the metrics which these are.
fn ask(node: &Arc<Node>, local: &[Arc<Device>]) -> HashMap<u64, Result<Found, String>> {
    let (answering, answers) = bounded(local.len());
    let asked: Vec<_> = local.iter().filter(|device| node.left_behind.since(device.id).is_none()).collect();
    let hands = Arc::new(Hands::at(asked.iter().map(|device| device.id)));
    let begun = node.clock.seconds();
    for device in &asked {
        ask_one(node, &hands, device, answering.clone());
    }
    drop(answering);
    let until = deadline(node.conf.pass.device_timeout);
    let mut answered = HashMap::new();
    while let Some((id, answer)) = next(node, &answers, until) {
        answered.insert(id, answer);
    }
    for device in asked.iter().filter(|device| !answered.contains_key(&device.id)) {
        let (id, name) = (device.id, device.device.clone());
        node.left_behind.add(Behind { device: id, name, since: begun, hands: Arc::clone(&hands) });
    }
    let stalled = |device: &Arc<Device>| (device.device.clone(), node.left_behind.since(device.id));
    node.metrics.show_devices(local.iter().map(stalled));
    answered
}

/// None: for ever, as `device_timeout` is 0.
fn deadline(device_timeout: Duration) -> Option<Instant> {
    (!device_timeout.is_zero()).then(|| Instant::now() + device_timeout.min(PATIENCE))
}

/// None when all have answered, or time is up. A disk that hangs is no reason to end this process meanwhile.
fn next(node: &Node, answers: &Receiver<Answer>, until: Option<Instant>) -> Option<Answer> {
    loop {
        let tick = Instant::now() + Watchdog::TICK;
        match answers.recv_deadline(until.map_or(tick, |until| until.min(tick))) {
            Ok(answer) => return Some(answer),
            Err(RecvTimeoutError::Timeout) if until.is_none_or(|until| Instant::now() < until) => {
                node.watchdog.alive();
            }
            Err(_) => return None,
        }
    }
}

fn ask_one(node: &Arc<Node>, hands: &Arc<Hands>, device: &Arc<Device>, answering: Sender<Answer>) {
    let (node, hands, of_ring, id) = (Arc::clone(node), Arc::clone(hands), Arc::clone(device), device.id);
    let refused = answering.clone();
    let thread = thread::Builder::new().name(format!("look {}", device.device));
    let asked = thread.spawn(move || {
        let found = hands.hold(id, HeldAt::Directories, || look_at(&node, &of_ring));
        let _ = answering.send((id, found));
    });
    if let Err(error) = asked {
        let _ = refused.send((id, Err(format!("no thread to look at {}: {error}", device.device))));
    }
}

/// Blocks on the disk.
fn look_at(node: &Node, device: &Device) -> Result<Found, String> {
    let name: DeviceName = device.device.parse().map_err(|error| format!("{error}"))?;
    let dir = node.device_dir(&name).map_err(|error| error.to_string())?;
    let datadir = dir.join(node.server_type().datadir());
    let has_datadir = datadir.is_dir();
    Ok(Found { tree: DeviceTree { name, id: device.id, datadir }, has_datadir })
}
