//! `martlet plan` beside the pass that follows: what it says is what is done, and saying it changes nothing.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Result, ensure};
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, SettledContainers, Shape, Tree, martlet_program};
use serde_json::{Value, json};

use crate::stage::said;

const TYPE: ServerType = ServerType::Container;
const COUNTED: [&str; 7] =
    ["no_change", "diff", "diff_capped", "rsync", "remote_merge", "deferred", "remove"];

/// The exit code and the plan of a node, after which nothing below `untouched` is otherwise than before, times included.
fn plan(
    cluster: &Cluster,
    node: usize,
    server_type: ServerType,
    untouched: &Path,
    more: &[&str],
) -> Result<(u8, Value)> {
    let conf = cluster.conf(node, server_type).display().to_string();
    let words = [&["plan", &conf, "--type", server_type.name(), "--json"], more].concat();
    let before = Tree::read(untouched)?;
    let (code, out, errors) = said(&words)?;
    ensure!(errors.is_empty(), "{errors}");
    let after = Tree::read(untouched)?;
    assert!(after == before, "something has changed by planning");
    Ok((code, serde_json::from_str(&out)?))
}

/// Plans each node and lets it pass, in turn.
fn plans_are_what_passes_do(server_type: ServerType, suite: &str) -> Result<()> {
    let mut scene = Scene::set(Shape::default(), suite, server_type)?;
    scene.serve(server_type, Daemon::Martlet)?;
    for node in Cluster::nodes() {
        // A peer that is asked merges rows that wait and quarantines what is damaged, as for any reader, and answers otherwise
        // from then on; this node's disks are another matter.
        let own = scene.cluster.disks().join(format!("n{node}"));
        plan(&scene.cluster, node, server_type, &own, &[])?;
        let (_, planned) = plan(&scene.cluster, node, server_type, &own, &[])?;
        let passed = scene.cluster.pass(node, server_type, Daemon::Martlet)?;
        let total = &planned["total"];
        let of_plan = COUNTED.map(|key| (key, total["steps"][key].clone()));
        let of_pass = COUNTED.map(|key| (key, passed[key].clone()));
        assert_eq!((&total["databases"], of_plan), (&passed["attempted"], of_pass), "node {node}");
    }
    Ok(())
}

