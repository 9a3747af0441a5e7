use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use martlet_testkit::{Daemon, ServerType, martlet_program, stock_python};
use ring::{Device, RingWriter};
use tempfile::TempDir;

/// Nothing here takes that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A loop that waits for its first pass.
pub(crate) const WAITING: &str = "interval = 1000000";

/// The files of one node with one empty device, on which nothing listens.
pub(crate) struct Node {
    dir: TempDir,
    server_type: ServerType,
}

impl Node {
    pub(crate) fn new(server_type: ServerType) -> Result<Self> {
        let node = Self { dir: tempfile::tempdir()?, server_type };
        fs::create_dir_all(node.path("node/sdb1").join(server_type.datadir()))?;
        fs::write(node.path("swift.conf"), "[swift-hash]\nswift_hash_path_suffix = x\n")?;
        let mut ring = RingWriter::new(2, 1);
        ring.add(Device::new(0, "127.0.0.1", server_type.default_port(), "sdb1"));
        ring.write_v1(&node.path(&format!("{server_type}.ring.gz")))?;
        node.write_conf("")?;
        Ok(node)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn conf(&self) -> PathBuf {
        self.path("server.conf")
    }

    /// The conf with `lines` in the daemon's section, or in place of the usual `user`.
    pub(crate) fn write_conf(&self, lines: &str) -> Result<()> {
        let dir = self.dir.path().display();
        let user = if lines.contains("user = ") { String::new() } else { format!("user = {}", user_name()?) };
        let text = format!(
            "[DEFAULT]\nswift_dir = {dir}\ndevices = {dir}/node\nmount_check = false\nbind_ip = 127.0.0.1\n\
             recon_cache_path = {dir}\nmetrics_bind_port = 0\n{user}\n\n[{}-replicator]\n{lines}\n",
            self.server_type
        );
        fs::write(self.conf(), text)?;
        Ok(())
    }

    pub(crate) fn command(&self, daemon: Daemon, args: &[&str]) -> Result<Command> {
        let mut command = match daemon {
            Daemon::Stock => {
                let mut command = Command::new(stock_python()?);
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/replicator.py"));
                command.arg(self.dir.path()).arg(self.server_type.name());
                // The system's resolver, as a machine may have no resolv.conf.
                command.env("PYTHONDONTWRITEBYTECODE", "1").env("EVENTLET_NO_GREENDNS", "yes");
                command
            }
            Daemon::Martlet => Command::new(martlet_program(self.server_type)?),
        };
        command.args(args).stdin(Stdio::null());
        Ok(command)
    }

    /// Runs the conf with `words` behind it to its end.
    pub(crate) fn run(&self, daemon: Daemon, words: &[&str]) -> Result<Output> {
        let conf = self.conf();
        let conf = conf.to_str().context("a temporary path is text")?;
        Ok(self.command(daemon, &[&[conf], words].concat())?.output()?)
    }
}

pub(crate) fn user_name() -> Result<String> {
    let output = Command::new("id").arg("-un").output().context("the program `id` cannot be run")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Whole Unix seconds, from which the databases of a suite count.
pub(crate) fn now() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor())
}
