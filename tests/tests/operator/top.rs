//! `martlet top --once` beside a daemon that makes passes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{Daemon, ServerType, SettledContainers, Shape};
use serde_json::Value;

use crate::stage::said;

const TYPE: ServerType = ServerType::Container;
const SENDER: usize = SettledContainers::SENDER;
/// Nobody answers there.
const DEAD: usize = 4;
const BOUND: Duration = Duration::from_secs(120);

/// Asked until a pass is over.
fn picture_after_a_pass(words: &[&str]) -> Result<Value> {
    let deadline = Instant::now() + BOUND;
    loop {
        let (code, out, errors) = said(&[words, &["--json"]].concat())?;
        if code == 0 {
            let picture: Value = serde_json::from_str(&out)?;
            if picture["pass"]["completed"].as_u64() > Some(0) {
                return Ok(picture);
            }
        }
        ensure!(Instant::now() < deadline, "no pass is over: {out}{errors}");
    }
}

#[test]
fn a_daemons_pass_devices_and_peers_are_told() -> Result<()> {
    let settled = SettledContainers::start_without(Shape::default(), 8, Daemon::Martlet, &[SENDER, DEAD])?;
    let cluster = &settled.cluster;
    let ip = cluster.address(SENDER);
    let url = format!("http://{ip}:9461/metrics");
    let (code, _, errors) = said(&["top", "--metrics", &url, "--once"])?;
    assert!(code == 2 && errors.contains(&url), "nobody is there yet: {errors}");
    let lines = format!("metrics_bind_ip = {ip}\nmetrics_bind_port = 9461\ninterval = 0.1\n");
    let _daemon = cluster.martlet_loop(SENDER, TYPE, &lines)?;
    let conf = cluster.swift_dir().join(format!("{TYPE}-{SENDER}-begun.conf")).display().to_string();
    let words = ["top", &conf, "--type", "container", "--once"];
    let picture = picture_after_a_pass(&words)?;
    assert_eq!(picture["url"], url);
    assert_eq!(picture["type"], "container");
    let device = &picture["devices"][0];
    assert_eq!(device["name"], "d1a");
    assert!(device["databases"].as_u64() > Some(0), "{picture:#}");
    let peers = picture["peers"].as_array().context("peers")?;
    let dead = peers.iter().find(|peer| peer["name"] == format!("{}/d4a", cluster.address(DEAD)));
    assert!(dead.context("the dead one is told")?["failures"].as_u64() > Some(0), "{picture:#}");
    assert!(picture["queues"].as_array().is_some_and(|queues| !queues.is_empty()), "{picture:#}");
    let (code, text, _) = said(&words)?;
    assert!(code == 0 && text.contains("d4a") && text.contains("complete"), "{text}");
    let (code, _, errors) = said(&words[..4])?;
    assert!(code == 2 && errors.contains("--once"), "no terminal: {errors}");
    Ok(())
}
