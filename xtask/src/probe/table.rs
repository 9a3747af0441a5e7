//! Results of several combinations side by side.

use std::fmt::Write as _;

use super::results::{Outcome, Run};

/// A row for each test that any run had, a column for each run; below them who ran.
pub(super) fn markdown(runs: &[Run]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for test in runs.iter().flat_map(|run| &run.tests) {
        if !names.contains(&test.name.as_str()) {
            names.push(&test.name);
        }
    }
    let mut text = String::new();
    row(&mut text, "layout, replicators, REPLICATE", runs.iter().map(title));
    row(&mut text, "---", runs.iter().map(|_| "---".to_owned()));
    for name in names {
        row(&mut text, &format!("`{name}`"), runs.iter().map(|run| cell(run, name)));
    }
    let counts = |run: &Run| {
        format!("{} / {} / {}", run.count(Outcome::Ok), run.count(Outcome::Fail), run.count(Outcome::Skip))
    };
    row(&mut text, "passed / failed / skipped", runs.iter().map(counts));
    let passes = |run: &Run| format!("{} / {}", run.martlet_replicators, run.stock_replicators);
    row(&mut text, "starts of Martlet's replicators / stock's", runs.iter().map(passes));
    let answers = |run: &Run| format!("{} / {}", run.martlet_answers, run.stock_answers);
    row(&mut text, "REPLICATE answered by Martlet / stock", runs.iter().map(answers));
    text
}

fn title(run: &Run) -> String {
    format!("{}, {}, {}", run.layout, run.replicators, run.rpc)
}

fn cell(run: &Run, name: &str) -> String {
    let outcome = run.tests.iter().find(|test| test.name == name).map(|test| test.outcome);
    match outcome {
        Some(Outcome::Ok) => "ok",
        Some(Outcome::Fail) => "**FAIL**",
        Some(Outcome::Skip) => "skip",
        None => "",
    }
    .to_owned()
}

fn row(text: &mut String, head: &str, cells: impl Iterator<Item = String>) {
    write!(text, "| {head} |").expect("strings take any text");
    for cell in cells {
        write!(text, " {cell} |").expect("strings take any text");
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::results::TestResult;

    #[test]
    fn a_test_that_one_run_lacks_is_an_empty_cell() {
        let mut one = Run::new("shared", "stock", "stock");
        one.tests.push(TestResult {
            name: "m:T.t".to_owned(),
            outcome: Outcome::Fail,
            reason: String::new(),
            seconds: 0.1,
        });
        let text = markdown(&[one, Run::new("shared", "martlet", "stock")]);
        assert!(text.contains("| `m:T.t` | **FAIL** |  |\n"), "{text}");
        assert!(text.contains("| passed / failed / skipped | 0 / 1 / 0 | 0 / 0 / 0 |\n"), "{text}");
    }
}
