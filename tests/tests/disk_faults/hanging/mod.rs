//! A disk that takes no write and reports no error: whoever writes to it waits until it goes on.

mod halved;
mod manager;
mod server;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use martlet_testkit::{Daemon, Scene, Shape, cluster_dir, on_its_own};
use rustix::process::{Pid, Signal, kill_process};

use self::{halved::Halved, manager::Manager};
use crate::{
    injection::{Fault, Switch},
    site::TYPE,
};

/// Seconds for which a pass waits for a disk; more than anything here takes, and than what no metric shows.
const TIMEOUT: &str = "device_timeout = 6";
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

fn until(scene: &Scene, what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + BOUND;
    while !is_so()? {
        assert!(Instant::now() < deadline, "{what}\n{}", scene.cluster.log_lines().join("\n"));
    }
    Ok(())
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
        halved.will_say("ending at once, shutdown_grace is over")?;
        // The kernel lets go of a thread in a system call when the disk goes on.
        drop(frozen);
        assert_eq!(daemon.wait(BOUND)?.code(), Some(1));
        assert!(halved.none_arrived("d1a")?);
        halved.scene.cluster.pass(1, TYPE, Daemon::Martlet)?;
        assert!(halved.all_arrived("d1a")?);
        Ok(())
    })
}

#[test]
fn passes_go_on_without_a_disk_that_hangs_until_it_answers() -> Result<()> {
    on_its_own("hanging::passes_go_on_without_a_disk_that_hangs_until_it_answers", |dir| {
        let manager = Manager::at(dir)?;
        let (halved, [disk]) = Halved::on_disks(crowd(manager.shape(1))?, ["d1a"], "d1b", dir)?;
        let (scene, frozen) = (&halved.scene, disk.freeze()?);
        let _daemon = halved.begin(TIMEOUT)?;
        manager.hears("STATUS=a pass is under way; hanging: d1a")?;
        manager.hears("WATCHDOG=1")?;
        halved.others_arrive()?;
        halved.will_say("ERROR d1a: left behind")?;
        assert!(halved.says("ERROR d1a: nothing has come to an end for "));
        assert!(halved.is_shown("d1a")?, "and to whoever scrapes");
        assert!(halved.is_on_the_page("d1a")?, "and to whoever looks");
        assert!(halved.status_tells_of_waiting("d1a")?, "and to whoever asks about one of its databases");
        let beside = halved.others_arrive_again()?;
        assert!(halved.says("Skipping: d1a is left behind"), "{}", scene.cluster.log_lines().join("\n"));
        assert!(halved.passes_are_counted_as_aborted()?);
        assert!(halved.none_arrived("d1a")?);
        drop(frozen);
        until(scene, "the rows stay", || halved.all_arrived("d1a"))?;
        until(scene, "it still counts as hanging", || Ok(!halved.is_shown("d1a")?))?;
        let alone = halved.others_arrive_again()?;
        let count = halved.lacking.len();
        println!(
            "{count} files of the other disk: {beside:.1?} while one hangs, {alone:.1?} when it does not"
        );
        assert!(!halved.says("ERROR d1b"), "{}", scene.cluster.log_lines().join("\n"));
        Ok(())
    })
}

#[test]
fn each_of_two_disks_is_taken_up_again_when_it_answers() -> Result<()> {
    on_its_own("hanging::each_of_two_disks_is_taken_up_again_when_it_answers", |dir| {
        let scene = crowd(Shape { devices_per_node: 3, ..Shape::default() })?;
        let (halved, [first, second]) = Halved::on_disks(scene, ["d1a", "d1b"], "d1c", dir)?;
        let (frozen, thawing) = (first.freeze()?, second.freeze()?);
        let _daemon = halved.begin(TIMEOUT)?;
        halved.others_arrive()?;
        halved.will_say("ERROR d1a: left behind")?;
        halved.will_say("ERROR d1b: left behind")?;
        drop(thawing);
        until(&halved.scene, "the second waits for the first", || halved.all_arrived("d1b"))?;
        halved.will_say("d1b answers again")?;
        assert!(!halved.is_shown("d1b")? && halved.is_shown("d1a")?);
        assert!(halved.none_arrived("d1a")?);
        drop(frozen);
        until(&halved.scene, "the rows stay", || halved.all_arrived("d1a"))
    })
}

#[test]
fn once_tells_by_its_exit_code_that_it_has_left_a_disk_behind() -> Result<()> {
    on_its_own("hanging::once_tells_by_its_exit_code_that_it_has_left_a_disk_behind", |dir| {
        let (halved, disk) = Halved::on_a_disk(dir)?;
        let frozen = disk.freeze()?;
        let once = halved.once("device_timeout = 2")?;
        halved.will_say("ERROR d1a: left behind")?;
        halved.others_arrive()?;
        drop(frozen);
        assert_eq!(once.wait(BOUND)?.code(), Some(1));
        Ok(())
    })
}

/// Not even whether it is mounted.
#[test]
fn a_device_that_does_not_say_whether_it_is_there_is_not_waited_for() -> Result<()> {
    let dir = cluster_dir()?;
    let switch = Switch::in_folder(dir.path())?;
    let halved = Halved::set(crowd(switch.shape(1))?, &["d1a"], "d1b")?;
    let place = halved.scene.cluster.disks().join("n1/devices/d1a");
    // In microseconds, of which strace does not let go before, not even of a process that has ended.
    switch.on(&Fault { calls: "statx", effect: "delay_enter=12000000", path: &place })?;
    let once = halved.once("device_timeout = 3")?.wait(BOUND)?;
    assert_eq!(once.code(), Some(1), "{}", halved.scene.cluster.log_lines().join("\n"));
    halved.others_arrive()?;
    assert!(halved.says("Skipping: d1a is left behind"));
    assert!(halved.none_arrived("d1a")?);
    Ok(())
}
