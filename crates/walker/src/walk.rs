use rand::{SeedableRng, rngs::StdRng};

use crate::{
    DbTask, DeviceTree, PartitionFilter, WalkFault,
    device_walk::{DeviceWalk, Step},
};

/// The databases of several devices, one device after the other in turn, each device's partitions in random
/// order.
///
/// Advancing blocks on the disk; it removes empty partition, suffix and hash directories that it comes by and
/// leaves alone what is foreign (files where directories belong, directories that are no hash). A directory
/// that vanishes under the walk is passed over in silence. A crash leaves nothing to repair. Memory: the
/// names of one partition, one suffix and one hash list per device. Answers to stock's `roundrobin_datadirs`.
pub struct Walk {
    devices: Vec<DeviceWalk>,
    turn: usize,
    filter: PartitionFilter,
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
        Self { devices: devices.into_iter().map(DeviceWalk::new).collect(), turn: 0, filter, rng }
    }

    /// Looks at one more directory; `Done` once every device is walked to its end.
    pub(crate) fn step(&mut self) -> Step {
        let Some(device) = self.devices.get_mut(self.turn) else {
            return Step::Done;
        };
        let step = device.step(&self.filter, &mut self.rng);
        match step {
            Step::Barren => {}
            Step::Found(_) => self.turn = (self.turn + 1) % self.devices.len(),
            Step::Done => {
                self.devices.remove(self.turn);
                if self.turn == self.devices.len() {
                    self.turn = 0;
                }
                return if self.devices.is_empty() { Step::Done } else { Step::Barren };
            }
        }
        step
    }
}

impl Iterator for Walk {
    type Item = Result<DbTask, WalkFault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step() {
                Step::Found(found) => return Some(found),
                Step::Barren => {}
                Step::Done => return None,
            }
        }
    }
}
