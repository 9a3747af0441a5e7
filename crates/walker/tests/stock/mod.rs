//! Asks stock Swift's own Python.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

/// Runs a command of `stock_walk.py` and returns its answer; its failure fails the test.
pub(crate) fn ask(command: &str, args: &[&OsStr]) -> serde_json::Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stock_walk.py");
    let python = python();
    let output = Command::new(&python).arg(script).arg(command).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{} does not start: {error}", python.display()));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "stock_walk.py {command}: {}\n{stderr}", output.status);
    serde_json::from_slice(&output.stdout).expect("the answer is JSON")
}

fn python() -> PathBuf {
    if let Some(python) = env::var_os("MARTLET_STOCK_PYTHON") {
        return python.into();
    }
    let home = env::var_os("HOME").unwrap_or_default();
    let python = Path::new(&home).join(".cache/martlet/stock-venv/bin/python");
    assert!(
        python.exists(),
        "stock Swift is the oracle of this test, but neither MARTLET_STOCK_PYTHON nor {} leads to it: \
         run the tests with `cargo xtask test`, which installs it",
        python.display()
    );
    python
}
