use std::{
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use martlet_testkit::Shape;

use super::BOUND;

/// In the place of systemd, with a watchdog of four seconds.
pub(super) struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    pub(super) fn at(dir: &Path) -> Result<Self> {
        let path = dir.join("notify");
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(BOUND))?;
        Ok(Self { socket, path })
    }

    /// A shape in which it has started what runs on `node`.
    pub(super) fn shape(&self, node: usize) -> Shape {
        let socket = format!("NOTIFY_SOCKET={}", self.path.display());
        let words = ["env", &socket, "WATCHDOG_USEC=4000000"].map(str::to_owned);
        Shape { run_by: Some((node, words.to_vec())), ..Shape::default() }
    }

    /// Waits until it is told this.
    pub(super) fn hears(&self, wanted: &str) -> Result<()> {
        let mut buffer = [0; 1000];
        loop {
            let length = self.socket.recv(&mut buffer).with_context(|| format!("never told: {wanted}"))?;
            if buffer[..length] == *wanted.as_bytes() {
                return Ok(());
            }
        }
    }
}
