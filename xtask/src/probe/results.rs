//! What a run has shown, and its file.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use testkit::Proof;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Ok,
    #[serde(rename = "FAIL")]
    Fail,
    Skip,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TestResult {
    /// `MODULE:CLASS.TEST`.
    pub(super) name: String,
    pub(super) outcome: Outcome,
    /// Why it was skipped, or the last line of the error.
    pub(super) reason: String,
    pub(super) seconds: f64,
}

/// One combination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) layout: String,
    pub(super) replicators: String,
    pub(super) rpc: String,
    /// What was built, as git describes it.
    pub(super) commit: String,
    pub(super) martlet_replicators: usize,
    pub(super) stock_replicators: usize,
    pub(super) martlet_answers: usize,
    pub(super) stock_answers: usize,
    pub(super) tests: Vec<TestResult>,
}

impl Run {
    pub(super) fn new(layout: &str, replicators: &str, rpc: &str) -> Self {
        Self { layout: layout.into(), replicators: replicators.into(), rpc: rpc.into(), ..Self::default() }
    }

    /// The combination in words.
    pub(super) fn title(&self) -> String {
        format!("{} {} {}", self.layout, self.replicators, self.rpc)
    }

    pub(super) fn count(&self, outcome: Outcome) -> usize {
        self.tests.iter().filter(|test| test.outcome == outcome).count()
    }

    pub(super) fn add(&mut self, proof: Proof) {
        self.martlet_replicators += proof.martlet_replicators;
        self.stock_replicators += proof.stock_replicators;
        self.martlet_answers += proof.martlet_answers;
        self.stock_answers += proof.stock_answers;
    }

    /// What the counts have against the run: the wanted ones have to have run, the others not.
    pub(super) fn objections(&self) -> Vec<String> {
        let parts = [
            ("replicators", &self.replicators, self.martlet_replicators, self.stock_replicators),
            ("rpc", &self.rpc, self.martlet_answers, self.stock_answers),
        ];
        let mut objections = Vec::new();
        for (part, wanted, martlet, stock) in parts {
            let (ours, others) = if wanted == "martlet" { (martlet, stock) } else { (stock, martlet) };
            if ours == 0 {
                objections.push(format!("{part}: {wanted} was wanted and never ran"));
            }
            if others > 0 {
                objections.push(format!("{part}: {wanted} was wanted, the other ran {others} times"));
            }
        }
        objections
    }
}

pub(super) fn write(file: &PathBuf, run: &Run) -> Result<()> {
    fs::write(file, serde_json::to_string_pretty(run)? + "\n").with_context(|| file.display().to_string())
}

pub(super) fn read_all(files: &[PathBuf]) -> Result<Vec<Run>> {
    let read = |file: &PathBuf| -> Result<Run> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        serde_json::from_str(&text).with_context(|| file.display().to_string())
    };
    files.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_wanted_must_have_run_alone() {
        let mut run = Run::new("shared", "martlet", "stock");
        run.add(Proof { martlet_replicators: 3, stock_answers: 5, ..Proof::default() });
        assert!(run.objections().is_empty());
        run.add(Proof { stock_replicators: 1, ..Proof::default() });
        assert_eq!(run.objections(), ["replicators: martlet was wanted, the other ran 1 times"]);
        let never = Run::new("shared", "martlet", "stock").objections();
        assert_eq!(never.len(), 2, "{never:?}");
    }

    #[test]
    fn a_file_says_again_what_was_written() {
        let file = tempfile::NamedTempFile::new().unwrap().into_temp_path().to_path_buf();
        let mut run = Run::new("separate", "martlet", "martlet");
        let result = |name: &str, outcome| TestResult {
            name: name.to_owned(),
            outcome,
            reason: String::new(),
            seconds: 1.5,
        };
        run.tests = vec![result("a:B.c", Outcome::Ok), result("a:B.d", Outcome::Fail)];
        write(&file, &run).unwrap();
        assert_eq!(read_all(std::slice::from_ref(&file)).unwrap(), [run]);
        fs::remove_file(file).unwrap();
    }
}
