use std::{sync::Arc, time::SystemTime};

use rand::{SeedableRng, rngs::StdRng};

use crate::{
    DeviceTree, Hands, MassMisplacement, PartitionOf, PartitionTurns, brake::Brake, device_walk::DeviceWalk,
};

/// The databases of several devices, each device walked by itself, its partitions in random order among those that have the
/// same [`Turn`](crate::Turn).
///
/// [`run`](crate::run) walks it: that blocks on the disk, removes empty partition, suffix and hash directories that it comes by
/// and leaves alone what is foreign (files where directories belong, directories that are no hash). A directory
/// that vanishes under the walk is passed over in silence. A crash leaves nothing to repair. Memory: the
/// names of one partition, one suffix and one hash list per device, and 1000 misplaced databases. Answers to
/// stock's `roundrobin_datadirs`, which goes round the devices on one thread.
pub struct Walk {
    pub(crate) devices: Vec<(DeviceWalk, StdRng)>,
    pub(crate) turns: PartitionTurns,
    pub(crate) brake: Option<Brake>,
    pub(crate) tmp_before: Option<SystemTime>,
    pub(crate) hands: Arc<Hands>,
}

impl Walk {
    /// A walk in an order that differs every time. Nothing is read before it is run.
    pub fn new(devices: Vec<DeviceTree>, turns: PartitionTurns) -> Self {
        Self::with_rng(devices, turns, rand::make_rng())
    }

    /// A walk whose order of a device's partitions depends on `seed`, the device's place, and the order in which the disk lists
    /// them.
    pub fn seeded(devices: Vec<DeviceTree>, turns: PartitionTurns, seed: u64) -> Self {
        Self::with_rng(devices, turns, StdRng::seed_from_u64(seed))
    }

    fn with_rng(devices: Vec<DeviceTree>, turns: PartitionTurns, mut rng: StdRng) -> Self {
        let with_dice = |device| (DeviceWalk::new(device), StdRng::from_rng(&mut rng));
        let devices = devices.into_iter().map(with_dice).collect();
        Self { devices, turns, brake: None, tmp_before: None, hands: Arc::default() }
    }

    /// Reclaims hash directories without a database that were last written before that moment.
    ///
    /// See [`db_broker::reclaim_orphan`]; without this call they are left alone, as stock does.
    #[must_use]
    pub fn reclaiming_orphans(mut self, before: SystemTime) -> Self {
        self.devices.iter_mut().for_each(|(device, _)| device.reclaim_orphans(before));
        self
    }

    /// Reclaims what was last written before that moment in the `tmp` of each device, before the device is walked.
    ///
    /// See [`reclaim_tmp`](crate::reclaim_tmp).
    #[must_use]
    pub fn reclaiming_tmp(mut self, before: SystemTime) -> Self {
        self.tmp_before = Some(before);
        self
    }

    /// Changes nothing: empty directories stay too. Not together with the reclaiming of anything.
    #[must_use]
    pub fn only_looking(mut self) -> Self {
        self.devices.iter_mut().for_each(|(device, _)| device.keep_empty_dirs());
        self
    }

    /// Holds each device while it looks at one of its directories.
    #[must_use]
    pub fn watched(mut self, hands: Arc<Hands>) -> Self {
        self.hands = hands;
        self
    }

    /// Tells misplaced databases from others ([`DbTask::placement`](crate::DbTask::placement)) by the ring's word.
    ///
    /// Unless `mass` allows it, databases that lie in another partition than `partition_of` gives their hash
    /// come last, when all devices are walked, and only if they are few: up to 20, or one in 20 of all that were seen. If
    /// they are more, [`WalkEvent::MassMisplacement`](crate::WalkEvent::MassMisplacement) is told once and each is told as
    /// [`WalkEvent::LeftAlone`](crate::WalkEvent::LeftAlone).
    #[must_use]
    pub fn braked(mut self, partition_of: PartitionOf, mass: MassMisplacement) -> Self {
        self.brake = Some(Brake::new(partition_of, mass));
        self
    }
}
