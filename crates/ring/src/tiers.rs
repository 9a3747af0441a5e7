use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::Arc,
};

use crate::Device;

/// Region, zone, server (address), device: from the widest failure domain to the narrowest.
pub(crate) const LEVELS: usize = 4;

/// The failure domains of every device as small numbers, and how many of each hold a partition.
///
/// Answers to stock's `_update_bookkeeping`: a domain without partitions counts for nothing, so that a
/// search for fresh domains knows when it has found the last.
pub(crate) struct Tiers {
    of_device: Vec<[u32; LEVELS]>,
    assigned: [usize; LEVELS],
}

impl Tiers {
    /// `assigned[id]` says whether the device holds a partition.
    pub(crate) fn new(devices: &[Option<Arc<Device>>], assigned: &[bool]) -> Self {
        let (mut regions, mut zones, mut servers) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut of_device = Vec::with_capacity(devices.len());
        let mut holding: [HashSet<u32>; LEVELS] = Default::default();
        for ((device, holds), index) in devices.iter().zip(assigned).zip(0..) {
            let Some(device) = device else {
                of_device.push([u32::MAX; LEVELS]);
                continue;
            };
            let zone = (device.region, device.zone);
            let tiers = [
                number(&mut regions, device.region),
                number(&mut zones, zone),
                number(&mut servers, (zone, device.ip.as_str())),
                index,
            ];
            of_device.push(tiers);
            if *holds {
                holding.iter_mut().zip(tiers).for_each(|(set, tier)| _ = set.insert(tier));
            }
        }
        Self { of_device, assigned: holding.map(|set| set.len()) }
    }

    /// The domains of an existing device.
    pub(crate) fn of(&self, id: u32) -> [u32; LEVELS] {
        self.of_device[id as usize]
    }

    /// How many domains of a level hold partitions.
    pub(crate) fn assigned(&self, level: usize) -> usize {
        self.assigned[level]
    }
}

/// The number of a key, given out in the order of first appearance.
fn number<K: Hash + Eq>(numbers: &mut HashMap<K, u32>, key: K) -> u32 {
    let next = u32::try_from(numbers.len()).expect("fewer domains than devices, whose ids are 32 bits");
    *numbers.entry(key).or_insert(next)
}
