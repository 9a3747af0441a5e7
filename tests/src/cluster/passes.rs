use std::fs;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use swift_types::ServerType;

use super::Cluster;
use super::crashes::Role;
use crate::daemon::Daemon;
use crate::process::ProcessGroup;
use crate::start::{PATIENCE, recon_dir};

impl Cluster {
    /// One pass of a node's replicator, to its end. Returns the `replication_stats` it left in recon.
    ///
    /// # Errors
    /// When the daemon exits with another status than 0 or leaves no statistics.
    pub fn pass(&self, node: usize, server_type: ServerType, daemon: Daemon) -> Result<Value> {
        self.pass_with(node, server_type, daemon, &[])
    }

    /// As [`Cluster::pass`], with more words on the command line, e.g. `--devices=d1a`.
    ///
    /// # Errors
    /// As [`Cluster::pass`].
    pub fn pass_with(
        &self,
        node: usize,
        server_type: ServerType,
        daemon: Daemon,
        args: &[&str],
    ) -> Result<Value> {
        let conf = self.conf(node, server_type);
        let recon = recon_dir(self.dir.path(), node).join(format!("{server_type}.recon"));
        if recon.exists() {
            fs::remove_file(&recon)?;
        }
        let (daemon, presharding) = self.played_by(node, daemon);
        match daemon {
            Daemon::Stock => {
                let request = json!({
                    "op": "replicate", "type": server_type.name(), "conf": conf, "args": args,
                    "presharding": presharding, "path": self.search_path,
                });
                let reply = self.stock.call(&request)?;
                ensure!(
                    reply["status"] == 0,
                    "stock's pass on node {node} ended with {reply}:\n{}",
                    self.stderr()
                );
            }
            Daemon::Martlet => {
                let status = self.martlet_pass(node, server_type, &conf, args)?;
                ensure!(
                    status.success(),
                    "our {server_type} replicator ended with {status}:\n{}",
                    self.stderr()
                );
            }
        }
        self.replication_stats(node, server_type)
    }

    /// One pass of stock with its own patience for a merge at the peer, which is no more than count/2000 seconds.
    ///
    /// # Errors
    /// As [`Cluster::pass`].
    pub fn hasty_stock_pass(&self, node: usize, server_type: ServerType) -> Result<Value> {
        let conf = self.conf(node, server_type);
        let request = json!({"op": "replicate", "type": server_type.name(), "conf": conf, "hasty": true});
        self.stock.call(&request)?;
        self.replication_stats(node, server_type)
    }

    /// The `replication_stats` of a node's last pass in its recon cache.
    ///
    /// # Errors
    /// When there are none.
    pub fn replication_stats(&self, node: usize, server_type: ServerType) -> Result<Value> {
        let recon = recon_dir(self.dir.path(), node).join(format!("{server_type}.recon"));
        let text = fs::read_to_string(&recon).with_context(|| {
            format!("the pass of node {node} left no {}:\n{}", recon.display(), self.stderr())
        })?;
        Ok(serde_json::from_str::<Value>(&text)?["replication_stats"].take())
    }

    /// Starts our replicator's loop on a node, with further lines in its section; it ends when the returned
    /// group is dropped.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn martlet_loop(&self, node: usize, server_type: ServerType, lines: &str) -> Result<ProcessGroup> {
        self.begin_martlet(node, server_type, lines, &[])
    }

    /// As [`martlet_loop`](Self::martlet_loop), of one pass, which may end as it likes.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn martlet_once(&self, node: usize, server_type: ServerType, lines: &str) -> Result<ProcessGroup> {
        self.begin_martlet(node, server_type, lines, &["once"])
    }

    fn begin_martlet(
        &self,
        node: usize,
        server_type: ServerType,
        lines: &str,
        args: &[&str],
    ) -> Result<ProcessGroup> {
        let text = fs::read_to_string(self.conf(node, server_type))?;
        let conf = self.swift_dir().join(format!("{server_type}-{node}-begun.conf"));
        fs::write(&conf, text + lines)?;
        let mut command = self.martlet(node, server_type)?;
        command.arg(conf).args(args).args(self.tells_all().then_some("-v")).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(self.append("martlet.stderr")?);
        let group = ProcessGroup::spawn(&mut command, format!("our {server_type} replicator"))?;
        self.stock.watch(group.id())?;
        Ok(group)
    }

    /// Who runs on the node when `daemon` is asked for, and whether without all that came with shard ranges.
    pub(super) fn played_by(&self, node: usize, daemon: Daemon) -> (Daemon, bool) {
        if self.shape.presharding_node == Some(node) { (Daemon::Stock, true) } else { (daemon, false) }
    }

    /// One pass of ours, to whatever end.
    pub(super) fn martlet_pass(
        &self,
        node: usize,
        server_type: ServerType,
        conf: &Path,
        args: &[&str],
    ) -> Result<ExitStatus> {
        let mut command = self.martlet(node, server_type)?;
        command.arg(conf).args(["once", "-v"]).args(args).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(self.append("martlet.stderr")?);
        command.envs(self.crash(Role::Pass));
        command.envs(self.search_path.iter().map(|folder| ("PATH", folder)));
        let group = ProcessGroup::spawn(&mut command, format!("our {server_type} replicator"))?;
        let id = group.id();
        self.stock.watch(id)?;
        let status = group.wait(PATIENCE)?;
        self.stock.forget(id)?;
        Ok(status)
    }
}
