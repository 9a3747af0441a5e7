//! Our programs crash where a test wants it.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use failpoint::{CRASH_AT, CRASH_REGISTER, Point};
use rustix::process::Signal;
use swift_types::ServerType;

use super::{Cluster, Server};
use crate::daemon::Daemon;

/// Which of our programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Pass,
    Server,
}

impl Cluster {
    /// From now on our programs that are started crash there, once in each database, passes and servers apart.
    pub(crate) fn crash_at(&mut self, point: Option<Point>) {
        self.crash_at = point;
    }

    /// What a program's environment says of its crashes.
    pub(super) fn crash(&self, role: Role) -> Vec<(&'static str, String)> {
        let variables = self.crash_at.map(|point| {
            let register = self.register(role).display().to_string();
            vec![(CRASH_AT, point.to_string()), (CRASH_REGISTER, register)]
        });
        variables.unwrap_or_default()
    }

    /// What crashed so far: the hash of the database, or a file's name.
    pub(crate) fn crashed(&self, role: Role) -> Result<Vec<String>> {
        let register = self.register(role);
        let text = if register.exists() { fs::read_to_string(register)? } else { String::new() };
        Ok(text
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(_, subject)| subject.to_owned())
            .collect())
    }

    fn register(&self, role: Role) -> PathBuf {
        self.dir.path().join(match role {
            Role::Pass => "crashed-passes",
            Role::Server => "crashed-servers",
        })
    }

    /// One pass of a node, which may crash; whether it did.
    pub(crate) fn pass_or_crash(&self, node: usize, server_type: ServerType, daemon: Daemon) -> Result<bool> {
        if daemon == Daemon::Stock {
            return self.pass(node, server_type, daemon).map(|_| false);
        }
        let status = self.martlet_pass(node, server_type, &self.conf(node, server_type), &[])?;
        let crashed = status.signal() == Some(Signal::ABORT.as_raw());
        ensure!(crashed || status.success(), "our replicator ended with {status}:\n{}", self.stderr());
        Ok(crashed)
    }

    /// Starts the servers anew that have crashed; how many had.
    pub(crate) fn revive_servers(&mut self, server_type: ServerType) -> Result<usize> {
        let mut dead = Vec::new();
        for ((node, name), server) in &mut self.servers {
            let Server::Martlet(group) = server else { continue };
            if let Some(status) = group.child().try_wait()? {
                ensure!(*name == server_type.name(), "a server of another type ended with {status}");
                dead.push(*node);
            }
        }
        for node in &dead {
            self.stop_server(*node, server_type)?;
            self.serve(*node, server_type, Daemon::Martlet)?;
        }
        Ok(dead.len())
    }

    /// Starts all servers anew, to crash from now on or no more.
    pub(crate) fn restart_servers(&mut self, server_type: ServerType, daemon: Daemon) -> Result<()> {
        for node in Self::nodes() {
            self.stop_server(node, server_type)?;
            self.serve(node, server_type, daemon)?;
        }
        Ok(())
    }
}
