//! Medians, and ratios to stock pair by pair, of the runs of one scenario.

use serde::{Deserialize, Serialize};
use testkit::Pairing;

use super::{
    contest::{Counted, PAIRINGS, Sample, named},
    scenario::{Scenario, Size},
    table::Line,
};
use crate::{screen::thousands, whose::Whose};

/// The runs of one scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) scenario: Scenario,
    pub(crate) databases: usize,
    pub(crate) rows: usize,
    /// Bytes of the sender's databases.
    pub(crate) bytes: u64,
    /// Those of each contestant.
    pub(crate) runs: Vec<Runs>,
}

/// What was measured of one contestant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Runs {
    pub(crate) sender: Whose,
    pub(crate) receivers: Whose,
    /// Round by round.
    pub(crate) samples: Vec<Sample>,
    /// Of a run of its own; none if only times were asked for.
    pub(crate) counted: Option<Counted>,
}

impl Runs {
    pub(crate) const fn of(pairing: Pairing) -> Self {
        let (sender, receivers) = (Whose::of(pairing.senders), Whose::of(pairing.servers));
        Self { sender, receivers, samples: Vec::new(), counted: None }
    }

    pub(crate) const fn pairing(&self) -> Pairing {
        Pairing { senders: self.sender.daemon(), servers: self.receivers.daemon() }
    }

    /// The median of a figure.
    pub(crate) fn median(&self, figure: Figure) -> f64 {
        median(self.samples.iter().map(figure).collect())
    }
}

/// How to get a figure from a sample.
pub(crate) type Figure = fn(&Sample) -> f64;

pub(crate) const WALL: Figure = |sample| sample.wall;
/// Of all processes.
pub(crate) const CPU: Figure = |sample| sample.sender_cpu + sample.receivers_cpu;

impl Measured {
    pub(crate) fn new(scenario: Scenario, size: Size, bytes: u64, pairings: &[Pairing]) -> Self {
        let runs = pairings.iter().copied().map(Runs::of).collect();
        Self { scenario, databases: size.databases, rows: size.rows, bytes, runs }
    }

    /// A line for each contestant.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.runs.iter().map(|runs| self.line(runs)).collect()
    }

    fn line(&self, runs: &Runs) -> Line {
        let milliseconds = |figure| format!("{:.3}", runs.median(figure) * 1000.0 / self.each());
        let ratio =
            |figure| self.ratio(runs, figure).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2} ×"));
        let counted = |count: fn(Counted) -> u64, unit: f64| {
            let per_database = |counted: Counted| {
                format!("{:.2}", float(count(counted)) / unit / float(counted.databases.max(1)))
            };
            runs.counted.map_or_else(|| "-".to_owned(), per_database)
        };
        Line {
            scenario: self.scenario.name(),
            databases: self.databases.to_string(),
            contest: named(runs.pairing()),
            wall: format!("{:.3}", runs.median(WALL)),
            sender: milliseconds(|sample| sample.sender_cpu),
            receivers: milliseconds(|sample| sample.receivers_cpu),
            all: milliseconds(CPU),
            peak: format!("{:.0}", runs.median(|sample| sample.peak_mib)),
            by_wall: ratio(WALL),
            by_cpu: ratio(CPU),
            requests: counted(|counted| counted.requests, 1.0),
            kib: counted(|counted| counted.bytes, 1024.0),
            fsyncs: counted(|counted| counted.fsyncs, 1.0),
            speed: self.speed(runs),
        }
    }

    /// In rows, bytes or databases, whatever the scenario is about; rows and bytes are counted once for each peer.
    fn speed(&self, runs: &Runs) -> String {
        let (wall, cpu) = (runs.median(WALL), runs.median(CPU));
        if let Some(behind) = self.scenario.rows_behind(self.rows) {
            let rows = float(behind) * self.each() * PEERS;
            return format!("{} rows/s, {} rows/CPU s", whole(rows / wall), whole(rows / cpu));
        }
        match self.scenario {
            Scenario::Empty => String::new(),
            Scenario::MissingLarge => format!("{:.0} MB/s", float(self.bytes) * PEERS / wall / 1e6),
            _ => format!("{} dbs/s", whole(self.each() / wall)),
        }
    }

    /// At least one: an empty pass is told as one of one database.
    fn each(&self) -> f64 {
        float(self.databases.max(1))
    }

    /// The median over the rounds of what stock took by what this one took; none without stock's runs.
    fn ratio(&self, runs: &Runs, figure: Figure) -> Option<f64> {
        let stock = self.runs.iter().find(|runs| runs.pairing() == PAIRINGS[0])?;
        let pairs = stock.samples.iter().zip(&runs.samples);
        Some(median(pairs.map(|(stock, sample)| figure(stock) / figure(sample)).collect()))
    }
}

