//! `cargo xtask differential`: random states of a cluster, stock's passes against ours from the same bytes.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::ValueEnum;
use testkit::{Arena, Daemon, Seed, ServerType};

use self::contest::{Contest, Match};
use crate::{
    build::{self, Profile},
    interrupt::Interrupt,
    screen::Screen,
    test,
};

mod contest;
mod report;

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct DifferentialArgs {
    /// How many seeds.
    #[arg(long, default_value_t = 20, value_name = "N")]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    first: u64,
    /// Whose replicators run against whose servers; without it ours against ours, and a mixed one in turn.
    #[arg(long, value_enum, value_name = "PAIRING")]
    pairing: Vec<PairingName>,
    /// Only accounts, or only containers.
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    types: Vec<TypeName>,
    /// Build only these cases of each seed: 7, or c07 as a difference names it.
    #[arg(long, value_parser = case_number, value_name = "CASE")]
    only: Vec<u64>,
    /// Build every case without this feature.
    #[arg(long, value_name = "FEATURE")]
    without: Vec<String>,
}

/// Whose replicators run against whose servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PairingName {
    /// Ours on both sides.
    OursOurs,
    /// Our replicators, stock's servers.
    OursStock,
    /// Stock's replicators, our servers.
    StockOurs,
    /// Stock on both sides once more: shows what stock leaves to chance.
    StockStock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TypeName {
    Account,
    Container,
}

impl From<TypeName> for ServerType {
    fn from(name: TypeName) -> Self {
        match name {
            TypeName::Account => Self::Account,
            TypeName::Container => Self::Container,
        }
    }
}

fn case_number(text: &str) -> Result<u64, String> {
    let digits = text.rsplit('c').next().unwrap_or(text);
    digits.parse().map_err(|_| format!("`{text}` is no case: write 7, c07 or s17-c07"))
}

impl DifferentialArgs {
    fn types(&self) -> Vec<ServerType> {
        let chosen = if self.types.is_empty() { TypeName::value_variants() } else { &self.types };
        chosen.iter().copied().map(ServerType::from).collect()
    }

    /// The pairings that a seed is tried with. Ours against ours is the most different from stock, and the
    /// cheapest, so every seed has it; the two mixed ones take turns.
    fn pairings(&self, seed: u64) -> Vec<PairingName> {
        match (self.pairing.as_slice(), seed % 2) {
            ([], 0) => vec![PairingName::OursOurs, PairingName::OursStock],
            ([], _) => vec![PairingName::OursOurs, PairingName::StockOurs],
            (chosen, _) => chosen.to_vec(),
        }
    }
}

/// Runs the seeds; an error unless all of them are equal.
pub(crate) fn run(args: &DifferentialArgs, interrupt: &Interrupt) -> Result<()> {
    test::set_up(interrupt)?;
    let screen = Screen::new();
    build::build(Profile::Dev, screen, interrupt)?;
    let started = Instant::now();
    let contest = Contest { stock: Arena::start(Daemon::Stock)?, ours: Arena::start(Daemon::Martlet)? };
    check_features(args, &contest.stock)?;
    screen.good(&format!("two clusters of four nodes are up ({:.1} s)", started.elapsed().as_secs_f64()));
    let mut tally = Tally::default();
    for number in args.first..args.first.saturating_add(args.seeds) {
        interrupt.check()?;
        let started = Instant::now();
        let matches = run_seed(args, number, &contest, interrupt)?;
        if !report::seed(number, &matches, started.elapsed(), screen)? {
            tally.unequal.push(number);
        }
        tally.beaten += report::beaten(&matches).len();
    }
    tally.conclude(args.seeds, started.elapsed(), screen)
}

/// How it stands.
#[derive(Default)]
struct Tally {
    /// The seeds that differ.
    unequal: Vec<u64>,
    /// Cases in which a defect of stock shows, and ours ended better.
    beaten: usize,
}

fn check_features(args: &DifferentialArgs, arena: &Arena) -> Result<()> {
    let known = arena.features()?;
    match args.without.iter().find(|feature| !known.contains(feature)) {
        Some(unknown) => bail!("there is no feature {unknown}; there are: {}", known.join(", ")),
        None => Ok(()),
    }
}

fn run_seed(
    args: &DifferentialArgs,
    number: u64,
    contest: &Contest,
    interrupt: &Interrupt,
) -> Result<Vec<Match>> {
    let pairings = args.pairings(number);
    let run_type = |server_type| {
        let seed = Seed { number, server_type, without: args.without.clone(), only: args.only.clone() };
        contest.run(&seed, &pairings, interrupt)
    };
    args.types().into_iter().map(run_type).collect()
}

impl Tally {
    fn conclude(&self, seeds: u64, time: Duration, screen: Screen) -> Result<()> {
        let (seconds, beaten) = (time.as_secs_f64(), self.beaten);
        screen.line("");
        if self.unequal.is_empty() {
            let line =
                format!("{seeds} seeds, all equal but for {beaten} cases in which a defect of stock shows");
            screen.line(&format!("{line}; {seconds:.1} seconds in all."));
            return Ok(());
        }
        let numbers: Vec<_> = self.unequal.iter().map(u64::to_string).collect();
        bail!("{} of {seeds} seeds differ: {}", self.unequal.len(), numbers.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: DifferentialArgs,
    }

    fn parsed(words: &[&str]) -> DifferentialArgs {
        Line::try_parse_from(std::iter::once("differential").chain(words.iter().copied())).unwrap().args
    }

    #[test]
    fn the_mixed_pairings_take_turns_beside_ours() {
        let args = parsed(&[]);
        assert_eq!(args.pairings(4), [PairingName::OursOurs, PairingName::OursStock]);
        assert_eq!(args.pairings(5), [PairingName::OursOurs, PairingName::StockOurs]);
        let args = parsed(&["--pairing", "stock-stock"]);
        assert_eq!(args.pairings(5), [PairingName::StockStock]);
    }

    #[test]
    fn a_case_is_chosen_by_number_or_by_the_name_that_a_difference_shows() {
        let args = parsed(&["--only", "7", "--only", "c08", "--only", "s17-c09"]);
        assert_eq!(args.only, [7, 8, 9]);
        assert!(case_number("s17-x").is_err());
    }

    #[test]
    fn both_types_unless_one_is_chosen() {
        assert_eq!(parsed(&[]).types(), [ServerType::Account, ServerType::Container]);
        assert_eq!(parsed(&["--type", "container"]).types(), [ServerType::Container]);
    }
}
