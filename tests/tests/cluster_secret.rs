//! Clusters with a secret: who has it is listened to, whoever else changes nothing, and stock does not mind being sent it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use martlet_testkit::{
    Aspect, Cluster, Daemon, Outcome, Scene, ServerType, Shape, Tree, calls, compare, node_of,
};
use protocol::{BodyDigest, Checksum, ClusterSecrets, FileWithMessage, Signable, Signature, SignatureFault};

const KIND: ServerType = ServerType::Container;
/// Three replicas that have each rows of their own, and one of them many.
const SUITE: &str = "merged";
const CASE: &str = "merged";
const SECRET: &str = "a-secret-of-the-cluster";
const NEXT: &str = "the-next-secret-of-it";
const ANOTHER: &str = "of-some-other-cluster";

fn base() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor())
}

fn secret_file(cluster: &Cluster, node: usize) -> PathBuf {
    cluster.swift_dir().join(format!("secret-{node}"))
}

/// Writes a node's secrets, and has its confs name them; takes effect on what is started from now on.
fn give(cluster: &Cluster, node: usize, secrets: &str) -> Result<()> {
    let file = secret_file(cluster, node);
    let is_named = file.exists();
    fs::write(&file, secrets)?;
    fs::set_permissions(&file, Permissions::from_mode(0o600))?;
    for server_type in [ServerType::Account, ServerType::Container].into_iter().filter(|_| !is_named) {
        let conf = cluster.conf(node, server_type);
        let mut text = fs::read_to_string(&conf)?;
        writeln!(text, "cluster_secret_file = {}", file.display())?;
        fs::write(conf, text)?;
    }
    Ok(())
}

/// Three rounds of our passes over a scene of every course that needs no failing device; what came of it.
fn after_three_rounds(
    at: f64,
    server_type: ServerType,
    servers: Daemon,
    secret: Option<&str>,
) -> Result<Outcome> {
    let mut scene = Scene::set_at(at, Shape::default(), "main", server_type)?;
    for node in Cluster::nodes() {
        secret.map_or(Ok(()), |secret| give(&scene.cluster, node, secret))?;
    }
    scene.serve(server_type, servers)?;
    for node in Cluster::nodes().chain(Cluster::nodes()).chain(Cluster::nodes()) {
        scene.cluster.pass(node, server_type, Daemon::Martlet)?;
    }
    Ok(Outcome { dump: scene.dump()?, counters: BTreeMap::new(), log: scene.cluster.log_lines() })
}

fn comes_to_the_same(server_type: ServerType, servers: Daemon) -> Result<()> {
    let at = base()?;
    let open = after_three_rounds(at, server_type, servers, None)?;
    let locked = after_three_rounds(at, server_type, servers, Some(SECRET))?;
    assert_eq!(compare(&open, &locked, &[Aspect::Content]), []);
    let told: Vec<_> = calls(&locked.log).into_values().flatten().collect();
    for call in ["complete_rsync 204", "rsync_then_merge 204", "merge_items 202", "sync 200"] {
        assert!(told.iter().any(|told| told == call), "no {call}");
    }
    let refusals = locked.log.iter().filter(|line| line.contains("REPLICATE from") || line.contains(" 403 "));
    assert_eq!(refusals.collect::<Vec<_>>(), [""; 0]);
    let betrayed = locked.log.iter().filter(|line| line.contains(SECRET));
    assert_eq!(betrayed.collect::<Vec<_>>(), [""; 0]);
    Ok(())
}

#[test]
fn containers_of_nodes_with_one_secret_come_to_the_same_as_without() -> Result<()> {
    comes_to_the_same(ServerType::Container, Daemon::Martlet)
}

#[test]
fn accounts_of_nodes_with_one_secret_come_to_the_same_as_without() -> Result<()> {
    comes_to_the_same(ServerType::Account, Daemon::Martlet)
}

#[test]
fn stock_takes_what_is_signed_and_does_not_mind() -> Result<()> {
    comes_to_the_same(ServerType::Container, Daemon::Stock)
}

/// Servers of ours that share a secret, but for one node, whose passes are another's; the databases are as they were built.
struct Locked {
    scene: Scene,
    /// The node of the first primary, which has most rows.
    outsider: usize,
}

impl Locked {
    fn but_for_one(theirs: Option<&str>) -> Result<Self> {
        let mut scene = Scene::set(Shape::default(), SUITE, KIND)?;
        let outsider = node_of(&scene.primaries(CASE)?[0]);
        for node in Cluster::nodes() {
            let secret = if node == outsider { theirs } else { Some(SECRET) };
            secret.map_or(Ok(()), |secret| give(&scene.cluster, node, secret))?;
        }
        scene.serve(KIND, Daemon::Martlet)?;
        Ok(Self { scene, outsider })
    }