/// By path, what would become of it.
fn troubles(planned: &Value) -> BTreeMap<String, String> {
    let all = planned["troubles"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.map(|trouble| (text(&trouble["path"]), text(&trouble["what"]))).collect()
}

#[test]
fn a_plan_without_asking_changes_nothing_anywhere_and_knows_what_will_be_quarantined() -> Result<()> {
    let mut scene = Scene::set(Shape::default(), "main", TYPE)?;
    scene.serve(TYPE, Daemon::Martlet)?;
    // A pass removes it.
    let empty = scene.cluster.disks().join("n1/devices/d1a/containers/63/abc");
    fs::create_dir_all(&empty)?;
    let (code, planned) = plan(&scene.cluster, 1, TYPE, &scene.cluster.disks(), &["--offline"])?;
    assert_eq!((code, &planned["asked"]), (1, &json!("nobody")));
    let total = &planned["total"];
    let count = |key: &str| total[key].as_u64().unwrap_or_default();
    assert!(count("unasked") > 0 && count("waiting_rows") > 0, "{total:#}");
    let settled = ["reclaimed", "quarantined", "unreadable", "left_alone"].map(count);
    // Between the two: deleted long ago, and the account has not heard of it.
    assert!(count("unasked") + settled.iter().sum::<u64>() <= count("databases"), "{total:#}");
    assert_eq!(&planned["devices"][0]["databases"], &total["databases"]);
    let damaged: Vec<_> = troubles(&planned).into_iter().filter(|(_, what)| what == "quarantined").collect();
    assert_eq!(damaged.len() as u64, count("quarantined"));
    assert!(!damaged.is_empty() && damaged.iter().all(|(path, _)| Path::new(path).exists()));
    scene.cluster.pass(1, TYPE, Daemon::Martlet)?;
    assert!(!empty.exists());
    assert!(damaged.iter().all(|(path, _)| is_replaced_or_gone(Path::new(path))));
    Ok(())
}

/// It was moved away; a peer may have sent a good one since.
fn is_replaced_or_gone(path: &Path) -> bool {
    let device = path.ancestors().find(|dir| dir.join("quarantined").is_dir());
    let hash = path.parent().and_then(Path::file_name);
    device.zip(hash).is_some_and(|(device, hash)| device.join("quarantined/containers").join(hash).exists())
}

#[test]
fn a_plan_says_what_is_wrong_with_the_conf() -> Result<()> {
    let cluster = Cluster::start(Shape::default())?;
    let conf = cluster.conf(1, TYPE);
    let text = fs::read_to_string(&conf)?;
    let elsewhere = text.replace(&format!("bind_ip = {}", cluster.address(1)), "bind_ip = 127.0.0.1");
    let other = cluster.swift_dir().join("elsewhere.conf");
    fs::write(&other, elsewhere)?;
    let (code, _, errors) = said(&["plan", &other.display().to_string(), "--type", "container"])?;
    assert!(code == 2 && errors.contains("bind_ip") && errors.contains("elsewhere.conf"), "{errors}");
    fs::write(&other, "[account-replicator]\n[container-replicator]\n")?;
    let (code, _, errors) = said(&["plan", &other.display().to_string()])?;
    assert!(code == 2 && errors.contains("--type"), "{errors}");
    fs::write(&other, "[DEFAULT]\n")?;
    let (code, _, errors) = said(&["plan", &other.display().to_string()])?;
    assert!(code == 2 && errors.contains("elsewhere.conf"), "{errors}");
    Ok(())
}

#[test]
fn a_plan_for_people_names_what_would_be_done() -> Result<()> {
    let scene = Scene::set(Shape::default(), "main", TYPE)?;
    let conf = scene.cluster.conf(1, TYPE).display().to_string();
    let (code, text, errors) = said(&["plan", &conf, "--type", "container"])?;
    assert_eq!((code, errors.as_str()), (1, ""));
    for words in
        ["1 in sync", "fail towards a peer with", "quarantine ", "would be quarantined: corrupted database"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    Ok(())
}

/// The program itself: it shares standard error with the thread that draws there.
#[test]
fn on_a_terminal_a_bar_is_drawn_and_the_plan_comes_to_its_end() -> Result<()> {
    let settled = SettledContainers::start_without(Shape::default(), 8, Daemon::Martlet, &[])?;
    let conf = settled.cluster.conf(SettledContainers::SENDER, TYPE);
    let program = martlet_program(TYPE)?.with_file_name("martlet");
    let line = format!("stty cols 120; {} plan {} --type container", program.display(), conf.display());
    let mut script = Command::new("timeout");
    script
        .args(["60", "script", "--quiet", "--return", "--command", &line, "/dev/null"])
        .env("TERM", "xterm");
    let output = script.stdin(Stdio::null()).output()?;
    let drawn = String::from_utf8_lossy(&output.stdout);
    assert!(drawn.contains(" partitions, "), "{}: {drawn}", output.status);
    assert!(drawn.contains("The next pass would:"), "{}: {drawn}", output.status);
    Ok(())
}

#[test]
fn where_a_pass_would_find_nothing_to_do_the_plan_exits_0() -> Result<()> {
    let settled = SettledContainers::start_without(Shape::default(), 8, Daemon::Martlet, &[])?;
    settled.cluster.pass(SettledContainers::SENDER, TYPE, Daemon::Martlet)?;
    let conf = settled.cluster.conf(SettledContainers::SENDER, TYPE).display().to_string();
    let plan = || said(&["plan", &conf, "--type", "container"]);
    assert_eq!(plan()?.0, 0, "{}", plan()?.1);
    settled.change()?;
    assert_eq!(plan()?.0, 1, "{}", plan()?.1);
    Ok(())
}

#[test]
fn plans_of_containers_are_what_passes_do() -> Result<()> {
    plans_are_what_passes_do(ServerType::Container, "main")
}

#[test]
fn plans_of_accounts_are_what_passes_do() -> Result<()> {
    plans_are_what_passes_do(ServerType::Account, "main")
}
