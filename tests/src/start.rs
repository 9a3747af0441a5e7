//! The folders, files, rings and rsync daemon of a cluster.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use rustix::fs::statvfs;
use serde_json::{Value, json};
use swift_types::ServerType;
use tempfile::TempDir;

use crate::cluster::Shape;
use crate::conf::{self, NodeConf, RSYNC_PORT};
use crate::loopback::LoopbackBlock;
use crate::process::ProcessGroup;

/// Node numbers; each node is a zone.
pub(crate) const NODES: RangeInclusive<usize> = 1..=4;
const PART_POWER: u32 = 6;
const REPLICAS: u32 = 3;
/// Generous: a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that must be free where clusters are kept in memory.
const ROOM: u64 = 1 << 30;
/// The file that makes a device count as mounted.
pub(crate) const STUB: &str = ".ismount";

/// A folder for one cluster: in memory where `/dev/shm` has room, since stock syncs every transaction to disk
/// and nothing here is about power cuts.
///
/// # Errors
/// When it cannot be made.
pub fn cluster_dir() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let roomy = statvfs(memory).is_ok_and(|fs| fs.f_bavail * fs.f_frsize > ROOM);
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("martlet-");
    Ok(if roomy { builder.tempdir_in(memory)? } else { builder.tempdir()? })
}

pub(crate) fn device_names(node: usize, shape: &Shape) -> impl Iterator<Item = String> {
    (0..shape.devices_per_node).map(move |n| format!("d{node}{}", char::from(b'a' + n)))
}

pub(crate) fn node_ip(block: &LoopbackBlock, node: usize) -> Ipv4Addr {
    block.address(u8::try_from(node).expect("a handful of nodes"))
}

pub(crate) fn rsync_ip(block: &LoopbackBlock) -> Ipv4Addr {
    block.address(250)
}

pub(crate) fn devices_root(dir: &Path, node: usize) -> PathBuf {
    dir.join(format!("disks/n{node}/devices"))
}

pub(crate) fn recon_dir(dir: &Path, node: usize) -> PathBuf {
    dir.join(format!("recon/n{node}"))
}

pub(crate) fn conf_path(dir: &Path, node: usize, server_type: ServerType) -> PathBuf {
    dir.join(format!("etc/{server_type}-{node}.conf"))
}

pub(crate) fn write_files(dir: &Path, block: &LoopbackBlock, shape: &Shape) -> Result<()> {
    let user = String::from_utf8(Command::new("id").arg("-un").output()?.stdout)?;
    let swift_dir = dir.join("etc");
    fs::create_dir(&swift_dir)?;
    fs::write(swift_dir.join("swift.conf"), conf::swift_conf(shape.policies))?;
    for node in NODES {
        let (devices, recon) = (devices_root(dir, node), recon_dir(dir, node));
        fs::create_dir_all(&recon)?;
        for device in device_names(node, shape) {
            fs::create_dir_all(devices.join(&device))?;
            File::create(devices.join(&device).join(STUB))?;
        }
        for server_type in [ServerType::Account, ServerType::Container] {
            let node_conf = NodeConf {
                server_type,
                ip: node_ip(block, node),
                rsync_ip: rsync_ip(block),
                swift_dir: &swift_dir,
                devices: &devices,
                recon: &recon,
                log: &dir.join("log"),
                user: user.trim(),
                tuning: &shape.tuning,
            };
            fs::write(conf_path(dir, node, server_type), conf::node_conf(&node_conf))?;
        }
    }
    Ok(())
}

pub(crate) fn start_rsync(dir: &Path, block: &LoopbackBlock) -> Result<ProcessGroup> {
    let roots: Vec<_> = NODES.map(|node| (node_ip(block, node), devices_root(dir, node))).collect();
    let modules = roots.iter().map(|(ip, root)| (*ip, root.as_path()));
    let conf = dir.join("etc/rsyncd.conf");
    fs::write(&conf, conf::rsyncd_conf(rsync_ip(block), modules))?;
    let mut command = Command::new("rsync");
    command.args(["--daemon", "--no-detach", "--config"]).arg(&conf);
    command.arg("--log-file").arg(dir.join("rsync.log")).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(File::create(dir.join("rsync.stderr"))?);
    let mut rsync = ProcessGroup::spawn(&mut command, "rsync daemon")?;
    rsync.wait_listening(SocketAddr::from((rsync_ip(block), RSYNC_PORT)), PATIENCE)?;
    Ok(rsync)
}

pub(crate) fn rings_request(dir: &Path, block: &LoopbackBlock, shape: &Shape) -> Value {
    let ports = json!({
        "account": ServerType::Account.default_port(),
        "container": ServerType::Container.default_port(),
    });
    let mut devices = Vec::new();
    for node in NODES {
        for device in device_names(node, shape) {
            let weight = if shape.drained_node == Some(node) { 0.0 } else { 100.0 };
            devices.push(json!({
                "device": device, "zone": node, "ip": node_ip(block, node), "weight": weight,
                "port": ports, "replication_port": ports,
            }));
        }
    }
    json!({
        "op": "rings", "swift_dir": dir.join("etc"), "part_power": PART_POWER, "replicas": REPLICAS,
        "devices": devices,
    })
}
