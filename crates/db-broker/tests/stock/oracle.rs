//! One warm interpreter with stock's brokers, shared by the tests of a thread.

use std::{
    cell::RefCell,
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::Value;

thread_local! {
    static ORACLE: RefCell<Option<Oracle>> = const { RefCell::new(None) };
}

struct Oracle {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.process.wait();
    }
}

/// Runs a command of `oracle.py`: its value, or stock's complaint.
pub(crate) fn try_ask(command: &Value) -> Result<Value, String> {
    ORACLE.with_borrow_mut(|oracle| {
        let oracle = oracle.get_or_insert_with(start);
        let questions = oracle.questions.as_mut().expect("open until dropped");
        writeln!(questions, "{command}").expect("the oracle listens");
        let mut line = String::new();
        oracle.answers.read_line(&mut line).expect("the oracle answers");
        let mut answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: the oracle answered {line:?} to {command}"));
        match answer.get_mut("ok") {
            Some(value) => Ok(value.take()),
            None => Err(answer["error"].as_str().unwrap_or_default().to_owned()),
        }
    })
}

/// As [`try_ask`] for what must succeed.
pub(crate) fn ask(command: &Value) -> Value {
    try_ask(command).unwrap_or_else(|error| panic!("stock: {error} in {command}"))
}

fn start() -> Oracle {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/oracle.py");
    let python = python();
    let process =
        Command::new(&python).arg("-B").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut process = process.unwrap_or_else(|error| panic!("{} does not start: {error}", python.display()));
    let questions = process.stdin.take();
    let answers = BufReader::new(process.stdout.take().expect("piped"));
    Oracle { process, questions, answers }
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