    /// All that lies on the disks of the others.
    fn others(&self) -> Result<Vec<Tree>> {
        let others = Cluster::nodes().filter(|node| *node != self.outsider);
        others.map(|node| Tree::read(&self.scene.cluster.disks().join(format!("n{node}")))).collect()
    }

    /// The pass of `sender` on that node fails with both peers and changes nothing there; what was logged.
    fn nothing_comes_of_a_pass(&self, sender: Daemon) -> Result<Vec<String>> {
        let cluster = &self.scene.cluster;
        let before = self.others()?;
        let stats = cluster.pass(self.outsider, KIND, sender)?;
        assert_eq!(stats["failure"], 2, "{stats}");
        assert!(self.others()? == before, "something on another node's disks is different");
        let lines = cluster.log_lines();
        assert_eq!(count(&lines, "ERROR refused REPLICATE from "), 2, "once by each peer: {lines:#?}");
        Ok(lines)
    }
}

fn count(lines: &[String], words: &str) -> usize {
    lines.iter().filter(|line| line.contains(words)).count()
}

#[test]
fn a_node_with_another_secret_changes_nothing_and_says_why() -> Result<()> {
    let locked = Locked::but_for_one(Some(ANOTHER))?;
    let lines = locked.nothing_comes_of_a_pass(Daemon::Martlet)?;
    assert_eq!(count(&lines, "refuses REPLICATE from this node (403, signature wrong)"), 2, "{lines:#?}");
    assert_eq!(count(&lines, "Bad response"), 0, "said once by the peer, not by the database");
    assert_eq!(count(&lines, "it is signed by none of the secrets in this node's cluster_secret_file"), 2);
    assert_eq!(count(&lines, SECRET) + count(&lines, ANOTHER), 0);
    Ok(())
}

#[test]
fn a_node_without_a_secret_changes_nothing_and_says_why() -> Result<()> {
    let locked = Locked::but_for_one(None)?;
    let lines = locked.nothing_comes_of_a_pass(Daemon::Martlet)?;
    assert_eq!(count(&lines, "has a cluster_secret_file and this node has none"), 2, "{lines:#?}");
    Ok(())
}

#[test]
fn stock_is_not_listened_to() -> Result<()> {
    let locked = Locked::but_for_one(Some(SECRET))?;
    let lines = locked.nothing_comes_of_a_pass(Daemon::Stock)?;
    assert_eq!(count(&lines, "replicators and sharders cannot sign"), 2, "{lines:#?}");
    Ok(())
}

/// Each node comes to the next stage while others are still in the one before, and all go on.
#[test]
fn a_secret_is_replaced_while_the_cluster_runs() -> Result<()> {
    let stages =
        [SECRET.to_owned(), format!("{SECRET} {NEXT}"), format!("{NEXT}\n{SECRET}\n"), NEXT.to_owned()];
    let mut scene = Scene::set(Shape::default(), SUITE, KIND)?;
    for node in Cluster::nodes() {
        give(&scene.cluster, node, SECRET)?;
    }
    scene.serve(KIND, Daemon::Martlet)?;
    for stage in &stages {
        for node in Cluster::nodes() {
            scene.cluster.end_server(node, KIND)?;
            give(&scene.cluster, node, stage)?;
            scene.cluster.serve(node, KIND, Daemon::Martlet)?;
            // Whoever has gone ahead sends to those behind, and the other way round.
            for sender in Cluster::nodes() {
                scene.cluster.pass(sender, KIND, Daemon::Martlet)?;
            }
        }
    }
    let lines = scene.cluster.log_lines();
    assert_eq!(count(&lines, "REPLICATE from"), 0, "{lines:#?}");
    let rows = scene.rows(CASE)?;
    assert!(rows.len() == 3 && rows.values().all(|names| names.len() == 44), "{rows:#?}");
    Ok(())
}

