use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use swift_types::ServerType;

use super::crashes::Role;
use super::{Cluster, Server};
use crate::daemon::{Daemon, martlet_program, program_in};
use crate::process::{ProcessGroup, wait_listening};
use crate::start::PATIENCE;

impl Cluster {
    /// Starts a node's server on its usual port and returns when it listens.
    ///
    /// # Errors
    /// When it does not come up, or one runs there already.
    pub fn serve(&mut self, node: usize, server_type: ServerType, daemon: Daemon) -> Result<()> {
        self.serve_on(server_type.default_port(), node, server_type, daemon)
    }

    /// Like [`Cluster::serve`], on a port where no peer looks for it: for a proxy in front of it.
    ///
    /// # Errors
    /// When it does not come up, or one runs there already.
    pub fn serve_on(
        &mut self,
        port: u16,
        node: usize,
        server_type: ServerType,
        daemon: Daemon,
    ) -> Result<()> {
        let key = (node, server_type.name());
        ensure!(!self.servers.contains_key(&key), "a {server_type} server runs on node {node} already");
        let address = SocketAddr::from((self.address(node), port));
        let conf = self.conf_with_port(port, node, server_type)?;
        let (daemon, presharding) = self.played_by(node, daemon);
        let server = match daemon {
            Daemon::Stock => self.stock_server(
                address,
                &json!({
                    "op": "serve", "type": server_type.name(), "conf": conf, "presharding": presharding,
                    "plain": !self.tells_all(),
                }),
            )?,
            Daemon::Martlet => Server::Martlet(self.martlet_server(node, &conf, address, server_type)?),
        };
        self.servers.insert(key, server);
        Ok(())
    }

    /// Starts stock's server on `behind`, and ours on its usual port, which forwards there.
    ///
    /// # Errors
    /// When one of them does not come up, or one runs there already.
    pub fn serve_in_front(&mut self, behind: u16, node: usize, server_type: ServerType) -> Result<()> {
        self.serve_on(behind, node, server_type, Daemon::Stock)?;
        let usual = self.conf(node, server_type);
        let section = format!("[{server_type}-replicator]\n");
        let forward = format!("{section}forward_to = {}:{behind}\n", self.address(node));
        let conf = self.swift_dir().join(format!("{server_type}-{node}-front.conf"));
        fs::write(&conf, fs::read_to_string(&usual)?.replace(&section, &forward))?;
        let address = SocketAddr::from((self.address(node), server_type.default_port()));
        let front = self.martlet_server(node, &conf, address, server_type)?;
        self.fronts.insert((node, server_type.name()), front);
        Ok(())
    }

    /// Whether servers tell of their calls, and ours on stderr too.
    pub(super) fn tells_all(&self) -> bool {
        self.shape.tuning.log_level == "DEBUG"
    }

    /// A node's daemon of ours, to be started.
    pub(super) fn martlet(&self, node: usize, server_type: ServerType) -> Result<Command> {
        let program = self.martlet_program(server_type)?;
        Ok(match &self.shape.run_by {
            Some((by_another, words)) if *by_another == node => {
                let (first, others) = words.split_first().context("no program runs ours")?;
                let mut command = Command::new(first);
                command.args(others).arg(program);
                command
            }
            _ => Command::new(program),
        })
    }

    pub(super) fn martlet_program(&self, server_type: ServerType) -> Result<PathBuf> {
        match &self.shape.programs {
            Some(folder) => program_in(std::slice::from_ref(folder), server_type),
            None => martlet_program(server_type),
        }
    }

    fn martlet_server(
        &self,
        node: usize,
        conf: &Path,
        address: SocketAddr,
        server_type: ServerType,
    ) -> Result<ProcessGroup> {
        let mut command = self.martlet(node, server_type)?;
        command.arg(conf).arg("serve").args(self.tells_all().then_some("-v")).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(self.append("martlet.stderr")?);
        command.envs(self.crash(Role::Server));
        let mut group = ProcessGroup::spawn(&mut command, format!("our {server_type} server"))?;
        self.stock.watch(group.id())?;
        group.wait_listening(address, PATIENCE)?;
        Ok(group)
    }

    pub(super) fn conf_with_port(&self, port: u16, node: usize, server_type: ServerType) -> Result<PathBuf> {
        let usual = self.conf(node, server_type);
        let line = |port| format!("bind_port = {port}\n");
        let text = fs::read_to_string(&usual)?.replace(&line(server_type.default_port()), &line(port));
        let conf = self.swift_dir().join(format!("{server_type}-{node}-server.conf"));
        fs::write(&conf, text)?;
        Ok(conf)
    }

    pub(super) fn stock_server(&self, address: SocketAddr, request: &Value) -> Result<Server> {
        let pid = self.stock.staying(request)?;
        wait_listening(address, PATIENCE, || self.stock_server_alive(pid))?;
        Ok(Server::Stock(pid))
    }

    fn stock_server_alive(&self, pid: u32) -> Result<()> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        ensure!(
            !stat.is_empty() && !stat.contains(") Z "),
            "stock's server ended at once:\n{}",
            self.stderr()
        );
        Ok(())
    }

    /// The process id of a node's server.
    ///
    /// # Errors
    /// When none runs there.
    pub fn server_id(&self, node: usize, server_type: ServerType) -> Result<u32> {
        match self.servers.get(&(node, server_type.name())) {
            Some(Server::Stock(pid)) => Ok(*pid),
            Some(Server::Martlet(group)) => Ok(group.id()),
            None => bail!("no {server_type} server runs on node {node}"),
        }
    }

    /// Kills a node's server, as a power cut would.
    ///
    /// # Errors
    /// When none runs there.
    pub fn stop_server(&mut self, node: usize, server_type: ServerType) -> Result<()> {
        match self.servers.remove(&(node, server_type.name())) {
            Some(Server::Stock(pid)) => self.stock.call(&json!({"op": "stop", "pid": pid})).map(drop),
            Some(Server::Martlet(group)) => self.stock.forget(group.id()),
            None => bail!("no {server_type} server runs on node {node}"),
        }
    }

    /// Ends a node's server of ours as an operator does, and waits until it has.
    ///
    /// # Errors
    /// When none of ours runs there, or it does not end.
    pub fn end_server(&mut self, node: usize, server_type: ServerType) -> Result<()> {
        match self.servers.remove(&(node, server_type.name())) {
            Some(Server::Martlet(mut group)) => {
                self.stock.forget(group.id())?;
                group.end(PATIENCE).map(drop)
            }
            _ => bail!("no {server_type} server of ours runs on node {node}"),
        }
    }
}
