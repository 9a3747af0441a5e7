//! What the disks hold against what was acknowledged; the reading is done by stock's Python.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use testkit::{Saio, stock_python};

/// What `chaos_verdict.py` found.
#[derive(Debug, Deserialize)]
pub(super) struct Verdict {
    pub(super) operations: usize,
    pub(super) acknowledged: usize,
    pub(super) databases: usize,
    /// In containers, deleted ones included.
    pub(super) rows: usize,
    /// Sentences; none if all replicas are equal and as acknowledged.
    pub(super) faults: Vec<String>,
}

/// Compares every replica below `dir` with each other and with the clients' `record`.
pub(super) fn judge(dir: &Path, record: &Path, saio: &Saio) -> Result<Verdict> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/chaos_verdict.py");
    let output = saio.command(stock_python()?).arg(script).args([dir, record]).output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "chaos_verdict.py ended with {}:\n{stderr}", output.status);
    serde_json::from_slice(&output.stdout).context("chaos_verdict.py says something else than JSON")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_verdict_finds_fault_with_what_was_not_acknowledged() {
        let mut command = Command::new(stock_python().unwrap());
        command.args(["-B", "-m", "unittest", "martlet_chaos.test_verdict"]);
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