/// The sender's of each database.
const PEERS: f64 = 2.0;

fn float(number: impl TryInto<u64>) -> f64 {
    let number: u64 = number.try_into().unwrap_or(u64::MAX);
    // Counts of a benchmark are far below 2^52.
    #[expect(clippy::cast_precision_loss, reason = "figures of a table have four digits")]
    let float = number as f64;
    float
}

/// Without a fraction, and thousands set apart.
pub(crate) fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    digits.parse::<u64>().map_or(digits, thousands)
}

/// The middle one, or the mean of the two in the middle; 0 of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(wall: f64) -> Sample {
        Sample { wall, sender_cpu: wall / 2.0, receivers_cpu: wall / 4.0, peak_mib: 10.0 }
    }

    fn measured(scenario: Scenario, walls: &[(Pairing, &[f64])]) -> Measured {
        let runs = walls.iter().map(|(pairing, walls)| Runs {
            samples: walls.iter().copied().map(sample).collect(),
            ..Runs::of(*pairing)
        });
        let Size { databases, rows } = scenario.size();
        Measured { scenario, databases, rows, bytes: 3_000_000, runs: runs.collect() }
    }

    #[test]
    fn ratios_are_taken_round_by_round_and_their_median_is_shown() {
        let walls: [(_, &[f64]); 2] = [(PAIRINGS[0], &[10.0, 30.0, 20.0]), (PAIRINGS[3], &[1.0, 2.0, 5.0])];
        let lines = measured(Scenario::InSync, &walls).lines();
        assert_eq!(
            [&*lines[0].contest, &lines[0].by_wall, &lines[0].by_cpu],
            ["stock → stock", "1.00 ×", "1.00 ×"]
        );
        // 10, 15 and 4 times as fast.
        assert_eq!([&*lines[1].by_wall, &lines[1].by_cpu, &lines[1].requests], ["10.00 ×", "10.00 ×", "-"]);
    }

    #[test]
    fn without_stock_there_is_nothing_to_compare_with() {
        assert_eq!(measured(Scenario::Empty, &[(PAIRINGS[3], &[1.0])]).lines()[0].by_cpu, "-");
    }

    #[test]
    fn counts_are_told_by_the_database() {
        let mut measured = measured(Scenario::InSync, &[(PAIRINGS[0], &[1.0])]);
        measured.runs[0].counted =
            Some(Counted { databases: 50, requests: 100, bytes: 1024 * 25, fsyncs: 0 });
        let line = &measured.lines()[0];
        assert_eq!([&*line.requests, &line.kib, &line.fsyncs], ["2.00", "0.50", "0.00"]);
    }

    #[test]
    fn speed_is_in_what_the_scenario_is_about() {
        let speed = |scenario| measured(scenario, &[(PAIRINGS[0], &[2.0])]).lines()[0].speed.clone();
        // 300 databases, ten rows each, two peers; CPU is three quarters of the wall.
        assert_eq!(speed(Scenario::Diff), "3,000 rows/s, 4,000 rows/CPU s");
        assert_eq!(speed(Scenario::MissingLarge), "3 MB/s");
        assert_eq!(speed(Scenario::InSync), "500 dbs/s");
    }

    #[test]
    fn what_was_measured_survives_a_file() {
        let before = measured(Scenario::Diff, &[(PAIRINGS[1], &[2.0, 3.0])]);
        let text = serde_json::to_string(&before).unwrap();
        let after: Measured = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&after).unwrap(), text);
        assert_eq!(after.runs[0].pairing(), PAIRINGS[1]);
    }

    #[test]
    fn of_an_even_number_the_median_lies_between() {
        let medians = [vec![], vec![3.0, 1.0], vec![5.0, 1.0, 4.0]].map(|values| median(values).to_string());
        assert_eq!(medians, ["0", "2", "4"]);
    }
}
