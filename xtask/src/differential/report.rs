//! What a seed came to, as lines.

use std::{
    collections::BTreeSet,
    env, fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use serde_json::Value;
use testkit::{Beaten, Difference};

use super::{
    PairingName,
    contest::{Contestant, Match, Run},
};
use crate::screen::Screen;

/// Set: what a differing seed began with and ended as stays in `/tmp`.
const KEEP_FILES: &str = "MARTLET_KEEP_CLUSTERS";
/// Characters of a difference that are shown.
const LONGEST: usize = 240;
/// Cases shown of a pairing before the rest is counted only.
const SHOWN: usize = 6;

impl fmt::Display for PairingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

pub(super) fn keeps_files() -> bool {
    env::var_os(KEEP_FILES).is_some()
}

/// Prints the seed's line, and its differences below it; true if there are none.
pub(super) fn seed(number: u64, matches: &[Match], time: Duration, screen: Screen) -> Result<bool> {
    let counts: Vec<_> =
        matches.iter().map(|of| format!("{} {}s", of.drawn.manifest.len(), of.seed.server_type)).collect();
    let pairings = matches.first().map_or(0, |of| of.rounds.len());
    let line = format!("seed {number}: {}, {pairings} pairings", counts.join(", "));
    let seconds = time.as_secs_f64();
    let differ = matches.iter().flat_map(|of| &of.rounds).any(|round| !round.differences.is_empty());
    let line = line + &better(matches);
    if !differ {
        screen.good(&format!("{line}, equal ({seconds:.1} s)"));
        return Ok(true);
    }
    screen.bad(&format!("{line}, DIFFERENT ({seconds:.1} s)"));
    for of in matches {
        for round in of.rounds.iter().filter(|round| !round.differences.is_empty()) {
            differences(of, round, screen);
        }
        keep(of, screen)?;
    }
    Ok(false)
}

/// Every case in which stock was beaten, once.
pub(super) fn beaten(matches: &[Match]) -> BTreeSet<(&str, Beaten)> {
    let rounds = matches.iter().flat_map(|of| &of.rounds);
    rounds.flat_map(|round| &round.beaten).map(|(title, how)| (title.as_str(), *how)).collect()
}

/// What the seed's line says of these cases.
fn better(matches: &[Match]) -> String {
    let cases = beaten(matches).into_iter().map(|(title, how)| format!(", {title} better than {how}"));
    cases.collect()
}

fn differences(of: &Match, round: &Contestant, screen: Screen) {
    let titles: BTreeSet<_> = round.differences.iter().map(|difference| &difference.title).collect();
    screen.line(&format!("   {} {}: {} cases differ", of.seed.server_type, round.pairing, titles.len()));
    for title in titles.iter().take(SHOWN) {
        case(of, title, &round.differences, screen);
    }
    if let Some(more) = titles.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        screen.line(&format!("     and {more} more cases"));
    }
    screen.line(&format!("     again: {}", replay(of, round, &titles)));
}

fn case(of: &Match, title: &str, differences: &[Difference], screen: Screen) {
    let entry = of.case(title);
    let features: Vec<_> = entry
        .and_then(|case| case["features"].as_array())
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    screen.line(&format!("     {title} ({})", features.join(", ")));
    if let Some(case) = entry {
        screen.aside(&format!("       {}/{}, hash {}", case["account"], case["container"], case["hash"]));
    }
    for difference in differences.iter().filter(|difference| difference.title == title) {
        screen.line(&format!("       {}", clipped(&difference.what)));
    }
}

/// A whole database may be missing, and is no line to read.
fn clipped(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// The command that runs the differing cases alone.
fn replay(of: &Match, round: &Contestant, titles: &BTreeSet<&String>) -> String {
    let mut words = vec![format!(
        "cargo xtask differential --first {} --seeds 1 --type {} --pairing {}",
        of.seed.number, of.seed.server_type, round.pairing
    )];
    let numbers = titles.iter().filter_map(|title| of.case(title)?["number"].as_u64());
    words.extend(numbers.map(|number| format!("--only {number}")));
    words.extend(of.seed.without.iter().map(|feature| format!("--without {feature}")));
    words.join(" ")
}

fn keep(of: &Match, screen: Screen) -> Result<()> {
    if !keeps_files() || of.rounds.iter().all(|round| round.differences.is_empty()) {
        return Ok(());
    }
    let dir = tempfile::Builder::new()
        .prefix(&format!("martlet-seed-{}-{}-", of.seed.number, of.seed.server_type))
        .tempdir()?
        .keep();
    write_tree(&of.drawn.start, &dir.join("start"))?;
    keep_run(&of.oracle, &dir, "oracle")?;
    for round in &of.rounds {
        keep_run(&round.run, &dir, &round.pairing.to_string())?;
    }
    screen.line(&format!("     kept: {}", dir.display()));
    Ok(())
}

fn keep_run(run: &Run, dir: &Path, name: &str) -> Result<()> {
    let text = serde_json::to_string_pretty(&run.outcome.dump)?;
    fs::write(dir.join(format!("{name}.json")), text)?;
    fs::write(dir.join(format!("{name}.log")), run.outcome.log.join("\n"))?;
    run.end.as_ref().map_or(Ok(()), |end| write_tree(end, &dir.join(name)))
}

fn write_tree(tree: &testkit::Tree, dir: &PathBuf) -> Result<()> {
    fs::create_dir(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    tree.write(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_difference_is_clipped_between_characters() {
        assert_eq!(clipped("short"), "short");
        let long = "ü".repeat(LONGEST + 1);
        assert_eq!(clipped(&long), format!("{} …", "ü".repeat(LONGEST)));
    }
}
