//! A disk that takes no write and reports no error: whoever writes to it waits until it goes on.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use martlet_testkit::{
    Cluster, Daemon, ProcessGroup, Scene, Shape,
    by_hand::{self, Answer},
    cluster_dir, metrics_page, on_its_own,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    disk::Disk,
    injection::{Fault, Switch},
    site::TYPE,
};

/// More than a server has threads, and so than one device may keep busy.
const STUCK: usize = 40;
/// Databases of the disk that hangs which have to be written: more than its share of the workers.
const WAITING: usize = 8;
/// Seconds for which a pass waits for a disk; more than anything here takes, and than what no metric shows.
const TIMEOUT: &str = "device_timeout = 6";
const METRICS_PORT: u16 = 9461;
const BOUND: Duration = Duration::from_secs(60);

fn crowd(shape: Shape) -> Result<Scene> {
    Scene::set(Shape { devices_per_node: 2, ..shape }, "crowd", TYPE)
}

/// The databases of which a device is a primary.
fn titles_on(scene: &Scene, device: &str) -> Result<Vec<String>> {
    let titles = scene.cases().filter(|case| {
        case["title"] != "alone" && case["primaries"].as_array().into_iter().flatten().any(|it| it == device)
    });
    titles.map(|case| Ok(case["title"].as_str().context("a title")?.to_owned())).collect()
}

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

fn until(scene: &Scene, what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + BOUND;
    while !is_so()? {
        assert!(Instant::now() < deadline, "{what}\n{}", scene.cluster.log_lines().join("\n"));
    }
    Ok(())
}

/// Asks node 2 to write something into a database of one of its devices.
fn ask_to_write(scene: &Scene, title: &str, device: &str) -> Result<TcpStream> {
    let database = scene.database(title, device)?;
    let body = r#"["merge_syncs", [{"remote_id": "somebody", "sync_point": 1}]]"#;
    let stream = by_hand::connect((scene.cluster.address(2), TYPE.default_port()).into())?;
    let path = format!("/{device}/{}/{}", scene.case(title)?["part"], database.digest());
    by_hand::replicate(&stream, &path, "", body)?;
    Ok(stream)
}

fn status(stream: TcpStream) -> Result<u16> {
    Ok(Answer::read(stream)?.status)
}

#[test]
fn a_server_answers_for_its_other_disks() -> Result<()> {
    on_its_own("hanging::a_server_answers_for_its_other_disks", |dir| {
        let mut scene = crowd(Shape::default())?;
        let disk = Disk::under(&scene.cluster, "d2a", dir)?;
        scene.cluster.serve(2, TYPE, Daemon::Martlet)?;
        let (here, other) = (&titles_on(&scene, "d2a")?[0], &titles_on(&scene, "d2b")?[0]);
        let frozen = disk.freeze()?;
        let stuck = (0..STUCK).map(|_| ask_to_write(&scene, here, "d2a")).collect::<Result<Vec<_>>>()?;
        // These have to wait as long as those, if they wait for them at all.
        assert_eq!(status(ask_to_write(&scene, other, "d2b")?)?, 202);
        assert_eq!(status(ask_to_write(&scene, here, "d2a")?)?, 503);
        assert_eq!(status(ask_to_write(&scene, other, "d2b")?)?, 202);
        let told = scene.cluster.log_lines().join("\n");
        assert!(told.contains("ERROR d2a has ended none of 8 requests for 5s"), "{told}");
        drop(frozen);
        let answers = stuck.into_iter().map(status).collect::<Result<Vec<_>>>()?;
        assert_eq!(answers.iter().filter(|status| **status == 202).count(), 8, "{answers:?}");
        assert!(answers.iter().all(|status| [202, 503].contains(status)), "{answers:?}");
        assert_eq!(status(ask_to_write(&scene, here, "d2a")?)?, 202, "and it is as before");
        Ok(())
    })
}

/// What a pass of node 1 has to do: rows that wait on a disk that hangs, and files that the other one's peers lack.
struct Halved {
    scene: Scene,
    waiting: Vec<String>,
    lacking: Vec<PathBuf>,
}

impl Halved {
    fn on_a_disk(dir: &std::path::Path) -> Result<(Self, Disk)> {
        let scene = crowd(Shape::default())?;
        let disk = Disk::under(&scene.cluster, "d1a", dir)?;
        Ok((Self::set(scene)?, disk))
    }

    fn set(mut scene: Scene) -> Result<Self> {
        for node in Cluster::nodes().filter(|node| *node != 1) {
            scene.cluster.serve(node, TYPE, Daemon::Martlet)?;
        }
        let mut waiting = titles_on(&scene, "d1a")?;
        waiting.truncate(WAITING);
        for title in &waiting {
            scene.cluster.stock().call(&scene.put_request(title, "d1a", "late")?)?;
        }
        let lacking = files_at_peers(&scene, &titles_on(&scene, "d1b")?, "d1b")?;
        let halved = Self { scene, waiting, lacking };
        halved.remove_lacking()?;
        Ok(halved)
    }

    fn remove_lacking(&self) -> Result<()> {
        self.lacking
            .iter()
            .try_for_each(|file| Ok(fs::remove_dir_all(file.parent().context("a hash directory")?)?))
    }

