use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::cluster::Cluster;

/// What the operator's command says to these words: the exit code, and both outputs.
///
/// # Errors
/// When an output is no text.
pub fn said(words: &[&str]) -> Result<(u8, String, String)> {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let code = martlet::run(["martlet"].iter().chain(words), &mut out, &mut errors);
    Ok((code, String::from_utf8(out)?, String::from_utf8(errors)?))
}

/// The same on a node of a cluster, of an account or container: `path`.
///
/// # Errors
/// As there.
pub fn said_on(
    cluster: &Cluster,
    node: usize,
    command: &str,
    path: &str,
    more: &[&str],
) -> Result<(u8, String, String)> {
    let swift_dir = cluster.swift_dir().display().to_string();
    let devices = cluster.disks().join(format!("n{node}/devices")).display().to_string();
    let words = [command, path, "--swift-dir", &swift_dir, "--devices", &devices];
    said(&[&words, more].concat())
}

/// One replica of those that `martlet status --json` tells of, by `IP/DEVICE`.
///
/// # Errors
/// When it is no such document, or has none of that name.
pub fn replica_told(status: &str, name: &str) -> Result<Value> {
    let status: Value = serde_json::from_str(status)?;
    let mut replicas = status["replicas"].as_array().into_iter().flatten();
    let named = replicas.find(|replica| replica["name"] == name);
    named.cloned().with_context(|| format!("{name} is not in {status:#}"))
}
