use std::sync::Arc;

use ring::Device;
use swift_types::Digest;
use tracing::warn;
use walker::DeviceTree;

/// The devices of this node that can hold a container of the reconciler's queue: those that this pass walks.
///
/// Stock: `_local_device_ids`.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalDevices(Vec<LocalDevice>);

#[derive(Clone, Debug)]
struct LocalDevice {
    tree: Arc<DeviceTree>,
    weight: f64,
}

impl LocalDevices {
    /// `trees` are walked; `devices` are this node's in the ring.
    pub(crate) fn new(trees: &[DeviceTree], devices: &[Arc<Device>]) -> Self {
        let weight = |id| devices.iter().find(|device| device.id == id).map_or(0.0, |device| device.weight);
        let local = |tree: &DeviceTree| LocalDevice { weight: weight(tree.id), tree: Arc::new(tree.clone()) };
        Self(trees.iter().map(local).collect())
    }

    /// All of them.
    pub(crate) fn trees(&self) -> Vec<DeviceTree> {
        self.0.iter().map(|local| DeviceTree::clone(&local.tree)).collect()
    }

    /// Where on this node a container of the queue goes; none if no device is walked.
    ///
    /// The first primary that is ours; else one of our devices with a weight; else any, which the log tells.
    /// Stock throws dice among them; here the hash decides, so that an hour that could not be replicated away
    /// is found again by the next pass. Answers to stock's `find_local_handoff_for_part`.
    pub(crate) fn place(
        &self,
        partition: u64,
        primaries: &[Arc<Device>],
        digest: &Digest,
    ) -> Option<Arc<DeviceTree>> {
        let local = |primary: &Arc<Device>| self.0.iter().find(|local| local.tree.id == primary.id);
        if let Some(local) = primaries.iter().find_map(local) {
            return Some(Arc::clone(&local.tree));
        }
        let weighted: Vec<_> = self.0.iter().filter(|local| local.weight != 0.0).collect();
        if let Some(local) = choose(&weighted, digest) {
            return Some(Arc::clone(&local.tree));
        }
        let all: Vec<_> = self.0.iter().collect();
        let local = choose(&all, digest)?;
        warn!(
            "Could not find a non-zero weight device for handoff partition {partition}, falling back device {}",
            local.tree.name
        );
        Some(Arc::clone(&local.tree))
    }
}

fn choose<'a>(devices: &[&'a LocalDevice], digest: &Digest) -> Option<&'a LocalDevice> {
    let at = (digest.prefix() as usize).checked_rem(devices.len())?;
    devices.get(at).copied()
}

#[cfg(test)]
mod tests {
    use swift_types::HashPath;

    use super::*;

    fn devices(weights: &[f64]) -> Vec<Arc<Device>> {
        let device = |(id, weight): (usize, &f64)| {
            let id = id as u64;
            Arc::new(Device { weight: *weight, ..Device::new(id, "127.0.0.1", 6201, &format!("d{id}")) })
        };
        weights.iter().enumerate().map(device).collect()
    }

    fn local(devices: &[Arc<Device>], ids: &[u64]) -> LocalDevices {
        let tree = |id: &u64| DeviceTree {
            name: format!("d{id}").parse().unwrap(),
            id: *id,
            datadir: "/nowhere".into(),
        };
        LocalDevices::new(&ids.iter().map(tree).collect::<Vec<_>>(), devices)
    }

    fn digest(n: usize) -> Digest {
        HashPath::new(vec![], b"x".to_vec()).unwrap().container(".misplaced_objects", &n.to_string())
    }

    #[test]
    fn a_primary_of_ours_comes_first_whatever_its_weight() {
        let devices = devices(&[1.0, 0.0, 1.0, 1.0]);
        let ours = local(&devices, &[1, 2, 3]);
        let primaries = [&devices[0], &devices[1], &devices[2]].map(Arc::clone);
        for n in 0..20 {
            assert_eq!(ours.place(7, &primaries, &digest(n)).unwrap().id, 1);
        }
    }

    #[test]
    fn else_a_device_with_a_weight_and_the_same_each_time() {
        let devices = devices(&[1.0, 0.0, 1.0, 1.0]);
        let ours = local(&devices, &[1, 2, 3]);
        let chosen: Vec<_> = (0..40).map(|n| ours.place(7, &devices[..1], &digest(n)).unwrap().id).collect();
        assert!(chosen.contains(&2) && chosen.contains(&3) && !chosen.contains(&1), "{chosen:?}");
        for (n, id) in chosen.iter().enumerate() {
            assert_eq!(ours.place(7, &devices[..1], &digest(n)).unwrap().id, *id);
        }
    }

    #[test]
    fn a_node_that_is_drained_still_takes_it() {
        let devices = devices(&[1.0, 0.0]);
        let ours = local(&devices, &[1]);
        assert_eq!(ours.place(7, &devices[..1], &digest(0)).unwrap().id, 1);
        assert!(LocalDevices::default().place(7, &devices[..1], &digest(0)).is_none());
    }
}
