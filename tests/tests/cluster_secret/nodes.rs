//! Nodes with the same secret, with another and with none; stock on either side; a secret that is replaced.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use martlet_testkit::{
    Aspect, Cluster, Daemon, Outcome, Scene, ServerType, Shape, Tree, calls, compare, node_of,
};

pub(crate) const KIND: ServerType = ServerType::Container;
/// Three replicas that have each rows of their own, and one of them many.
pub(crate) const SUITE: &str = "merged";
pub(crate) const CASE: &str = "merged";
pub(crate) const SECRET: &str = "a-secret-of-the-cluster";
const NEXT: &str = "the-next-secret-of-it";
const ANOTHER: &str = "of-some-other-cluster";

fn base() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor())
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
        secret.map(|secret| scene.cluster.give_secrets(node, secret)).transpose()?;
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
            secret.map(|secret| scene.cluster.give_secrets(node, secret)).transpose()?;
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
        scene.cluster.give_secrets(node, SECRET)?;
    }
    scene.serve(KIND, Daemon::Martlet)?;
    for stage in &stages {
        for node in Cluster::nodes() {
            scene.cluster.end_server(node, KIND)?;
            scene.cluster.give_secrets(node, stage)?;
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
