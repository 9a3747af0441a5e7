//! `cargo xtask sim`: seeds of the simulated cluster.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use testkit::{Simulated, simulate};

use crate::{
    interrupt::Interrupt,
    screen::{Screen, thousands},
    side_by_side::side_by_side,
};

/// After how many seeds a line says how far it is, where nobody watches.
const TOLD_EVERY: usize = 100;

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct SimArgs {
    /// How many seeds.
    #[arg(long, default_value_t = 500, value_name = "N")]
    seeds: u64,
    /// The first of them; even ones are about accounts, odd ones about containers.
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    first: u64,
    /// How many at a time.
    #[arg(long, default_value = "2", value_name = "N")]
    side_by_side: NonZeroUsize,
    /// Print what happened in each, step by step.
    #[arg(long)]
    story: bool,
}

/// Runs the seeds; an error unless in each of them all came to what was acknowledged.
pub(crate) fn run(args: &SimArgs, interrupt: &Interrupt) -> Result<()> {
    let (screen, started) = (Screen::new(), Instant::now());
    let work = Work { args, screen, tally: Mutex::default() };
    let seeds = args.first..args.first.saturating_add(args.seeds);
    side_by_side(args.side_by_side, seeds, |seed| {
        interrupt.check()?;
        work.note(seed, &simulate(seed).with_context(|| format!("seed {seed}"))?);
        Ok(())
    })?;
    let tally = work.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    screen.line(&format!("{}; {:.0} s.", tally.text(), started.elapsed().as_secs_f64()));
    match tally.failed.as_slice() {
        [] => Ok(()),
        failed => bail!("{} of {} seeds failed: {failed:?}", failed.len(), args.seeds),
    }
}

/// What the seeds have come to so far.
struct Work<'a> {
    args: &'a SimArgs,
    screen: Screen,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    seeds: usize,
    acknowledged: usize,
    troubled: usize,
    too_far_ahead: usize,
    passes: usize,
    failed: Vec<u64>,
}

impl Work<'_> {
    fn note(&self, seed: u64, simulated: &Simulated) {
        // Held while its lines are printed, so that nobody else's come between them.
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.seeds += 1;
        tally.acknowledged += simulated.acknowledged;
        tally.troubled += simulated.troubled;
        tally.too_far_ahead += simulated.too_far_ahead;
        tally.passes += simulated.passes;
        if self.args.story {
            simulated.story.iter().for_each(|line| self.screen.line(&format!("     {line}")));
        }
        if !simulated.faults.is_empty() {
            tally.failed.push(seed);
            self.screen.bad(&format!("seed {seed}: again with --seeds 1 --first {seed} --story"));
            simulated.faults.iter().for_each(|fault| self.screen.line(&format!("     {fault}")));
        }
        if tally.seeds.is_multiple_of(TOLD_EVERY) {
            self.screen.good(&format!("{} of {} seeds", tally.seeds, self.args.seeds));
        }
        self.screen.progress(&format!("   {} of {} seeds", tally.seeds, self.args.seeds));
    }
}

impl Tally {
    fn text(&self) -> String {
        format!(
            "{} seeds: {} acknowledged writes, {} requests lost, late, doubled or unanswered, {} too far ahead of a clock, \
             {} passes, {}",
            thousands(self.seeds as u64),
            thousands(self.acknowledged as u64),
            thousands(self.troubled as u64),
            thousands(self.too_far_ahead as u64),
            thousands(self.passes as u64),
            if self.failed.is_empty() {
                "nothing lost and all replicas equal"
            } else {
                "NOT all as acknowledged"
            }
        )
    }
}
