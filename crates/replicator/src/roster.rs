use std::{cell::OnceCell, collections::VecDeque, sync::Arc};

use ring::{Device, RingData};
use sync_client::Region;
use walker::{DbTask, Placement};

/// Who is to be asked about one database, in order; handoffs step in for peers whose disk is gone.
///
/// Given primaries a, b, c: a asks b then c, b asks c then a, c asks a then b, so that replicas that are
/// all behind do not all talk to the same one. A handoff asks all primaries. With one replica the only
/// primary is asked, even if that is this device, as stock does.
pub(crate) struct Roster {
    ring: Arc<RingData>,
    partition: u64,
    waiting: VecDeque<Arc<Device>>,
    handoffs_taken: usize,
    is_primary: bool,
    own_id: u64,
    /// Looked for when it is first asked for: that of a handoff is found by a search through the ring.
    own_region: OnceCell<Option<i64>>,
}

impl Roster {
    pub(crate) fn new(ring: Arc<RingData>, partition: u64, own_id: u64) -> Self {
        let primaries = ring.primaries(partition);
        let own = primaries.iter().position(|device| device.id == own_id);
        let mut waiting: VecDeque<_> = primaries.iter().map(Arc::clone).collect();
        if let (Some(own), true) = (own, waiting.len() > 1) {
            waiting.rotate_left(own + 1);
            waiting.pop_back();
        }
        let is_primary = own.is_some();
        Self { ring, partition, waiting, handoffs_taken: 0, is_primary, own_id, own_region: OnceCell::new() }
    }

    /// Whether this device is a primary of the partition.
    pub(crate) fn is_primary(&self) -> bool {
        self.is_primary
    }

    /// The next peer to ask.
    pub(crate) fn next(&mut self) -> Option<Arc<Device>> {
        self.waiting.pop_front()
    }

    /// Lets the next handoff step in; false if there is none left.
    pub(crate) fn add_handoff(&mut self) -> bool {
        let handoff = self.ring.handoffs(self.partition).nth(self.handoffs_taken);
        self.handoffs_taken += 1;
        let found = handoff.is_some();
        self.waiting.extend(handoff);
        found
    }

    /// Whether a peer is in another region than this device.
    pub(crate) fn region_of(&self, device: &Device) -> Region {
        match self.own_region.get_or_init(|| self.find_own_region()) {
            Some(region) if *region != device.region => Region::Different,
            _ => Region::Same,
        }
    }

    /// None of a device that holds no partition, as one that is being drained. Stock: the search for `local_dev`.
    fn find_own_region(&self) -> Option<i64> {
        let mut nodes =
            self.ring.primaries(self.partition).into_iter().chain(self.ring.handoffs(self.partition));
        nodes.find(|device| device.id == self.own_id).map(|device| device.region)
    }
}

/// What the device that a database lies on is to the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Primary,
    /// Any other: the database is to be given up.
    Handoff,
}

impl Standing {
    /// By the partition that the database lies in, which need not be its own.
    pub(crate) fn of(ring: &RingData, task: &DbTask) -> Self {
        if ring.is_primary(task.partition, task.device.id) { Self::Primary } else { Self::Handoff }
    }
}

/// The peers of a database that lies in its own partition, in order; none of any other.
pub(crate) fn peers_of_placed(ring: &Arc<RingData>, task: &DbTask) -> Option<Vec<Arc<Device>>> {
    if task.placement != Placement::Right || ring.partition(&task.digest) != task.partition {
        return None;
    }
    let mut roster = Roster::new(Arc::clone(ring), task.partition, task.device.id);
    Some(std::iter::from_fn(|| roster.next()).collect())
}

#[cfg(test)]
mod tests {
    use ring::RingWriter;

    use super::*;

    fn ring(replicas: u32, devices: u64) -> Arc<RingData> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("container.ring.gz");
        let mut writer = RingWriter::new(2, replicas);
        for id in 0..devices {
            let mut device = Device::new(id, "127.0.0.1", 6000 + u16::try_from(id).unwrap(), "d");
            device.zone = i64::try_from(id).unwrap();
            device.region = i64::from(id == 4);
            writer.add(device);
        }
        writer.write_v1(&path).unwrap();
        Arc::new(RingData::load(&path).unwrap())
    }

    fn all(roster: &mut Roster) -> Vec<u64> {
        std::iter::from_fn(|| roster.next()).map(|device| device.id).collect()
    }

    #[test]
    fn each_primary_begins_with_the_one_after_itself() {
        let ring = ring(3, 3);
        let ids: Vec<u64> = ring.primaries(0).iter().map(|device| device.id).collect();
        for own in 0..3 {
            let mut roster = Roster::new(Arc::clone(&ring), 0, ids[own]);
            assert!(roster.is_primary() && ring.is_primary(0, ids[own]));
            assert_eq!(all(&mut roster), [ids[(own + 1) % 3], ids[(own + 2) % 3]]);
            assert!(!roster.add_handoff(), "three devices leave no handoff");
        }
    }

    #[test]
    fn a_handoff_asks_all_primaries_and_may_step_in_itself() {
        let ring = ring(3, 5);
        let primaries: Vec<u64> = ring.primaries(1).iter().map(|device| device.id).collect();
        let handoffs: Vec<u64> = ring.handoffs(1).map(|device| device.id).collect();
        let mut roster = Roster::new(Arc::clone(&ring), 1, handoffs[0]);
        assert!(!roster.is_primary() && !ring.is_primary(1, handoffs[0]));
        assert_eq!(all(&mut roster), primaries);
        assert!(roster.add_handoff() && roster.add_handoff());
        assert_eq!(all(&mut roster), handoffs);
        assert!(!roster.add_handoff());
    }

    #[test]
    fn a_single_replica_asks_itself_as_stock_does() {
        let ring = ring(1, 1);
        assert_eq!(all(&mut Roster::new(ring, 0, 0)), [0]);
    }

    #[test]
    fn regions_are_told_apart_once_our_own_is_known() {
        let ring = ring(5, 5);
        let far = ring.devices().find(|device| device.id == 4).unwrap();
        assert_eq!(Roster::new(Arc::clone(&ring), 0, 0).region_of(far), Region::Different);
        assert_eq!(Roster::new(Arc::clone(&ring), 0, 4).region_of(far), Region::Same);
        assert_eq!(Roster::new(Arc::clone(&ring), 0, 99).region_of(far), Region::Same, "unknown device");
    }
}
