//! `cargo xtask bench`: what a pass costs, stock's and ours by turns from the same bytes.

use std::{num::NonZeroUsize, path::PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use testkit::Pairing;

pub(crate) use self::instructions::{InstructionsArgs, run as run_instructions};
use self::{
    contest::{Contest, Ground, PAIRINGS, SHORT, named},
    corpus::Corpus,
    floors::Floor,
    record::Record,
    report::Measured,
    scenario::{Scenario, Size},
    table::Line,
};
use crate::{
    build::{self, Profile, REPLICATORS},
    interrupt::Interrupt,
    screen::Screen,
    test,
    whose::Whose,
};

mod contest;
mod corpus;
mod floors;
mod instructions;
mod plot;
mod record;
mod report;
mod scenario;
mod table;

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct BenchArgs {
    /// Only these; all of them if none is given.
    #[arg(value_enum, value_name = "SCENARIO")]
    scenarios: Vec<Scenario>,
    /// Rounds in which every contestant has its turn.
    #[arg(long, default_value = "3", value_name = "N")]
    runs: NonZeroUsize,
    /// Databases of each scenario, in place of its own number; several numbers for a curve.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    databases: Vec<usize>,
    /// Rows of each database, in place of the scenario's own number; several numbers for a curve.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    rows: Vec<usize>,
    /// Only with this replicator.
    #[arg(long, value_enum, value_name = "WHOSE")]
    sender: Option<Whose>,
    /// Only with these servers.
    #[arg(long, value_enum, value_name = "WHOSE")]
    receiver: Option<Whose>,
    /// Neither counting runs nor floors.
    #[arg(long)]
    times_only: bool,
    /// The folder, on a real disk, that the clusters lie in; memory if none is given.
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,
    /// Every sample into a file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A drawing (SVG) of cost against size.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Measures nothing, but prints and draws what `--json` has left in a file.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    from: Option<PathBuf>,
}

impl BenchArgs {
    fn scenarios(&self) -> &[Scenario] {
        if self.scenarios.is_empty() { Scenario::value_variants() } else { &self.scenarios }
    }

    fn pairings(&self) -> Vec<Pairing> {
        let is = |chosen: Option<Whose>, daemon| chosen.is_none_or(|whose| whose.daemon() == daemon);
        let wanted =
            |pairing: &Pairing| is(self.sender, pairing.senders) && is(self.receiver, pairing.servers);
        PAIRINGS.into_iter().filter(wanted).collect()
    }

    fn sizes(&self, scenario: Scenario) -> Vec<Size> {
        let usual = scenario.size();
        if usual.databases == 0 {
            return vec![usual];
        }
        let chosen =
            |numbers: &[usize], usual| if numbers.is_empty() { vec![usual] } else { numbers.to_vec() };
        let rows = chosen(&self.rows, usual.rows);
        let of = |databases| rows.iter().map(move |&rows| Size { databases, rows });
        chosen(&self.databases, usual.databases).into_iter().flat_map(of).collect()
    }
}

/// Measures, and prints a line for each contestant of each scenario.
pub(crate) fn run(args: &BenchArgs, interrupt: &Interrupt) -> Result<()> {
    let record = match &args.from {
        Some(file) => show(Record::read(file)?),
        None => measure(args, interrupt)?,
    };
    if let Some(file) = &args.plot {
        plot::draw(&record, file)?;
    }
    Ok(())
}

fn measure(args: &BenchArgs, interrupt: &Interrupt) -> Result<Record> {
    test::set_up(interrupt)?;
    let screen = Screen::new();
    let ground = Ground {
        programs: build::build(&REPLICATORS, Profile::Release, screen, interrupt)?,
        disk: args.disk.clone(),
    };
    Bench { args, ground, screen, interrupt }.measure_all()
}

/// Prints what was measured another time.
fn show(record: Record) -> Record {
    let screen = Screen::new();
    heading(screen, &record);
    for measured in &record.scenarios {
        print(screen, &measured.lines());
    }
    print(screen, &floors::lines(&record.floors));
    record
}

fn heading(screen: Screen, record: &Record) {
    screen.line("");
    screen.aside(&record.heading());
    screen.aside(
        "CPU in ms by the database, medians; stock's figures by those of each contestant, medians of the rounds",
    );
    print(screen, &Line::heading());
}

fn print(screen: Screen, lines: &[Line]) {
    for line in lines {
        screen.line(&line.text());
    }
}

/// One call of the benchmark.
struct Bench<'a> {
    args: &'a BenchArgs,
    ground: Ground,
    screen: Screen,
    interrupt: &'a Interrupt,
}

impl Bench<'_> {
    fn measure_all(&self) -> Result<Record> {
        let mut record = Record::of_now()?;
        heading(self.screen, &record);
        for &scenario in self.args.scenarios() {
            for size in self.args.sizes(scenario) {
                let measured = self.measure(scenario, size)?;
                print(self.screen, &measured.lines());
                record.scenarios.push(measured);
                self.keep(&record)?;
            }
        }
        if !self.args.times_only {
            record.floors = self.floors()?;
            print(self.screen, &floors::lines(&record.floors));
            self.keep(&record)?;
        }
        Ok(record)
    }

    /// After each scenario: a long run that is broken off leaves what it has.
    fn keep(&self, record: &Record) -> Result<()> {
        self.args.json.as_deref().map_or(Ok(()), |file| record.write(file))
    }

    /// Every round begins with the next contestant, and every second one goes backwards: none always follows the same one.
    fn measure(&self, scenario: Scenario, size: Size) -> Result<Measured> {
        let corpus = self.corpus(scenario, size)?;
        let pairings = self.args.pairings();
        let mut measured = Measured::new(scenario, size, corpus.bytes()?, &pairings);
        let contestants = pairings.len();
        for round in 0..self.args.runs.get() {
            for turn in 0..contestants {
                self.interrupt.check()?;
                let turn = if round % 2 == 0 { turn } else { contestants - 1 - turn };
                let runs = &mut measured.runs[(round + turn) % contestants];
                let contest = self.contest(&corpus, runs.pairing(), &format!("round {}", round + 1));
                runs.samples.push(contest.run()?);
            }
        }
        if !self.args.times_only {
            self.count(&mut measured, scenario.traced(size))?;
        }
        Ok(measured)
    }

    fn count(&self, measured: &mut Measured, size: Size) -> Result<()> {
        let corpus = self.corpus(measured.scenario, size)?;
        for runs in &mut measured.runs {
            self.interrupt.check()?;
            runs.counted = Some(self.contest(&corpus, runs.pairing(), "counted").count()?);
        }
        Ok(())
    }

    fn contest<'c>(&'c self, corpus: &'c Corpus, pairing: Pairing, what: &str) -> Contest<'c> {
        let title =
            format!("{} of {}, {what}: {}", corpus.scenario.name(), corpus.size.databases, named(pairing));
        self.screen.progress(&format!("   {title}"));
        Contest { title, pairing, corpus, ground: &self.ground }
    }

    fn corpus(&self, scenario: Scenario, size: Size) -> Result<Corpus> {
        self.screen.progress(&format!("   {}: {} databases are built", scenario.name(), size.databases));
        Corpus::of(scenario, size, self.ground.shape(scenario, SHORT))
    }

    fn floors(&self) -> Result<Vec<Floor>> {
        let corpus = self.corpus(Scenario::InSync, Scenario::InSync.size())?;
        self.screen.progress("   floors");
        floors::measure(&corpus.disks().join("n1"), self.args.disk.as_deref())
    }
}
