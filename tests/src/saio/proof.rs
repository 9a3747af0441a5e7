//! Who it was that ran, from counts.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::conf::martlet_log_name;
use super::place::Kind;

/// Counts of what stock and ours did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Starts of our account and container replicators.
    pub martlet_replicators: usize,
    /// Starts of stock's.
    pub stock_replicators: usize,
    /// REPLICATE requests for accounts and containers that ours answered.
    pub martlet_answers: usize,
    /// Those that stock answered.
    pub stock_answers: usize,
}

/// Counts what is below `dir` and in `lines`, and what is below `dir` it takes away.
pub(crate) fn take(dir: &Path, lines: &[String]) -> Result<Proof> {
    let mut proof = Proof::default();
    let starts = dir.join("starts");
    if starts.exists() {
        let text = fs::read_to_string(&starts)?;
        fs::remove_file(&starts)?;
        proof.martlet_replicators = replicators(&text, "martlet");
        proof.stock_replicators = replicators(&text, "stock");
    }
    for kind in [Kind::Account, Kind::Container] {
        let ours = format!("{}: REPLICATE /", martlet_log_name(kind));
        let stock = format!("{}-server: ", kind.name());
        proof.martlet_answers += lines.iter().filter(|line| line.contains(&ours)).count();
        proof.stock_answers += lines
            .iter()
            .filter(|line| {
                line.contains("\"REPLICATE /")
                    && line.contains(&stock)
                    && !line.contains(&martlet_log_name(kind))
            })
            .count();
    }
    Ok(proof)
}

fn replicators(starts: &str, whose: &str) -> usize {
    let wanted =
        [Kind::Account, Kind::Container].map(|kind| format!("swift-{}-replicator {whose}", kind.name()));
    starts.lines().filter(|line| wanted.iter().any(|wanted| line == wanted)).count()
}
