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
    row(&mut text, "commit", runs.iter().map(|run| run.commit.clone()));
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
    use std::{fs, path::PathBuf};

    use super::*;
    use crate::probe::results::{TestResult, read_all};

    /// The results that are kept, in the order of their names; made by `cargo xtask probe --results`.
    fn kept() -> Vec<Run> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/probe");
        let entries = fs::read_dir(folder).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        read_all(&files).unwrap()
    }

    #[test]
    fn the_document_shows_the_results_that_are_kept() {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/compatibility.md");
        let shown = fs::read_to_string(document).unwrap();
        assert!(
            shown.contains(&markdown(&kept())),
            "put in what `cargo xtask probe --table docs/probe/*` prints"
        );
    }

    #[test]
    fn every_combination_is_kept() {
        let mut titles: Vec<_> = kept().iter().map(Run::title).collect();
        titles.sort();
        let sides = ["martlet", "stock"];
        let all = ["separate", "shared"].map(|layout| {
            sides.map(|replicators| sides.map(|rpc| Run::new(layout, replicators, rpc).title()))
        });
        assert_eq!(titles, all.concat().concat());
    }

    #[test]
    fn what_passes_with_stock_alone_passes_with_ours() {
        let kept = kept();
        let ok = |run: &Run, name: &str| {
            run.tests.iter().any(|test| test.name == name && test.outcome == Outcome::Ok)
        };
        let is_stock = |run: &&Run| run.replicators == "stock" && run.rpc == "stock";
        let stocks = kept.iter().filter(is_stock);
        for (stock, ours) in stocks.flat_map(|stock| kept.iter().map(move |ours| (stock, ours))) {
            if stock.layout != ours.layout {
                continue;
            }
            assert!(ours.objections().is_empty(), "{:?}", ours.objections());
            let passed = stock.tests.iter().filter(|test| test.outcome == Outcome::Ok);
            let worse: Vec<_> = passed.map(|test| &test.name).filter(|name| !ok(ours, name)).collect();
            assert!(worse.is_empty(), "{}: {worse:?}", ours.title());
        }
    }

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
