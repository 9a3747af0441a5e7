use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::Result;
use swift_types::ServerType;

use super::Cluster;

impl Cluster {
    /// Writes a node's secrets of the cluster, and has its confs name them; takes effect on what is started from now on. The file that
    /// they are in.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn give_secrets(&self, node: usize, secrets: &str) -> Result<PathBuf> {
        let file = self.swift_dir().join(format!("secret-{node}"));
        let is_named = file.exists();
        fs::write(&file, secrets)?;
        fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        for server_type in [ServerType::Account, ServerType::Container].into_iter().filter(|_| !is_named) {
            let conf = self.conf(node, server_type);
            let mut text = fs::read_to_string(&conf)?;
            writeln!(text, "cluster_secret_file = {}", file.display())?;
            fs::write(conf, text)?;
        }
        Ok(file)
    }
}
