use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// A running Python with stock Swift that answers questions; see `answer.py`.
pub(crate) struct Stock {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What stock said: a value, or the type and text of an exception.
pub(crate) type Answer = Result<Value, String>;

impl Stock {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(python())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/answer.py"))
            .env("PYTHONUTF8", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("stock's Python starts");
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self { child, questions, answers }
    }

    pub(crate) fn ask(&mut self, question: &Value) -> Answer {
        let questions = self.questions.as_mut().expect("stock is running");
        writeln!(questions, "{question}").expect("stock reads questions");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("stock answers in UTF-8");
        let mut answer: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("stock answered {line:?}: {error}"));
        match answer.get("error") {
            Some(error) => Err(error.as_str().expect("an error is text").to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }

    pub(crate) fn ask_text(&mut self, about: &str, text: &str) -> Answer {
        self.ask(&json!({ "about": about, "text": text }))
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        drop(self.questions.take());
        self.child.wait().expect("stock ends when there are no more questions");
    }
}

fn python() -> PathBuf {
    let installed = || {
        let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        home.join(".cache/martlet/stock-venv/bin/python")
    };
    let python = env::var_os("MARTLET_STOCK_PYTHON").map_or_else(installed, PathBuf::from);
    assert!(
        python.exists(),
        "{} does not exist: run `cargo xtask test`, which installs stock Swift, or point MARTLET_STOCK_PYTHON \
         at the python of a virtual environment that has it",
        python.display()
    );
    python
}
