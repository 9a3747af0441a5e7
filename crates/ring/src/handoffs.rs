use std::{
    collections::HashSet,
    iter::{Chain, StepBy},
    ops::Range,
    sync::Arc,
};

use md5::{Digest as _, Md5};

use crate::{Device, RingData, tiers::LEVELS};

/// Stock looks at no more than about this many partitions in search of a handoff.
const SAMPLED_PARTITIONS: u64 = 65_536;

/// The handoff nodes of a partition, best first; found one by one as they are asked for.
///
/// Answers to stock's `get_more_nodes`, in the same order: first a device in each region that has none
/// yet, then in each new zone, then on each new server, then every other device that holds partitions.
/// In a ring of more than 131,071 partitions stock looks at a sample of them, so that a device may be missing.
pub struct Handoffs<'a> {
    ring: &'a RingData,
    start: u64,
    scan: Scan,
    level: usize,
    /// The domains in use, by level.
    seen: [HashSet<u32>; LEVELS],
}

impl<'a> Handoffs<'a> {
    pub(crate) fn new(ring: &'a RingData, partition: u64) -> Self {
        let start = start(partition) >> ring.part_shift();
        let mut seen: [HashSet<u32>; LEVELS] = Default::default();
        for id in ring.primary_ids(partition) {
            seen.iter_mut().zip(ring.tiers().of(id)).for_each(|(set, tier)| _ = set.insert(tier));
        }
        Self { ring, start, scan: Scan::new(ring, start), level: 0, seen }
    }

    /// Takes the device if its domain at the present level is a new one.
    fn take(&mut self, id: u32) -> Option<Arc<Device>> {
        let tiers = self.ring.tiers().of(id);
        if self.seen[self.level].contains(&tiers[self.level]) || self.seen[LEVELS - 1].contains(&id) {
            return None;
        }
        let used = self.seen.iter_mut().zip(tiers).skip(self.level);
        used.for_each(|(set, tier)| _ = set.insert(tier));
        Some(Arc::clone(self.ring.device(id)))
    }
}

impl Iterator for Handoffs<'_> {
    type Item = Arc<Device>;

    fn next(&mut self) -> Option<Arc<Device>> {
        while self.level < LEVELS {
            let exhausted = self.seen[self.level].len() == self.ring.tiers().assigned(self.level);
            let Some((row, partition)) = self.scan.next().filter(|_| !exhausted) else {
                self.level += 1;
                self.scan = Scan::new(self.ring, self.start);
                continue;
            };
            let found = self.ring.table().get(row, partition).and_then(|id| self.take(id));
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

/// Where stock begins to look, before the shift to the ring's partitions.
fn start(partition: u64) -> u64 {
    let md5 = Md5::digest(partition.to_string());
    u64::from(u32::from_be_bytes([md5[0], md5[1], md5[2], md5[3]]))
}

/// Rows and partitions in the order of stock's search: the sampled partitions from `start` around to it,
/// and at each the replicas one after the other.
struct Scan {
    partitions: Chain<StepBy<Range<u64>>, StepBy<Range<u64>>>,
    rows: u64,
    partition: Option<u64>,
    row: u64,
}

impl Scan {
    fn new(ring: &RingData, start: u64) -> Self {
        let count = ring.part_count();
        let increment = (count / SAMPLED_PARTITIONS).max(1);
        let step = usize::try_from(increment).expect("at most 65,536");
        // When the step divides the way to the end, stock goes on at `increment`, not at 0: partition 0 is
        // then left out unless the search began there. The order of handoffs depends on it.
        let wrapped = increment - (count - start) % increment;
        let mut partitions = (start..count).step_by(step).chain((wrapped..start).step_by(step));
        Self { rows: ring.rows(), partition: partitions.next(), row: 0, partitions }
    }
}

impl Iterator for Scan {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        if self.row == self.rows {
            self.row = 0;
            self.partition = self.partitions.next();
        }
        let found = (self.row, self.partition.filter(|_| self.rows > 0)?);
        self.row += 1;
        Some(found)
    }
}