    fn begin(&self, lines: &str) -> Result<ProcessGroup> {
        let (ip, port) = (self.scene.cluster.address(1), METRICS_PORT);
        let metrics = format!("metrics_bind_ip = {ip}\nmetrics_bind_port = {port}\n");
        self.scene.cluster.martlet_loop(1, TYPE, &format!("interval = 0.1\n{metrics}{lines}\n"))
    }

    fn says(&self, words: &str) -> bool {
        self.scene.cluster.log_lines().iter().any(|line| line.contains(words))
    }

    /// Whether Prometheus is told that the disk hangs.
    fn is_shown(&self) -> Result<bool> {
        let page = metrics_page(SocketAddr::from((self.scene.cluster.address(1), METRICS_PORT)))?;
        let name = "martlet_device_stalled_timestamp_seconds{device=\"d1a\",type=\"container\"} ";
        let value = page.lines().find_map(|line| line.strip_prefix(name)).with_context(|| page.clone())?;
        Ok(value.parse::<f64>()? > 0.0)
    }

    fn others_arrive(&self) -> Result<()> {
        until(&self.scene, "the other disk is held up", || Ok(self.lacking.iter().all(|file| file.exists())))
    }

    /// Once more, and how long that takes.
    fn others_arrive_again(&self) -> Result<Duration> {
        let begun = Instant::now();
        self.remove_lacking()?;
        self.others_arrive()?;
        Ok(begun.elapsed())
    }

    /// At how many places the rows are that waited.
    fn arrived(&self) -> Result<usize> {
        let mut places = 0;
        for title in &self.waiting {
            let rows = self.scene.rows(title)?;
            places += rows.values().filter(|rows| rows.iter().any(|row| row == "late")).count();
        }
        Ok(places)
    }
}

#[test]
fn a_pass_goes_on_with_the_other_disks_and_sigterm_ends_it() -> Result<()> {
    on_its_own("hanging::a_pass_goes_on_with_the_other_disks_and_sigterm_ends_it", |dir| {
        let (halved, disk) = Halved::on_a_disk(dir)?;
        let frozen = disk.freeze()?;
        let daemon = halved.begin("shutdown_grace = 1")?;
        halved.others_arrive()?;
        let id = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw).context("an id")?;
        kill_process(id, Signal::TERM)?;
        until(&halved.scene, "SIGTERM waits for the disk", || {
            Ok(halved.says("ending at once, shutdown_grace is over"))
        })?;
        // The kernel lets go of a thread in a system call when the disk goes on.
        drop(frozen);
        assert_eq!(daemon.wait(BOUND)?.code(), Some(1));
        assert_eq!(halved.arrived()?, 0);
        halved.scene.cluster.pass(1, TYPE, Daemon::Martlet)?;
        assert_eq!(halved.arrived()?, 3 * halved.waiting.len());
        Ok(())
    })
}

#[test]
fn passes_go_on_without_a_disk_that_hangs_until_it_answers() -> Result<()> {
    on_its_own("hanging::passes_go_on_without_a_disk_that_hangs_until_it_answers", |dir| {
        let (halved, disk) = Halved::on_a_disk(dir)?;
        let (scene, frozen) = (&halved.scene, disk.freeze()?);
        let _daemon = halved.begin(TIMEOUT)?;
        halved.others_arrive()?;
        until(scene, "the pass does not end", || Ok(halved.says("ERROR d1a: left behind")))?;
        assert!(halved.says("ERROR d1a: nothing has come to an end for "));
        assert!(halved.is_shown()?, "and to whoever scrapes");
        let beside = halved.others_arrive_again()?;
        assert!(halved.says("Skipping: d1a is left behind"), "{}", scene.cluster.log_lines().join("\n"));
        assert_eq!(halved.arrived()?, 0);
        drop(frozen);
        until(scene, "the rows stay", || Ok(halved.arrived()? == 3 * halved.waiting.len()))?;
        until(scene, "it still counts as hanging", || Ok(!halved.is_shown()?))?;
        let alone = halved.others_arrive_again()?;
        let count = halved.lacking.len();
        println!(
            "{count} files of the other disk: {beside:.1?} while one hangs, {alone:.1?} when it does not"
        );
        assert!(!halved.says("ERROR d1b"), "{}", scene.cluster.log_lines().join("\n"));
        Ok(())
    })
}

/// Not even whether it is mounted.
#[test]
fn a_device_that_does_not_say_whether_it_is_there_is_not_waited_for() -> Result<()> {
    let dir = cluster_dir()?;
    let switch = Switch::in_folder(dir.path())?;
    let halved = Halved::set(crowd(switch.shape(1))?)?;
    let place = halved.scene.cluster.disks().join("n1/devices/d1a");
    switch.on(&Fault { calls: "statx", effect: "delay_enter=3600000000", path: &place })?;
    let _daemon = halved.begin("device_timeout = 1")?;
    halved.others_arrive()?;
    assert!(halved.says("Skipping: d1a is left behind"));
    assert_eq!(halved.arrived()?, 0);
    Ok(())
}
