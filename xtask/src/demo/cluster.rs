//! Four nodes on loopback: folders, rings, configuration, ports, and the processes that run on them.

use std::{
    env,
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use ring::{Device, RingData, RingWriter};
use swift_types::{HashPath, ServerType};
use tempfile::TempDir;
use testkit::ProcessGroup;

use crate::build::TYPES;

/// Each node is a zone.
pub(crate) const NODES: usize = 4;
/// Disks of a node.
pub(crate) const DISKS_PER_NODE: usize = 2;
/// Two to this power are the partitions of each ring.
pub(crate) const PART_POWER: u32 = 6;

const REPLICAS: u32 = 3;
/// Set in the environment it makes the folder stay, as it does for the clusters of the tests.
const KEEP_FILES: &str = "MARTLET_KEEP_CLUSTERS";
/// How long a process may take until it listens.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes at the end of a process's log that are shown when it failed.
const LOG_TAIL: u64 = 2000;

/// The cluster. Dropped, it kills every process it started and removes its folder, unless
/// `MARTLET_KEEP_CLUSTERS` is set.
pub(crate) struct Cluster {
    // Fields drop in this order: processes first, then the folder they work in.
    servers: Vec<Daemon>,
    /// In the order of [`TYPES`].
    rings: [RingData; 2],
    ports: Ports,
    hash_path: HashPath,
    bin_dir: PathBuf,
    dir: TempDir,
}

/// Of each node, by type and then by node.
type Ports = [[u16; NODES]; 2];

/// A running process of ours, with the log that says why it ended.
pub(crate) struct Daemon {
    /// The process.
    pub(crate) group: ProcessGroup,
    /// What it is, for messages.
    pub(crate) what: String,
    log: PathBuf,
}

/// Which of a node's configuration files a process is given.
#[derive(Clone, Copy)]
pub(crate) enum Conf {
    /// The one of servers and single passes.
    Usual,
    /// The one of a daemon that goes on for ever and shows metrics at this port.
    WithMetrics(u16),
}

impl Cluster {
    /// Writes rings and configuration. `suffix` is the secret of the hashes. Nothing runs yet.
    pub(crate) fn lay_out(bin_dir: PathBuf, suffix: &str) -> Result<Self> {
        let mut dir = tempfile::Builder::new().prefix("martlet-demo-").tempdir()?;
        dir.disable_cleanup(env::var_os(KEEP_FILES).is_some());
        let etc = dir.path().join("etc");
        fs::create_dir(&etc)?;
        fs::create_dir(dir.path().join("log"))?;
        fs::write(etc.join("swift.conf"), format!("[swift-hash]\nswift_hash_path_suffix = {suffix}\n"))?;
        let ports = free_ports()?;
        let rings = [write_ring(&etc, TYPES[0], ports[0])?, write_ring(&etc, TYPES[1], ports[1])?];
        let hash_path = HashPath::new(Vec::new(), suffix.as_bytes().to_vec())?;
        let cluster = Self { servers: Vec::new(), rings, ports, hash_path, bin_dir, dir };
        for node in 0..NODES {
            fs::create_dir_all(cluster.recon_dir(node))?;
            for disk in 0..DISKS_PER_NODE {
                fs::create_dir_all(cluster.devices_root(node).join(disk_name(node, disk)))?;
            }
        }
        Ok(cluster)
    }

    /// The folder of everything.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The salt of the hashes.
    pub(crate) fn hash_path(&self) -> &HashPath {
        &self.hash_path
    }

    /// The rings, accounts' first.
    pub(crate) fn rings(&self) -> [&RingData; 2] {
        [&self.rings[0], &self.rings[1]]
    }

    /// A disk by its id in the rings.
    pub(crate) fn device_dir(&self, device: u64) -> PathBuf {
        let (node, disk) = place(device);
        self.devices_root(node).join(disk_name(node, disk))
    }

    /// The ids of all disks.
    pub(crate) fn devices() -> impl Iterator<Item = u64> {
        0..(NODES * DISKS_PER_NODE) as u64
    }

    /// The recon cache of a node's replicator.
    pub(crate) fn recon_file(&self, node: usize, server_type: ServerType) -> PathBuf {
        self.recon_dir(node).join(format!("{server_type}.recon"))
    }

    /// Starts the eight servers and returns when all of them listen.
    pub(crate) fn serve(&mut self) -> Result<()> {
        for server_type in TYPES {
            for node in 0..NODES {
                let daemon = self.spawn(node, server_type, Conf::Usual, &["serve"])?;
                self.servers.push(daemon);
            }
        }
        let ports = self.ports.as_flattened().iter();
        for (daemon, port) in self.servers.iter_mut().zip(ports) {
            daemon.wait_listening(*port)?;
        }
        Ok(())
    }

    /// Kills a server by SIGKILL and starts it again on its port. Servers count as [`serve`](Self::serve)
    /// starts them.
    pub(crate) fn kill_and_restart_server(&mut self, place: usize) -> Result<()> {
        drop(self.servers.remove(place));
        let (server_type, node) = (TYPES[place / NODES], place % NODES);
        let mut daemon = self.spawn(node, server_type, Conf::Usual, &["serve"])?;
        daemon.wait_listening(self.ports[place / NODES][node])?;
        self.servers.insert(place, daemon);
        Ok(())
    }

    /// An error that says why, if one of the servers has ended.
    pub(crate) fn check_servers(&mut self) -> Result<()> {
        self.servers.iter_mut().try_for_each(Daemon::check_alive)
    }

    /// Starts one of the two programs on a node.
    pub(crate) fn spawn(
        &self,
        node: usize,
        server_type: ServerType,
        conf: Conf,
        words: &[&str],
    ) -> Result<Daemon> {
        let what = format!("{server_type}-replicator {} of node {}", words.join(" "), node + 1);
        let name = words.first().unwrap_or(&"loop");
        let log = self.dir().join(format!("log/{server_type}-{}-{name}.log", node + 1));
        let mut command = Command::new(self.bin_dir.join(format!("{server_type}-replicator")));
        command.arg(self.write_conf(node, server_type, conf)?).args(words).arg("-v");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::options().create(true).append(true).open(&log)?);
        let group = ProcessGroup::spawn(&mut command, what.clone())?;
        Ok(Daemon { group, what, log })
    }

    fn write_conf(&self, node: usize, server_type: ServerType, conf: Conf) -> Result<PathBuf> {
        let (name, metrics_port) = match conf {
            Conf::Usual => ("", 0),
            Conf::WithMetrics(port) => ("-loop", port),
        };
        let path = self.dir().join(format!("etc/{server_type}-{}{name}.conf", node + 1));
        let text = format!(
            "[DEFAULT]\n\
             user = {user}\n\
             bind_ip = 127.0.0.1\n\
             bind_port = {port}\n\
             swift_dir = {swift_dir}\n\
             devices = {devices}\n\
             mount_check = false\n\
             fallocate_reserve = 0\n\
             recon_cache_path = {recon}\n\
             \n\
             [{server_type}-replicator]\n\
             # Small, so that a few rows take every course.\n\
             per_diff = 100\n\
             max_diffs = 5\n\
             concurrency = 4\n\
             databases_per_second = 0\n\
             interval = 5\n\
             metrics_bind_ip = 127.0.0.1\n\
             metrics_bind_port = {metrics_port}\n",
            user = user_name()?,
            port = self.ports[TYPES.iter().position(|one| *one == server_type).unwrap_or_default()][node],
            swift_dir = self.dir().join("etc").display(),
            devices = self.devices_root(node).display(),
            recon = self.recon_dir(node).display(),
        );
        fs::write(&path, text)?;
        Ok(path)
    }

    fn devices_root(&self, node: usize) -> PathBuf {
        self.dir().join(format!("node{}", node + 1))
    }

    fn recon_dir(&self, node: usize) -> PathBuf {
        self.dir().join(format!("recon/node{}", node + 1))
    }
}

