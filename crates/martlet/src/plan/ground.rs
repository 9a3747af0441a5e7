//! Which of the node's devices are there.

use std::sync::Arc;

use ring::Device;
use swift_types::DeviceName;
use walker::{DeviceTree, MountCheck, check_drive};

use super::node::Node;

/// A device, and where its databases are or why it is left out.
pub(crate) struct Ground {
    pub(crate) device: Arc<Device>,
    pub(crate) tree: Result<DeviceTree, String>,
}

/// Looks at each. Blocks on the disks.
pub(crate) fn look(node: &Node) -> Vec<Ground> {
    let mount_check = MountCheck::of_conf(node.conf.node.mount_check);
    let look =
        |device: &Arc<Device>| Ground { device: Arc::clone(device), tree: tree(node, device, mount_check) };
    node.devices.iter().map(look).collect()
}

fn tree(node: &Node, device: &Device, mount_check: MountCheck) -> Result<DeviceTree, String> {
    let name: DeviceName = device.device.parse().map_err(|error| format!("{error}"))?;
    let dir = check_drive(&node.conf.node.devices, &name, mount_check).map_err(|fault| fault.to_string())?;
    Ok(DeviceTree { name, id: device.id, datadir: dir.join(node.conf.server_type.datadir()) })
}
