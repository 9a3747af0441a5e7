//! Below `fallocate_reserve`: stock's server and ours read the same file and refuse the same with 507, and a
//! sender makes no copy on its own disk.

use std::fs;

use anyhow::Result;
use martlet_testkit::by_hand::{self, Answer};
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, Shape, Tree, node_of};
use rustix::fs::statvfs;

const MISSING: u16 = 404;
const FULL: u16 = 507;

/// The status for a `sync` of a database that is not there, to each node's own device.
fn ask(cluster: &Cluster, node: usize, server_type: ServerType) -> Result<u16> {
    let body = r#"["sync", 1, "h", "id", "1", "1", "0", ""]"#;
    let stream = by_hand::connect((cluster.address(node), server_type.default_port()).into())?;
    by_hand::replicate(&stream, &format!("/d{node}a/7/0123456789abcdef0123456789abcdef"), "", body)?;
    Ok(Answer::read(stream)?.status)
}

/// What stock's server on node 1 and ours on node 2 say with these lines under `[DEFAULT]`.
fn answers(cluster: &mut Cluster, server_type: ServerType, lines: &str) -> Result<(u16, u16)> {
    for (node, daemon) in [(1, Daemon::Stock), (2, Daemon::Martlet)] {
        let path = cluster.conf(node, server_type);
        let text = fs::read_to_string(&path)?;
        fs::write(&path, text.replace("[DEFAULT]\n", &format!("[DEFAULT]\n{lines}\n")))?;
        cluster.serve(node, server_type, daemon)?;
        fs::write(&path, text)?;
    }
    let answers = (ask(cluster, 1, server_type)?, ask(cluster, 2, server_type)?);
    cluster.stop_server(1, server_type)?;
    cluster.stop_server(2, server_type)?;
    Ok(answers)
}

fn same_as_stock(server_type: ServerType) -> Result<()> {
    let mut cluster = Cluster::start(Shape::default())?;
    let stat = statvfs(cluster.disks())?;
    let free = stat.f_bavail * stat.f_frsize;
    let percent = stat.f_bavail * 100 / stat.f_blocks;
    assert!(stat.f_bavail < stat.f_blocks && percent > 1, "the cluster itself takes some room");
    for (lines, wanted) in [
        (String::new(), MISSING),
        ("fallocate_reserve = 0".to_owned(), MISSING),
        (format!("fallocate_reserve = {}", free / 2), MISSING),
        (format!("fallocate_reserve = {}", free.saturating_mul(2)), FULL),
        (format!("fallocate_reserve = {}%", percent / 2), MISSING),
        ("fallocate_reserve = 0.5%".to_owned(), MISSING),
        ("fallocate_reserve = 100%".to_owned(), FULL),
        ("fallocate_reserve = 100 %\ndisable_fallocate = yes".to_owned(), FULL),
    ] {
        let (stocks, ours) = answers(&mut cluster, server_type, &lines)?;
        assert_eq!((stocks, ours), (wanted, wanted), "{lines}");
    }
    Ok(())
}

#[test]
fn account_servers() -> Result<()> {
    same_as_stock(ServerType::Account)
}

#[test]
fn container_servers() -> Result<()> {
    same_as_stock(ServerType::Container)
}

/// Whether a sender whose conf has these lines instead of a sound `rsync_module` brings two whole files to peers of ours.
fn goes_without_rsync(scene: &Scene, lines: &str) -> Result<bool> {
    let node = node_of(&scene.primaries("merged")?[0]);
    let path = scene.cluster.conf(node, ServerType::Container);
    let text = fs::read_to_string(&path)?;
    let nowhere = format!("rsync_module = {{replication_ip}}::nowhere\n{lines}\n#");
    fs::write(&path, text.replace("rsync_module =", &nowhere))?;
    let stats = scene.cluster.pass(node, ServerType::Container, Daemon::Martlet)?;
    fs::write(&path, text)?;
    assert_eq!(stats["remote_merge"], 2, "{stats}");
    Ok(stats["failure"] == 0)
}

/// Makes the file that is sent larger than what is copied in memory, as preallocation does.
fn grow(scene: &Scene) -> Result<()> {
    let database = scene.database("merged", &scene.primaries("merged")?[0])?;
    Ok(fs::File::options().write(true).open(database.file())?.set_len(3 << 20)?)
}

#[test]
fn a_small_file_needs_no_room_for_a_copy() -> Result<()> {
    let mut scene = Scene::set(Shape::default(), "merged", ServerType::Container)?;
    scene.serve(ServerType::Container, Daemon::Martlet)?;
    assert!(goes_without_rsync(&scene, "fallocate_reserve = 100%")?);
    Ok(())
}

#[test]
fn a_disk_without_room_for_a_copy_is_left_by_rsync() -> Result<()> {
    let mut scene = Scene::set(Shape::default(), "merged", ServerType::Container)?;
    scene.serve(ServerType::Container, Daemon::Martlet)?;
    grow(&scene)?;
    assert!(!goes_without_rsync(&scene, "fallocate_reserve = 100%")?);
    assert!(scene.rows("merged")?.values().any(|rows| rows.len() == 2), "nothing came");
    let node = node_of(&scene.primaries("merged")?[0]);
    let path = scene.cluster.conf(node, ServerType::Container);
    let text = fs::read_to_string(&path)?;
    fs::write(&path, text.replace("[DEFAULT]", "[DEFAULT]\nfallocate_reserve = 100%"))?;
    let stats = scene.cluster.pass(node, ServerType::Container, Daemon::Martlet)?;
    assert_eq!((&stats["remote_merge"], &stats["failure"]), (&2.into(), &0.into()), "{stats}");
    Ok(())
}

#[test]
fn with_room_for_a_copy_no_rsync_is_needed() -> Result<()> {
    let mut scene = Scene::set(Shape::default(), "merged", ServerType::Container)?;
    scene.serve(ServerType::Container, Daemon::Martlet)?;
    grow(&scene)?;
    assert!(goes_without_rsync(&scene, "")?);
    Ok(())
}

/// Neither rows nor whole files get as far as the disk, not even into `tmp`.
#[test]
fn nothing_is_written_at_a_peer_below_its_reserve() -> Result<()> {
    let server_type = ServerType::Container;
    for receiver in [Daemon::Stock, Daemon::Martlet] {
        let mut scene = Scene::set(Shape::default(), "disk", server_type)?;
        let conf = scene.cluster.conf(2, server_type);
        let text = fs::read_to_string(&conf)?;
        fs::write(&conf, text.replace("[DEFAULT]", "[DEFAULT]\nfallocate_reserve = 100%"))?;
        for node in 2..=4 {
            scene.cluster.serve(node, server_type, if node == 2 { receiver } else { Daemon::Martlet })?;
        }
        let disk = scene.cluster.disks().join("n2");
        let before = Tree::read(&disk)?;
        let stats = scene.cluster.pass(1, server_type, Daemon::Martlet)?;
        let failed = &stats["failure_nodes"][scene.cluster.address(2).to_string()]["d2a"];
        assert_eq!(*failed, scene.cases().count(), "{receiver:?} {stats}");
        assert!(Tree::read(&disk)? == before, "{receiver:?}");
        assert_eq!(scene.rows("alone")?["d4a"].len(), 3, "a handoff takes its place");
    }
    Ok(())
}
