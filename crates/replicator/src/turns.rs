//! Which partitions of a device a pass walks, and which of them first.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use ring::RingData;
use walker::Turn;

use crate::changed::Place;

/// What decides about a partition's turn.
///
/// First come those that are to leave this device, as each pass that they stay costs a primary its copy and this disk its
/// room, and those where the last pass found something to do. Both are known from the ring and from memory: no disk is asked.
pub(crate) struct Turns {
    pub(crate) ring: Arc<RingData>,
    /// Only these; nothing given means all.
    pub(crate) partitions: BTreeSet<u64>,
    /// Only those of which the device is no primary.
    pub(crate) handoffs_only: bool,
    /// Where the last pass found something to do.
    pub(crate) changed: HashSet<Place>,
}

impl Turns {
    /// None if the partition is not walked. Stock: `_partition_dir_filter`.
    pub(crate) fn of(&self, device: u64, partition: u64) -> Option<Turn> {
        if !self.partitions.is_empty() && !self.partitions.contains(&partition) {
            return None;
        }
        match (self.ring.is_primary(partition, device), self.handoffs_only) {
            (false, _) => Some(Turn::First),
            (true, true) => None,
            (true, false) if self.changed.contains(&(device, partition)) => Some(Turn::First),
            (true, false) => Some(Turn::Later),
        }
    }
}

#[cfg(test)]
mod tests {
    use ring::{Device, RingWriter};

    use super::*;

    /// Four partitions of two replicas on four devices.
    fn turns() -> Turns {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("container.ring.gz");
        let mut writer = RingWriter::new(2, 2);
        for id in 0..4 {
            let mut device = Device::new(id, "127.0.0.1", 6201, &format!("d{id}"));
            device.zone = i64::try_from(id).unwrap();
            writer.add(device);
        }
        writer.write_v1(&path).unwrap();
        let ring = Arc::new(RingData::load(&path).unwrap());
        Turns { ring, partitions: BTreeSet::new(), handoffs_only: false, changed: HashSet::new() }
    }

    /// A device that is the partition's primary, and one that is not.
    fn primary_and_handoff(turns: &Turns, partition: u64) -> (u64, u64) {
        let primaries: Vec<u64> = turns.ring.primaries(partition).iter().map(|device| device.id).collect();
        (primaries[0], (0..4).find(|id| !primaries.contains(id)).unwrap())
    }

    #[test]
    fn handoffs_come_first_and_so_does_what_has_changed() {
        let mut turns = turns();
        for partition in 0..4 {
            let (primary, handoff) = primary_and_handoff(&turns, partition);
            assert_eq!(turns.of(handoff, partition), Some(Turn::First));
            assert_eq!(turns.of(primary, partition), Some(Turn::Later));
        }
        assert_eq!(turns.of(0, 99), Some(Turn::First), "no partition of the ring");
        let (primary, _) = primary_and_handoff(&turns, 2);
        turns.changed.insert((primary, 2));
        assert_eq!(turns.of(primary, 2), Some(Turn::First));
        let (other, _) = primary_and_handoff(&turns, 1);
        assert_eq!(turns.of(other, 1), Some(Turn::Later));
    }

    #[test]
    fn what_is_not_asked_for_has_no_turn() {
        let (primary, handoff) = primary_and_handoff(&turns(), 2);
        let only = Turns { partitions: BTreeSet::from([2]), ..turns() };
        assert_eq!(only.of(primary, 2), Some(Turn::Later));
        assert_eq!(only.of(primary, 1), None);
        let handoffs = Turns { handoffs_only: true, changed: HashSet::from([(primary, 2)]), ..turns() };
        assert_eq!(handoffs.of(handoff, 2), Some(Turn::First));
        assert_eq!(handoffs.of(primary, 2), None);
        let both = Turns { partitions: BTreeSet::from([1]), handoffs_only: true, ..turns() };
        assert_eq!(both.of(handoff, 2), None);
    }
}
