//! Medians, and ratios to stock pair by pair, of the runs of one scenario.

use serde_json::{Value, json};
use testkit::Pairing;

use super::{
    contest::{PAIRINGS, Sample, named},
    scenario::{Scenario, Size},
};

/// The runs of one scenario: for each contestant the samples, round by round.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) scenario: Scenario,
    pub(crate) size: Size,
    pub(crate) runs: Vec<(Pairing, Vec<Sample>)>,
}

/// How to get a figure from a sample.
type Figure = fn(&Sample) -> f64;

const WALL: Figure = |sample| sample.wall;
const CPU: Figure = |sample| sample.sender_cpu + sample.receivers_cpu;

/// The lines above those of [`Measured::lines`].
pub(crate) fn heading() -> [String; 2] {
    [
        ["", "", "", "CPU", "CPU", "CPU", "", "stock's", "stock's"],
        [
            "scenario",
            "sender → servers",
            "wall s",
            "of sender",
            "of servers",
            "of all",
            "MiB",
            "wall by",
            "CPU by",
        ],
    ]
    .map(columns)
}

fn columns(cells: [&str; 9]) -> String {
    let [scenario, contest, wall, sender, servers, all, peak, by_wall, by_cpu] = cells;
    let line = format!(
        "{scenario:<13} {contest:<18} {wall:>7} {sender:>10} {servers:>10} {all:>10} {peak:>5} {by_wall:>9} {by_cpu:>9}"
    );
    line.trim_end().to_owned()
}

impl Measured {
    /// A line for each contestant.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.runs.iter().map(|(pairing, samples)| self.line(*pairing, samples)).collect()
    }

    fn line(&self, pairing: Pairing, samples: &[Sample]) -> String {
        let of = |figure: Figure| median(samples.iter().map(figure).collect());
        let each = |seconds: f64| seconds * 1000.0 / self.databases();
        let ratio = |figure| {
            self.ratio(samples, figure).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2} ×"))
        };
        let milliseconds = |figure| format!("{:.3}", each(of(figure)));
        columns([
            &self.scenario.name(),
            &named(pairing),
            &format!("{:.2}", of(WALL)),
            &milliseconds(|sample| sample.sender_cpu),
            &milliseconds(|sample| sample.receivers_cpu),
            &milliseconds(CPU),
            &format!("{:.0}", of(|sample| sample.peak_mib)),
            &ratio(WALL),
            &ratio(CPU),
        ])
    }

    /// At least one: an empty pass is told as one of one database.
    fn databases(&self) -> f64 {
        f64::from(u32::try_from(self.size.databases.max(1)).unwrap_or(u32::MAX))
    }

    /// The median over the rounds of what stock took by what this one took; none without stock's runs.
    fn ratio(&self, samples: &[Sample], figure: Figure) -> Option<f64> {
        let (_, stock) = self.runs.iter().find(|(pairing, _)| *pairing == PAIRINGS[0])?;
        let pairs = stock.iter().zip(samples);
        Some(median(pairs.map(|(stock, sample)| figure(stock) / figure(sample)).collect()))
    }

    pub(crate) fn json(&self) -> Value {
        let runs: Vec<_> = self
            .runs
            .iter()
            .map(|(pairing, samples)| json!({"pairing": named(*pairing), "samples": samples}))
            .collect();
        json!({
            "scenario": self.scenario.name(), "databases": self.size.databases, "rows": self.size.rows,
            "runs": runs,
        })
    }
}

/// The middle one, or the mean of the two in the middle; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
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

    #[test]
    fn ratios_are_taken_round_by_round_and_their_median_is_shown() {
        let samples = |walls: [f64; 3]| walls.map(sample).to_vec();
        let runs = vec![(PAIRINGS[0], samples([10.0, 30.0, 20.0])), (PAIRINGS[3], samples([1.0, 2.0, 5.0]))];
        let measured = Measured { scenario: Scenario::InSync, size: Scenario::InSync.size(), runs };
        let lines = measured.lines();
        assert!(
            lines[0].contains("stock → stock") && lines[0].ends_with("   1.00 ×    1.00 ×"),
            "{}",
            lines[0]
        );
        // 10, 15 and 4 times as fast.
        assert!(lines[1].ends_with("10.00 ×   10.00 ×"), "{}", lines[1]);
    }

    #[test]
    fn without_stock_there_is_nothing_to_compare_with() {
        let runs = vec![(PAIRINGS[3], vec![sample(1.0)])];
        let measured = Measured { scenario: Scenario::Empty, size: Scenario::Empty.size(), runs };
        assert!(measured.lines()[0].ends_with('-'));
    }

    #[test]
    fn of_an_even_number_the_median_lies_between() {
        let medians = [vec![], vec![3.0, 1.0], vec![5.0, 1.0, 4.0]].map(|values| median(values).to_string());
        assert_eq!(medians, ["0", "2", "4"]);
    }
}
