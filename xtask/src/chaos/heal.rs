//! Rounds of updaters and passes on all nodes, until nothing moves any more.

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use testkit::{Saio, ServerType};

use super::storm;
use crate::{files::files_below, interrupt::Interrupt, screen::Screen};

/// More rounds than any number of lost updates can call for.
const LIMIT: usize = 10;
/// Statistics of a pass that moved something, or could not.
const MOVES: [&str; 6] = ["diff", "diff_capped", "rsync", "remote_merge", "remove", "failure"];

/// Returns after how many rounds the last one moved nothing. All servers have to run.
pub(super) fn heal(saio: &Saio, screen: Screen, interrupt: &Interrupt) -> Result<usize> {
    let mut moved = Vec::new();
    for round in 1..=LIMIT {
        moved.clear();
        // Listings first: what they tell the accounts is then up to date.
        update("swift-object-updater", saio, interrupt)?;
        moved.extend(passes(ServerType::Container, saio, interrupt)?);
        update("swift-container-updater", saio, interrupt)?;
        moved.extend(passes(ServerType::Account, saio, interrupt)?);
        moved.extend(waiting(saio)?);
        if moved.is_empty() {
            return Ok(round);
        }
        screen.progress(&format!("   healing, round {round}: {}", moved.join(", ")));
    }
    bail!("after {LIMIT} rounds there is still: {}", moved.join(", "))
}

fn update(name: &str, saio: &Saio, interrupt: &Interrupt) -> Result<()> {
    for node in Saio::nodes() {
        interrupt.check()?;
        let output = saio.run(name, &[&storm::conf(node, name).display().to_string(), "once"])?;
        ensure!(output.status.success(), "{name} of node {node} ended with {}", output.status);
    }
    Ok(())
}

/// One pass on each node; says what moved.
fn passes(server_type: ServerType, saio: &Saio, interrupt: &Interrupt) -> Result<Vec<String>> {
    let mut moved = Vec::new();
    for node in Saio::nodes() {
        interrupt.check()?;
        let stats = saio.pass(node, server_type)?;
        let counts = MOVES.iter().map(|key| (key, stats.get(key).and_then(Value::as_u64).unwrap_or(0)));
        moved.extend(
            counts
                .filter(|(_, count)| *count > 0)
                .map(|(key, count)| format!("{count} {key} of {server_type}s on node {node}")),
        );
    }
    Ok(moved)
}

/// Updates that object servers could not deliver yet.
fn waiting(saio: &Saio) -> Result<Option<String>> {
    let mut count = 0;
    for node in Saio::nodes() {
        for policy in ["async_pending", "async_pending-1"] {
            count += files_below(&saio.devices(node).join(Saio::device(node)).join(policy))?.len();
        }
    }
    Ok((count > 0).then(|| format!("{count} updates waiting")))
}
