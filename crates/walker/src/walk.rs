use std::{collections::VecDeque, time::SystemTime};

use rand::{SeedableRng, rngs::StdRng};

use crate::{
    DbTask, DeviceTree, MassMisplacement, PartitionFilter, PartitionOf, WalkEvent,
    brake::{Brake, Ruling},
    device_walk::{DeviceWalk, Step},
};

/// The databases of several devices, one device after the other in turn, each device's partitions in random
/// order.
///
/// Advancing blocks on the disk; it removes empty partition, suffix and hash directories that it comes by and
/// leaves alone what is foreign (files where directories belong, directories that are no hash). A directory
/// that vanishes under the walk is passed over in silence. A crash leaves nothing to repair. Memory: the
/// names of one partition, one suffix and one hash list per device, and 1000 misplaced databases. Answers to
/// stock's `roundrobin_datadirs`.
pub struct Walk {
    devices: Vec<DeviceWalk>,
    turn: usize,
    filter: PartitionFilter,
    brake: Option<Brake>,
    /// Decided, and yet to be handed out.
    ready: VecDeque<Step>,
    rng: StdRng,
}

impl Walk {
    /// A walk in an order that differs every time. Nothing is read before it is advanced.
    pub fn new(devices: Vec<DeviceTree>, filter: PartitionFilter) -> Self {
        Self::with_rng(devices, filter, rand::make_rng())
    }

    /// A walk whose order of partitions depends on `seed` and the order in which the disk lists them.
    pub fn seeded(devices: Vec<DeviceTree>, filter: PartitionFilter, seed: u64) -> Self {
        Self::with_rng(devices, filter, StdRng::seed_from_u64(seed))
    }

    fn with_rng(devices: Vec<DeviceTree>, filter: PartitionFilter, rng: StdRng) -> Self {
        let devices = devices.into_iter().map(DeviceWalk::new).collect();
        Self { devices, turn: 0, filter, brake: None, ready: VecDeque::new(), rng }
    }

    /// Reclaims hash directories without a database that were last written before that moment.
    ///
    /// See [`db_broker::reclaim_orphan`]; without this call they are left alone, as stock does.
    #[must_use]
    pub fn reclaiming_orphans(mut self, before: SystemTime) -> Self {
        self.devices.iter_mut().for_each(|device| device.reclaim_orphans(before));
        self
    }

    /// Tells misplaced databases from others ([`DbTask::placement`]) by the ring's word.
    ///
    /// Unless `mass` allows it, databases that lie in another partition than `partition_of` gives their hash
    /// come last, and only if they are few: up to 20, or one in 20 of all that were seen. If they are more,
    /// [`WalkEvent::MassMisplacement`] is told once and each is told as [`WalkEvent::LeftAlone`].
    #[must_use]
    pub fn braked(mut self, partition_of: PartitionOf, mass: MassMisplacement) -> Self {
        self.brake = Some(Brake::new(partition_of, mass));
        self
    }

    /// Looks at one more directory; `Done` once every device is walked to its end.
    pub(crate) fn step(&mut self) -> Step {
        if let Some(ready) = self.ready.pop_front() {
            return ready;
        }
        let Some(device) = self.devices.get_mut(self.turn) else {
            return self.end();
        };
        match device.step(&self.filter, &mut self.rng) {
            Step::Barren => Step::Barren,
            Step::Event(event) => {
                self.pass_turn();
                Step::Event(event)
            }
            Step::Found(task) => {
                self.pass_turn();
                match &mut self.brake {
                    Some(brake) => {
                        let ruling = brake.judge(task);
                        self.follow(ruling)
                    }
                    None => Step::Found(task),
                }
            }
            Step::Done => {
                self.devices.remove(self.turn);
                if self.turn == self.devices.len() {
                    self.turn = 0;
                }
                Step::Barren
            }
        }
    }

    fn pass_turn(&mut self) {
        self.turn = (self.turn + 1) % self.devices.len();
    }

    fn end(&mut self) -> Step {
        match self.brake.take() {
            Some(mut brake) => {
                let ruling = brake.release();
                self.follow(ruling)
            }
            None => Step::Done,
        }
    }

    fn follow(&mut self, ruling: Ruling) -> Step {
        match ruling {
            Ruling::Send(tasks) => self.ready.extend(tasks.into_iter().map(Step::Found)),
            Ruling::Set(found, tasks) => {
                self.ready.push_back(Step::Event(WalkEvent::MassMisplacement(found)));
                self.ready.extend(tasks.into_iter().map(|task| Step::Event(WalkEvent::LeftAlone(task))));
            }
            Ruling::LeftAlone(task) => self.ready.push_back(Step::Event(WalkEvent::LeftAlone(task))),
        }
        self.ready.pop_front().unwrap_or(Step::Barren)
    }
}

impl Iterator for Walk {
    type Item = Result<DbTask, WalkEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step() {
                Step::Found(task) => return Some(Ok(task)),
                Step::Event(event) => return Some(Err(event)),
                Step::Barren => {}
                Step::Done => return None,
            }
        }
    }
}
