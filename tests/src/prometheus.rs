use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{by_hand, process::ProcessGroup};

const PATIENCE: Duration = Duration::from_secs(120);

/// A real Prometheus, of Debian's package; its process ends and its files go when this is dropped.
pub struct Prometheus {
    address: SocketAddr,
    _process: ProcessGroup,
    _dir: TempDir,
}

impl Prometheus {
    /// One that listens at `address` and scrapes these every second. Blocks until it listens.
    ///
    /// # Errors
    /// When it cannot be started, or does not listen in time.
    pub fn scraping(targets: &[SocketAddr], address: SocketAddr) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let conf = dir.path().join("prometheus.yml");
        let targets: Vec<_> = targets.iter().map(|target| format!("\"{target}\"")).collect();
        let targets = format!("[{{targets: [{}]}}]", targets.join(", "));
        let job = format!("  - {{job_name: martlet, scrape_interval: 1s, static_configs: {targets}}}\n");
        fs::write(&conf, format!("scrape_configs:\n{job}"))?;
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", conf.display()));
        command.arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(dir.path().join("log"))?);
        let mut process = ProcessGroup::spawn(&mut command, "prometheus")?;
        process.wait_listening(address, PATIENCE)?;
        Ok(Self { address, _process: process, _dir: dir })
    }

    /// The series that answer a query now; none while it still starts.
    ///
    /// # Errors
    /// When the query is wrong, or there is no answer in time.
    pub fn query(&self, query: &str) -> Result<Vec<Value>> {
        let mut escaped = String::new();
        for byte in query.bytes() {
            write!(escaped, "%{byte:02x}")?;
        }
        let answer = by_hand::get(self.address, &format!("/api/v1/query?query={escaped}"))?;
        // Until it has read its own files.
        if answer.status == 503 {
            return Ok(Vec::new());
        }
        let mut body: Value = serde_json::from_str(&answer.body).with_context(|| answer.body.clone())?;
        ensure!(body["status"] == "success", "{query}: {body}");
        Ok(body["data"]["result"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }
}
