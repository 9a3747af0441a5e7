use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use martlet_testkit::{
    Cluster, Daemon, ProcessGroup, Scene, Shape, by_hand, metrics_page, replica_told, said_on,
};

use super::{crowd, titles_on, until};
use crate::{disk::Disk, site::TYPE};

/// Databases of a disk that hangs which have to be written: more than its share of the workers.
const WAITING: usize = 8;
const METRICS_PORT: u16 = 9461;

/// Their files at the other primaries.
fn files_at_peers(scene: &Scene, titles: &[String], device: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for title in titles {
        for peer in scene.primaries(title)?.iter().filter(|peer| *peer != device) {
            files.push(scene.database(title, peer)?.file().to_owned());
        }
    }
    Ok(files)
}

/// What a pass of node 1 has to do: rows that wait on disks that hang, and files that the peers of another one lack.
pub(super) struct Halved {
    pub(super) scene: Scene,
    waiting: Vec<Waiting>,
    pub(super) lacking: Vec<PathBuf>,
}

/// Rows that wait on one disk.
struct Waiting {
    device: &'static str,
    titles: Vec<String>,
}

impl Halved {
    /// As [`set`](Self::set), with a disk under each device that is to hang. The disks have to go first.
    pub(super) fn on_disks<const N: usize>(
        scene: Scene,
        hanging: [&'static str; N],
        other: &str,
        dir: &Path,
    ) -> Result<(Self, [Disk; N])> {
        let disks = hanging.map(|device| Disk::under(&scene.cluster, device, dir));
        let disks: Vec<_> = disks.into_iter().collect::<Result<_>>()?;
        let disks = disks.try_into().map_err(|_| anyhow!("one for each"))?;
        Ok((Self::set(scene, &hanging, other)?, disks))
    }

    /// Node 1 has one disk that can be made to hang, d1a, and d1b.
    pub(super) fn on_a_disk(dir: &Path) -> Result<(Self, Disk)> {
        let (halved, [disk]) = Self::on_disks(crowd(Shape::default())?, ["d1a"], "d1b", dir)?;
        Ok((halved, disk))
    }

    /// Rows wait on each of `hanging`; the peers of `other` lack its files.
    pub(super) fn set(mut scene: Scene, hanging: &[&'static str], other: &str) -> Result<Self> {
        for node in Cluster::nodes().filter(|node| *node != 1) {
            scene.cluster.serve(node, TYPE, Daemon::Martlet)?;
        }
        let waiting = hanging.iter().map(|device| Waiting::put(&scene, device)).collect::<Result<_>>()?;
        let lacking = files_at_peers(&scene, &titles_on(&scene, other)?, other)?;
        let halved = Self { scene, waiting, lacking };
        halved.remove_lacking()?;
        Ok(halved)
    }

    fn remove_lacking(&self) -> Result<()> {
        self.lacking
            .iter()
            .try_for_each(|file| Ok(fs::remove_dir_all(file.parent().context("a hash directory")?)?))
    }

    /// Our daemon's loop on node 1, with these lines in its section.
    pub(super) fn begin(&self, lines: &str) -> Result<ProcessGroup> {
        let (ip, port) = (self.scene.cluster.address(1), METRICS_PORT);
        let metrics = format!("metrics_bind_ip = {ip}\nmetrics_bind_port = {port}\n");
        self.scene.cluster.martlet_loop(1, TYPE, &format!("interval = 0.1\n{metrics}{lines}\n"))
    }

    /// One pass of it.
    pub(super) fn once(&self, lines: &str) -> Result<ProcessGroup> {
        self.scene.cluster.martlet_once(1, TYPE, &format!("{lines}\n"))
    }

    pub(super) fn says(&self, words: &str) -> bool {
        self.scene.cluster.log_lines().iter().any(|line| line.contains(words))
    }

    /// Waits until it says so.
    pub(super) fn will_say(&self, words: &str) -> Result<()> {
        until(&self.scene, words, || Ok(self.says(words)))
    }

    /// Whether Prometheus is told that a disk hangs.
    pub(super) fn is_shown(&self, device: &str) -> Result<bool> {
        self.is_above_zero(&format!("device_stalled_timestamp_seconds{{device=\"{device}\""))
    }

    /// Whether Prometheus is told of passes that went to their end without a disk.
    pub(super) fn passes_are_counted_as_aborted(&self) -> Result<bool> {
        self.is_above_zero("passes_aborted_total{reason=\"left_behind\"")
    }

    fn is_above_zero(&self, series: &str) -> Result<bool> {
        let page = metrics_page(SocketAddr::from((self.scene.cluster.address(1), METRICS_PORT)))?;
        let name = format!("martlet_{series},type=\"container\"}} ");
        let value = page.lines().find_map(|line| line.strip_prefix(&name)).with_context(|| page.clone())?;
        Ok(value.parse::<f64>()? > 0.0)
    }

    /// Whether the status page says so, first of all.
    pub(super) fn is_on_the_page(&self, device: &str) -> Result<bool> {
        let page = by_hand::get(SocketAddr::from((self.scene.cluster.address(1), METRICS_PORT)), "/")?;
        Ok(page.body.contains(&format!("<strong>A disk hangs: </strong>{device}")))
    }

    /// Whether `martlet status` on this node tells that rows wait beside a database of the disk.
    pub(super) fn status_tells_of_waiting(&self, device: &str) -> Result<bool> {
        let case = self.scene.case(self.waiting(device)?.titles.first().context("one waits")?)?;
        let name = |key: &str| case[key].as_str().context("a case has names");
        let path = format!("{}/{}", name("account")?, name("container")?);
        let (_, status, _) = said_on(&self.scene.cluster, 1, "status", &path, &["--json"])?;
        let replica = replica_told(&status, &format!("{}/{device}", self.scene.cluster.address(1)))?;
        Ok(replica["on_disk"]["pending_bytes"].as_u64() > Some(0))
    }

    pub(super) fn others_arrive(&self) -> Result<()> {
        until(&self.scene, "the other disk is held up", || Ok(self.lacking.iter().all(|file| file.exists())))
    }

    /// Once more, and how long that takes.
    pub(super) fn others_arrive_again(&self) -> Result<Duration> {
        let begun = Instant::now();
        self.remove_lacking()?;
        self.others_arrive()?;
        Ok(begun.elapsed())
    }

    fn waiting(&self, device: &str) -> Result<&Waiting> {
        self.waiting.iter().find(|waiting| waiting.device == device).context("a disk that hangs")
    }

    /// Whether none of the rows that wait on a disk has been taken up.
    pub(super) fn none_arrived(&self, device: &str) -> Result<bool> {
        Ok(self.waiting(device)?.arrived(&self.scene)? == 0)
    }

    /// Whether they are everywhere.
    pub(super) fn all_arrived(&self, device: &str) -> Result<bool> {
        let waiting = self.waiting(device)?;
        Ok(waiting.arrived(&self.scene)? == 3 * waiting.titles.len())
    }
}

impl Waiting {
    fn put(scene: &Scene, device: &'static str) -> Result<Self> {
        let mut titles = titles_on(scene, device)?;
        titles.truncate(WAITING);
        for title in &titles {
            scene.cluster.stock().call(&scene.put_request(title, device, "late")?)?;
        }
        Ok(Self { device, titles })
    }

    /// At how many places the rows are, the disk's own among them.
    fn arrived(&self, scene: &Scene) -> Result<usize> {
        let mut places = 0;
        for title in &self.titles {
            let rows = scene.rows(title)?;
            places += rows.values().filter(|rows| rows.iter().any(|row| row == "late")).count();
        }
        Ok(places)
    }
}
