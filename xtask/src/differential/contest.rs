//! One seed's databases of one type, through stock's passes and through ours.

use std::thread;

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;
use testkit::{Arena, Aspect, Beaten, Daemon, Difference, Drawn, Outcome, Seed, Tree, compare};

use super::PairingName;
use crate::interrupt::Interrupt;

/// What contestants are held to. Points differ with the calls that are made, and of the files beside the
/// databases only those of the receiver's lock do.
const ASPECTS: &[Aspect] = &[Aspect::Content, Aspect::Reconciler, Aspect::Schema];

/// Two clusters, one with stock's servers and one with ours.
pub(super) struct Contest {
    pub(super) stock: Arena,
    pub(super) ours: Arena,
}

/// How one seed and type went.
pub(super) struct Match {
    pub(super) seed: Seed,
    pub(super) drawn: Drawn,
    pub(super) oracle: Run,
    pub(super) rounds: Vec<Contestant>,
}

/// One run from the drawn bytes to rest.
pub(super) struct Run {
    pub(super) outcome: Outcome,
    /// The disks at its end, where somebody will want to look at them.
    pub(super) end: Option<Tree>,
}

/// One pairing beside stock.
pub(super) struct Contestant {
    pub(super) pairing: PairingName,
    pub(super) run: Run,
    pub(super) differences: Vec<Difference>,
    /// The cases in which it ended better than stock, with the proof that nothing was lost.
    pub(super) beaten: Vec<(String, Beaten)>,
}

impl PairingName {
    const fn senders(self) -> Daemon {
        match self {
            Self::OursOurs | Self::OursStock => Daemon::Martlet,
            Self::StockOurs | Self::StockStock => Daemon::Stock,
        }
    }

    const fn servers(self) -> Daemon {
        match self {
            Self::OursOurs | Self::StockOurs => Daemon::Martlet,
            Self::OursStock | Self::StockStock => Daemon::Stock,
        }
    }
}

impl Contest {
    pub(super) fn start() -> Result<Self> {
        Ok(Self { stock: Arena::start(Daemon::Stock)?, ours: Arena::start(Daemon::Martlet)? })
    }

    /// Draws the seed, lets stock and every pairing bring it to rest, and compares. The two clusters work at
    /// the same time.
    pub(super) fn run(&self, seed: &Seed, pairings: &[PairingName], interrupt: &Interrupt) -> Result<Match> {
        let drawn = self.stock.draw(seed).context("the seed cannot be built")?;
        let (with_ours, with_stock): (Vec<_>, Vec<_>) =
            pairings.iter().partition(|pairing| pairing.servers() == Daemon::Martlet);
        let run_all = |arena, pairings: Vec<PairingName>| -> Result<Vec<(PairingName, Run)>> {
            let run_one = |pairing: PairingName| Ok((pairing, one_run(arena, &drawn, pairing, interrupt)?));
            pairings.into_iter().map(run_one).collect()
        };
        let (oracle, runs) = thread::scope(|scope| {
            let ours = scope.spawn(|| run_all(&self.ours, with_ours));
            let oracle = one_run(&self.stock, &drawn, PairingName::StockStock, interrupt);
            let stock = oracle.and_then(|oracle| Ok((oracle, run_all(&self.stock, with_stock)?)));
            let ours = ours.join().map_err(|_| anyhow!("the thread of our servers' cluster panicked"))?;
            let (oracle, mut runs) = stock?;
            runs.extend(ours?);
            anyhow::Ok((oracle, runs))
        })?;
        let rounds = runs.into_iter().map(|(pairing, run)| {
            let mut differences = compare(&oracle.outcome, &run.outcome, ASPECTS);
            let beaten = if pairing == PairingName::StockStock {
                Vec::new()
            } else {
                take_beaten(&drawn, &oracle.outcome, &run.outcome, &mut differences)
            };
            Contestant { pairing, run, differences, beaten }
        });
        let rounds = rounds.collect();
        Ok(Match { seed: seed.clone(), drawn, oracle, rounds })
    }
}

/// Takes the differences away in which ours is proven to have ended better; returns their cases.
fn take_beaten(
    drawn: &Drawn,
    stock: &Outcome,
    ours: &Outcome,
    differences: &mut Vec<Difference>,
) -> Vec<(String, Beaten)> {
    let differs =
        |case: &&Value| differences.iter().any(|difference| case["title"] == difference.title.as_str());
    let proven = |case: &Value| Beaten::proven(case, &drawn.dump, stock, ours);
    let beaten: Vec<_> = drawn
        .manifest
        .iter()
        .filter(differs)
        .filter_map(|case| Some((case["title"].as_str()?.to_owned(), proven(case)?)))
        .collect();
    differences.retain(|difference| !beaten.iter().any(|(title, _)| *title == difference.title));
    beaten
}

fn one_run(arena: &Arena, drawn: &Drawn, pairing: PairingName, interrupt: &Interrupt) -> Result<Run> {
    let outcome =
        arena.run(drawn, pairing.senders(), &|| interrupt.check()).with_context(|| format!("{pairing}"))?;
    let end = super::report::keeps_files().then(|| arena.disks()).transpose()?;
    Ok(Run { outcome, end })
}

impl Match {
    /// The entry of the manifest for a case that a difference names; none for what belongs to no case.
    pub(super) fn case(&self, title: &str) -> Option<&Value> {
        self.drawn.manifest.iter().find(|case| case["title"] == title)
    }
}
