//! `cargo xtask crash`: our programs crash before and after every step that writes, in every course, and are started again.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use testkit::{CrashRun, Pairing, Point, ServerType, Step, Suite};

use self::matrix::Matrix;
use crate::{
    build::{self, Profile, REPLICATORS, TYPES},
    interrupt::Interrupt,
    screen::Screen,
    side_by_side::side_by_side,
    test,
    whose::Whose,
};

mod matrix;

/// Faults of one point that are printed before the rest is only counted.
const SHOWN: usize = 8;

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct CrashArgs {
    /// Only accounts, or only containers.
    #[arg(long = "type", value_name = "TYPE", value_parser = server_type)]
    types: Vec<ServerType>,
    /// Only these points, e.g. "before rename"; all if none is given.
    #[arg(long, value_name = "POINT")]
    point: Vec<Point>,
    /// Whose replicators run; stock's do not crash. Ours if it is not given, but for what only files by rsync need.
    #[arg(long, value_enum)]
    sender: Option<Whose>,
    /// Whose servers answer; stock's do not crash.
    #[arg(long, value_enum, default_value_t = Whose::Martlet)]
    receiver: Whose,
    /// Each point with one of the two types, by turns.
    #[arg(long, conflicts_with = "types")]
    short: bool,
    /// How many clusters at a time.
    #[arg(long, default_value = "2", value_name = "N")]
    side_by_side: NonZeroUsize,
}

fn server_type(text: &str) -> Result<ServerType, String> {
    TYPES.into_iter().find(|each| each.name() == text).ok_or_else(|| "it is account or container".to_owned())
}

impl CrashArgs {
    /// What is to be run: every point, of accounts and of containers.
    fn runs(&self) -> Vec<(ServerType, Point)> {
        let types = if self.types.is_empty() { &TYPES[..] } else { &self.types };
        let points = if self.point.is_empty() { Point::all().collect() } else { self.point.clone() };
        let runs = points.into_iter().flat_map(|point| types.iter().map(move |each| (*each, point)));
        let is_its_turn = |(place, _): &(usize, _)| !self.short || matches!(place % 4, 0 | 3);
        runs.enumerate().filter(is_its_turn).map(|(_, run)| run).collect()
    }

    fn pairing(&self, step: Step) -> Pairing {
        let usual = if step == Step::ClaimFile { Whose::Stock } else { Whose::Martlet };
        Pairing { senders: self.sender.unwrap_or(usual).daemon(), servers: self.receiver.daemon() }
    }

    /// Whether every step has to be reached.
    fn is_whole(&self) -> bool {
        let ours = self.sender.is_none() && self.receiver == Whose::Martlet;
        ours && self.point.is_empty() && self.types.is_empty() && !self.short
    }
}

/// Runs all points; an error if what is left after one is not what stock leaves undisturbed, or if a step is never reached.
pub(crate) fn run(args: &CrashArgs, interrupt: &Interrupt) -> Result<()> {
    test::set_up(interrupt)?;
    let screen = Screen::new();
    build::build(&REPLICATORS, Profile::Dev, screen, interrupt)?;
    let started = Instant::now();
    let work = Work { screen, matrix: Mutex::default() };
    side_by_side(args.side_by_side, args.runs().into_iter(), |(server_type, point)| {
        interrupt.check()?;
        screen.progress(&format!("   {server_type}s, {point}"));
        let run = Suite::Crashes.crash(server_type, args.pairing(point.step), point);
        work.note(server_type, point, &run.with_context(|| format!("{server_type}s, {point}"))?);
        Ok(())
    })?;
    let matrix = work.matrix.into_inner().unwrap_or_else(PoisonError::into_inner);
    screen.line(&matrix.to_string());
    screen.line(&format!("{}; {:.0} s.", matrix.sum(), started.elapsed().as_secs_f64()));
    let never = matrix.never_reached();
    if args.is_whole() && !never.is_empty() {
        bail!("nothing was crashed at: {}", never.join(", "));
    }
    match matrix.failed() {
        0 => Ok(()),
        failed => bail!("{failed} runs left something else than stock leaves undisturbed, see above"),
    }
}

/// What the runs have come to so far.
struct Work {
    screen: Screen,
    matrix: Mutex<Matrix>,
}

impl Work {
    fn note(&self, server_type: ServerType, point: Point, run: &CrashRun) {
        // Held while its lines are printed, so that nobody else's come between them.
        let mut matrix = self.matrix.lock().unwrap_or_else(PoisonError::into_inner);
        matrix.add(server_type, point, run);
        if !run.faults.is_empty() {
            self.screen.bad(&format!(
                "{server_type}s, {point}: again with --type {server_type} --point \"{point}\""
            ));
            run.faults.iter().take(SHOWN).for_each(|fault| self.screen.line(&format!("     {fault}")));
            let more = run.faults.len().saturating_sub(SHOWN);
            if more > 0 {
                self.screen.line(&format!("     … and {more} more"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: CrashArgs,
    }

    fn runs(words: &[&str]) -> Vec<(ServerType, Point)> {
        Line::try_parse_from(std::iter::once("crash").chain(words.iter().copied())).unwrap().args.runs()
    }

    #[test]
    fn the_short_form_has_every_point_once_and_both_types_by_turns() {
        let (all, short) = (runs(&[]), runs(&["--short"]));
        assert_eq!((all.len(), short.len()), (2 * Point::all().count(), Point::all().count()));
        assert!(Point::all().all(|point| short.iter().filter(|(_, at)| *at == point).count() == 1));
        let accounts = short.iter().filter(|(server_type, _)| *server_type == ServerType::Account).count();
        assert_eq!(accounts, short.len() / 2);
    }
}