impl Daemon {
    /// Waits until the process listens at a port of 127.0.0.1.
    pub(crate) fn wait_listening(&mut self, port: u16) -> Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.group.wait_listening(address, PATIENCE).with_context(|| self.last_words())
    }

    /// An error that says why, if the process has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.group.child().try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("{} ended with {status}{}", self.what, self.last_words()),
        }
    }

    /// The most memory that the process has had resident so far, in KiB; none if it has ended.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.group.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// The end of its log, to be put behind a message.
    pub(crate) fn last_words(&self) -> String {
        let read = || {
            let mut file = File::open(&self.log)?;
            let start = file.metadata()?.len().saturating_sub(LOG_TAIL);
            file.seek(SeekFrom::Start(start))?;
            let mut text = Vec::new();
            file.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
        };
        format!(
            "\n--- the end of its log\n{}",
            read().unwrap_or_else(|error: std::io::Error| error.to_string())
        )
    }
}

/// Free ports of 127.0.0.1, all different.
pub(crate) fn take_ports<const N: usize>() -> Result<[u16; N]> {
    // Held until all are known, or one would be given out twice.
    let listeners: Vec<_> =
        (0..N).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

fn free_ports() -> Result<Ports> {
    let [a1, a2, a3, a4, c1, c2, c3, c4] = take_ports()?;
    Ok([[a1, a2, a3, a4], [c1, c2, c3, c4]])
}

fn write_ring(etc: &Path, server_type: ServerType, ports: [u16; NODES]) -> Result<RingData> {
    let mut writer = RingWriter::new(PART_POWER, REPLICAS);
    for id in Cluster::devices() {
        let (node, disk) = place(id);
        let device = Device::new(id, "127.0.0.1", ports[node], &disk_name(node, disk));
        writer.add(Device { zone: i64::try_from(node)? + 1, ..device });
    }
    let path = etc.join(format!("{server_type}.ring.gz"));
    writer.write_v1(&path)?;
    Ok(RingData::load(&path)?)
}

/// The node of a device and which of its disks it is.
fn place(device: u64) -> (usize, usize) {
    let device = usize::try_from(device).expect("a handful of disks");
    (device / DISKS_PER_NODE, device % DISKS_PER_NODE)
}

fn disk_name(node: usize, disk: usize) -> String {
    format!("d{}{}", node + 1, ["a", "b"][disk])
}

/// The daemons run as whoever runs the demo.
fn user_name() -> Result<String> {
    let output = Command::new("id").arg("-un").output().context("the program `id` cannot be run")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
