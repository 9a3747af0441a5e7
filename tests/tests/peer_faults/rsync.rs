//! An rsync that is missing, fails, dies, lies, or brings another file than it should.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use martlet_testkit::{Daemon, Scene, ServerType, Shape};
use serde_json::Value;

const TYPE: ServerType = ServerType::Container;
const SENDER: usize = 1;
const SENDERS: &str = "d1a";
const PEERS: [&str; 2] = ["d2a", "d3a"];
/// What our server logs of a file that it does not take.
const REFUSED: &str = "refused the received database";
/// What an rsync does, under its name, and what the sender then logs.
type Script = (&'static str, Option<String>, &'static str);

/// The two databases at a device: their row names, none where there is no database.
type Held = [Option<Vec<String>>; 2];

/// A folder with nothing in it but this rsync; without a script nothing at all.
fn folder_with(parent: &Path, name: &str, script: Option<&str>) -> Result<PathBuf> {
    let folder = parent.join(name);
    fs::create_dir(&folder)?;
    if let Some(script) = script {
        let file = folder.join("rsync");
        fs::write(&file, format!("#!/bin/sh\n{script}\n"))?;
        fs::set_permissions(&file, Permissions::from_mode(0o755))?;
    }
    Ok(folder)
}

/// What never gets to the peer.
fn failing(missing: &'static str, killed: &'static str) -> Vec<Script> {
    let script = |text: &str| Some(text.to_owned());
    vec![
        ("missing", None, missing),
        ("exits", script("exit 12"), "ERROR rsync failed with 12"),
        ("dies", script("kill -9 $$"), killed),
        // The peer says that the file is not there.
        ("lies", script("exit 0"), "course: complete_rsync 404"),
    ]
}

/// Sends what `made` writes to `$0.$$` in place of `$from`.
fn sending(made: &str) -> String {
    let arguments = "PATH=/usr/local/bin:/usr/bin:/bin\nfor next; do from=$to; to=$next; done";
    format!("{arguments}\n{made}\nexec rsync --quiet --no-motd $0.$$ $to")
}

/// Sends half of what it should.
fn truncating() -> Script {
    ("truncates", Some(sending("head -c 10000 $from > $0.$$")), REFUSED)
}

/// Sends noise in the place of two pages.
fn corrupting() -> Script {
    let made = "{ head -c 4096 $from; head -c 8192 /dev/urandom; tail -c +12289 $from; } > $0.$$";
    ("corrupts", Some(sending(made)), REFUSED)
}

/// Sends each of the two databases in place of the other.
fn swapping(scene: &Scene) -> Result<Script> {
    let file = |title| Ok::<_, anyhow::Error>(scene.database(title, SENDERS)?.file().display().to_string());
    let (missing, far_behind) = (file("missing")?, file("far-behind")?);
    let made =
        format!("if [ $from = {missing} ]; then from={far_behind}; else from={missing}; fi; cp $from $0.$$");
    Ok(("swaps", Some(sending(&made)), REFUSED))
}

fn set(servers: Daemon) -> Result<Scene> {
    let mut scene = Scene::set(Shape::default(), "rsync faults", TYPE)?;
    scene.serve(TYPE, servers)?;
    Ok(scene)
}

/// One pass with that rsync: its statistics, and the log.
fn pass_with(scene: &mut Scene, sender: Daemon, (name, script, _): &Script) -> Result<(Value, Vec<String>)> {
    let folder = folder_with(&scene.cluster.swift_dir(), name, script.as_deref())?;
    scene.cluster.look_for_rsync_in(Some(folder));
    scene.cluster.forget_log();
    let stats = scene.cluster.pass(SENDER, TYPE, sender)?;
    scene.cluster.look_for_rsync_in(None);
    Ok((stats, scene.cluster.log_lines()))
}

/// What each device holds.
fn held(scene: &Scene) -> Result<BTreeMap<&'static str, Held>> {
    let (mut missing, mut far_behind) = (scene.rows("missing")?, scene.rows("far-behind")?);
    let devices = [SENDERS].into_iter().chain(PEERS);
    Ok(devices.map(|device| (device, [missing.remove(device), far_behind.remove(device)])).collect())
}

/// Both databases fail at both peers and nothing changes anywhere, whatever rsync does; the next pass makes it good.
fn fails_and_is_made_good(mut scene: Scene, sender: Daemon, scripts: &[Script]) -> Result<()> {
    let before = held(&scene)?;
    for script in scripts {
        let (name, _, words) = script;
        let (stats, log) = pass_with(&mut scene, sender, script)?;
        assert_eq!(stats["failure"], 4, "{name}: {stats}");
        assert!(log.iter().any(|line| line.contains(words)), "{name}: {log:#?}");
        assert_eq!(before, held(&scene)?, "{name}");
    }
    let healed = scene.cluster.pass(SENDER, TYPE, sender)?;
    assert_eq!((&healed["success"], &healed["failure"]), (&4.into(), &0.into()), "{healed}");
    let held = held(&scene)?;
    for device in PEERS {
        let counts = held[device].each_ref().map(|names| names.as_ref().map(Vec::len));
        assert_eq!(counts, [Some(3), Some(42)], "{device}");
    }
    Ok(())
}

#[test]
fn ours_tells_of_a_failing_rsync_and_makes_it_good() -> Result<()> {
    let scripts = failing("rsync cannot be run", "ERROR rsync failed with signal");
    fails_and_is_made_good(set(Daemon::Stock)?, Daemon::Martlet, &scripts)
}

#[test]
fn stock_tells_of_a_failing_rsync_and_makes_it_good() -> Result<()> {
    let scripts = failing("No such file or directory: 'rsync'", "ERROR rsync failed with -9");
    fails_and_is_made_good(set(Daemon::Stock)?, Daemon::Stock, &scripts)
}

#[test]
fn ours_takes_no_damaged_file_from_stock() -> Result<()> {
    let scene = set(Daemon::Martlet)?;
    let scripts = [truncating(), corrupting(), swapping(&scene)?];
    fails_and_is_made_good(scene, Daemon::Stock, &scripts)
}

/// The failures that stock counts towards stock with such an rsync, and what a peer then holds.
fn taken_by_stock(make: impl FnOnce(&Scene) -> Result<Script>) -> Result<(Value, Held)> {
    let mut scene = set(Daemon::Stock)?;
    let script = make(&scene)?;
    let (stats, _) = pass_with(&mut scene, Daemon::Stock, &script)?;
    Ok((stats["failure"].clone(), held(&scene)?.remove(PEERS[0]).unwrap_or_default()))
}

/// Each has the other's rows then, and the one that had rows has both.
#[test]
fn stock_takes_another_database_for_the_one_it_was_told_of() -> Result<()> {
    let (failures, held) = taken_by_stock(swapping)?;
    assert_eq!((failures, held.map(|names| names.map(|names| names.len()))), (0.into(), [Some(40), Some(5)]));
    Ok(())
}

/// Not even the rows that the peer had itself can be read then.
#[test]
fn stock_takes_a_corrupted_file() -> Result<()> {
    assert_eq!(taken_by_stock(|_| Ok(corrupting()))?, (0.into(), [Some(vec![]), Some(vec![])]));
    Ok(())
}

#[test]
fn stock_refuses_a_truncated_file() -> Result<()> {
    let had = ["b0000", "b0001"].map(str::to_owned).to_vec();
    assert_eq!(taken_by_stock(|_| Ok(truncating()))?, (4.into(), [None, Some(had)]));
    Ok(())
}