/// The status for a request that is written by hand, to a node's server.
fn tell(
    cluster: &Cluster,
    node: usize,
    path: &str,
    head: &str,
    body: &[u8],
) -> Result<(u16, Option<SignatureFault>)> {
    let mut stream = TcpStream::connect((cluster.address(node), KIND.default_port()))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let length = body.len();
    write!(
        stream,
        "REPLICATE {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{head}\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok((status, SignatureFault::from_answer(body.as_bytes())))
}

/// As a recorded request of a peer would be changed, or sent again too late.
#[test]
fn a_request_that_was_changed_or_is_old_changes_nothing() -> Result<()> {
    let mut scene = Scene::set(Shape::default(), SUITE, KIND)?;
    let device = scene.primaries(CASE)?.remove(1);
    let node = node_of(&device);
    give(&scene.cluster, node, SECRET)?;
    scene.cluster.serve(node, KIND, Daemon::Martlet)?;
    let secrets = ClusterSecrets::parse(SECRET)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let (case, sender) = (scene.case(CASE)?, scene.database(CASE, &scene.primaries(CASE)?[0])?);
    let hash = case["hash"].as_str().context("a hash")?;
    let tmp = scene.cluster.disks().join(format!("n{node}/devices/{device}/tmp"));
    let path = format!("/{device}/{}/{hash}", case["part"]);
    let other_path = format!("/{device}/{}/{}", case["part"], hash.chars().rev().collect::<String>());

    // D3 with a good deal of metadata: a stat row that deletes the container.
    let message = |deleted: &str| {
        format!(
            r#"["sync", 5, "00000000000000000000000000000000", "them", "0000000001.00000", "0000000001.00000", "{deleted}", ""]"#
        )
    };
    let (body, changed) = (message("0"), message("0000000002.00000"));
    let sign = |signable: Signable<'_>, seconds: u64, content: &[u8]| {
        let signature = secrets.sign(signable, seconds, BodyDigest::of(content));
        format!("{}: {signature}\r\n", Signature::HEADER)
    };
    let good = sign(Signable::message(&path), now, body.as_bytes());
    let old = sign(Signable::message(&path), now - 1000, body.as_bytes());

    // A whole file that is to be merged, its last byte changed, and the transfer's own checksum with it.
    let file = fs::read(sender.file())?;
    let altered = [&file[..file.len() - 1], &[!file[file.len() - 1]]].concat();
    let sent = |file: &[u8]| {
        let mut sum = Checksum::default();
        sum.update(file);
        [file, &sum.finish()].concat()
    };
    let merge = r#"["rsync_then_merge", "them"]"#;
    let with_file = |signature: &str| {
        format!(
            "{signature}Content-Type: {}\r\n{}: {}\r\n{}: {merge}\r\n",
            FileWithMessage::CONTENT_TYPE,
            FileWithMessage::LENGTH,
            file.len(),
            FileWithMessage::MESSAGE
        )
    };
    let signable = Signable::new(&path, FileWithMessage::CONTENT_TYPE, Some(merge.as_bytes()));
    let good_file = with_file(&sign(signable, now, &file));
    let old_file = with_file(&sign(signable, now - 1000, &file));

    for (what, path, head, body, fault) in [
        ("a body", &path, &good, changed.as_bytes(), SignatureFault::OtherBody),
        ("a path", &other_path, &good, body.as_bytes(), SignatureFault::Wrong),
        ("a time", &path, &old, body.as_bytes(), SignatureFault::Stale),
        ("a file", &path, &good_file, &sent(&altered), SignatureFault::OtherBody),
        ("a file's path", &other_path, &good_file, &sent(&file), SignatureFault::Wrong),
        ("a file's time", &path, &old_file, &sent(&file), SignatureFault::Stale),
        ("a file's lack of a signature", &path, &with_file(""), &sent(&file), SignatureFault::Missing),
    ] {
        let before = (Tree::read(&scene.cluster.disks())?, scene.dump()?["cases"].take());
        assert_eq!(tell(&scene.cluster, node, path, head, body)?, (403, Some(fault)), "{what}");
        // What a file is can be said when it lies in `tmp`, and not before.
        if head != &good_file {
            assert!(Tree::read(&scene.cluster.disks())? == before.0, "{what} changes something on a disk");
        }
        assert_eq!(scene.dump()?["cases"], before.1, "{what} changes a database");
        assert!(is_empty(&tmp), "{what} leaves something");
    }
    assert_eq!(tell(&scene.cluster, node, &path, &good, body.as_bytes())?, (200, None));
    assert_eq!(tell(&scene.cluster, node, &path, &good_file, &sent(&file))?, (204, None));
    assert_eq!(names(&scene, &device)?, 42);
    // Sent again: nothing is different for it, but the id that each merged file has.
    assert_eq!(tell(&scene.cluster, node, &path, &good_file, &sent(&file))?, (204, None));
    assert_eq!(names(&scene, &device)?, 42);
    Ok(())
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

fn names(scene: &Scene, device: &str) -> Result<usize> {
    Ok(scene.rows(CASE)?.get(device).map_or(0, Vec::len))
}
