//! `cargo xtask differential`: random states of a cluster, stock's passes against ours from the same bytes.

use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    ops::Range,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};
use clap::ValueEnum;
use testkit::{Arena, Seed, ServerType};

use self::contest::{Contest, Match};
use crate::{
    build::{self, Profile, REPLICATORS},
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
    /// Build at most so many cases of each seed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "only")]
    most: Option<u64>,
    /// How many seeds at a time, each on two clusters.
    #[arg(long, default_value = "2", value_name = "N")]
    side_by_side: NonZeroUsize,
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

    /// The cases of a seed that are built; all if there are none.
    fn cases(&self) -> Vec<u64> {
        self.most.map_or_else(|| self.only.clone(), |most| (0..most).collect())
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
    build::build(&REPLICATORS, Profile::Dev, screen, interrupt)?;
    let started = Instant::now();
    let contests: Vec<_> = (0..args.side_by_side.get()).map(|_| Contest::start()).collect::<Result<_>>()?;
    check_features(args, &contests[0].stock)?;
    let clusters = 2 * contests.len();
    screen.good(&format!(
        "{clusters} clusters of four nodes are up ({:.1} s)",
        started.elapsed().as_secs_f64()
    ));
    let work = Work {
        args,
        interrupt,
        screen,
        seeds: Mutex::new(args.first..args.first.saturating_add(args.seeds)),
        tally: Mutex::default(),
    };
    thread::scope(|scope| {
        let workers: Vec<_> = contests.iter().map(|contest| scope.spawn(|| work.through(contest))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!(PANICKED))?)
    })?;
    let tally = work.tally.into_inner().map_err(|_| anyhow!(PANICKED))?;
    tally.conclude(args.seeds, started.elapsed(), screen)
}

const PANICKED: &str = "the thread of a contest panicked";

/// The seeds that are left, for whoever is free to take the next, and what the others came to.
struct Work<'a> {
    args: &'a DifferentialArgs,
    interrupt: &'a Interrupt,
    screen: Screen,
    seeds: Mutex<Range<u64>>,
    tally: Mutex<Tally>,
}

impl Work<'_> {
    /// One seed after the other until none is left; after an error nobody takes another one.
    fn through(&self, contest: &Contest) -> Result<()> {
        while let Some(number) = self.next()? {
            if let Err(error) = self.seed(number, contest) {
                *self.seeds.lock().map_err(|_| anyhow!(PANICKED))? = 0..0;
                return Err(error.context(format!("seed {number}")));
            }
        }
        Ok(())
    }

    /// A function of its own, so that the lock is not held while the seed is at work.
    fn next(&self) -> Result<Option<u64>> {
        Ok(self.seeds.lock().map_err(|_| anyhow!(PANICKED))?.next())
    }

    fn seed(&self, number: u64, contest: &Contest) -> Result<()> {
        self.interrupt.check()?;
        let started = Instant::now();
        let matches = run_seed(self.args, number, contest, self.interrupt)?;
        // Held while its lines are printed, so that nobody else's come between them.
        let mut tally = self.tally.lock().map_err(|_| anyhow!(PANICKED))?;
        if !report::seed(number, &matches, started.elapsed(), self.screen)? {
            tally.unequal.insert(number);
        }
        tally.beaten += report::beaten(&matches).len();
        Ok(())
    }
}

/// How it stands.
#[derive(Default)]
struct Tally {
    /// The seeds that differ.
    unequal: BTreeSet<u64>,
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
        let seed = Seed { number, server_type, without: args.without.clone(), only: args.cases() };
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
        assert_eq!(parsed(&["--most", "3"]).cases(), [0, 1, 2]);
        assert!(parsed(&[]).cases().is_empty(), "all");
    }

    #[test]
    fn both_types_unless_one_is_chosen() {
        assert_eq!(parsed(&[]).types(), [ServerType::Account, ServerType::Container]);
        assert_eq!(parsed(&["--type", "container"]).types(), [ServerType::Container]);
    }
}
