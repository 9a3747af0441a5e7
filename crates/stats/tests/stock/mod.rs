//! Asks stock Swift's own Python.

use std::{
    env,
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// Runs a command of `stock_stats.py` on `input` and returns its answer; its failure fails the test.
pub(crate) fn ask(command: &str, args: &[&OsStr], input: &Value) -> Value {
    let mut child = start(command, args);
    child.stdin.take().expect("piped").write_all(input.to_string().as_bytes()).expect("it reads its input");
    answer(child)
}

/// Starts a command of `stock_stats.py`.
pub(crate) fn start(command: &str, args: &[&OsStr]) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stock_stats.py");
    let python = python();
    let mut process = Command::new(&python);
    process.arg(script).arg(command).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    process
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", python.display()))
}

/// Waits for the answer of a command.
pub(crate) fn answer(child: Child) -> Value {
    let output = child.wait_with_output().expect("it can be waited for");
    assert!(output.status.success(), "stock_stats.py: {}, see above", output.status);
    let last = output.stdout.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice(last).expect("the answer is JSON")
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
