//! A drawing of cost against size: for each scenario that was measured in several sizes, CPU and wall of each pairing.

use std::{ops::Range, path::Path};

use anyhow::{Result, anyhow, ensure};
use plotters::prelude::*;
use testkit::Pairing;

use super::{
    contest::{PAIRINGS, named},
    record::Record,
    report::{CPU, Figure, Measured, WALL, whole},
    scenario::Scenario,
};

/// Pixels of one chart.
const WIDTH: u32 = 560;
const HEIGHT: u32 = 380;
/// In the order of [`PAIRINGS`].
const COLOURS: [RGBColor; 4] = [BLACK, BLUE, MAGENTA, RED];
const FIGURES: [(&str, Figure); 2] = [("CPU of all processes, s", CPU), ("wall, s", WALL)];

/// The costs of one scenario in one figure.
struct Chart {
    title: String,
    /// What the x axis counts.
    size: &'static str,
    /// Of each pairing that was measured, cost by size.
    curves: Vec<(usize, Vec<(f64, f64)>)>,
}

/// Writes an SVG.
pub(crate) fn draw(record: &Record, file: &Path) -> Result<()> {
    let mut charts = Vec::new();
    for runs in record.scenarios.chunk_by(|one, next| one.scenario == next.scenario) {
        charts.extend(FIGURES.iter().map(|(name, figure)| chart(runs, name, *figure)));
    }
    ensure!(!charts.is_empty(), "nothing was measured that could be drawn");
    let rows = charts.len() / FIGURES.len();
    let size = (WIDTH * 2, HEIGHT * u32::try_from(rows)?);
    drawn(&charts, rows, SVGBackend::new(file, size)).map_err(|error| anyhow!("{}: {error}", file.display()))
}

fn chart(runs: &[Measured], name: &str, figure: Figure) -> Chart {
    let by_rows = runs.iter().all(|run| run.databases == runs[0].databases) && runs.len() > 1;
    let size = |run: &Measured| if by_rows { run.rows } else { run.databases };
    let curve = |pairing: &Pairing| {
        let of = |run: &Measured| {
            let runs = run.runs.iter().find(|runs| runs.pairing() == *pairing)?;
            Some((f64::from(u32::try_from(size(run)).ok()?.max(1)), runs.median(figure)))
        };
        runs.iter().filter_map(of).collect::<Vec<_>>()
    };
    let curves = PAIRINGS.iter().map(curve).enumerate().filter(|(_, points)| !points.is_empty()).collect();
    let scenario: Scenario = runs[0].scenario;
    Chart {
        title: format!("{}: {name}", scenario.name()),
        size: if by_rows { "rows" } else { "databases" },
        curves,
    }
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn drawn(charts: &[Chart], rows: usize, backend: SVGBackend<'_>) -> Drawn {
    let root = backend.into_drawing_area();
    root.fill(&WHITE)?;
    for (chart, area) in charts.iter().zip(root.split_evenly((rows, FIGURES.len()))) {
        chart.draw(&area)?;
    }
    root.present()?;
    Ok(())
}

impl Chart {
    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn {
        let (x, y) = (self.range(|point| point.0), self.range(|point| point.1));
        let (sizes, ticks) = (self.sizes(), ticks(&y));
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(x.log_scale().with_key_points(sizes), y.log_scale().with_key_points(ticks))?;
        let short =
            |value: &f64| format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned();
        chart
            .configure_mesh()
            .x_desc(self.size)
            .x_label_formatter(&|size| whole(*size))
            .y_label_formatter(&short)
            .light_line_style(WHITE)
            .draw()?;
        for (pairing, points) in &self.curves {
            let colour = COLOURS[*pairing];
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3);
            chart
                .draw_series(line)?
                .label(named(PAIRINGS[*pairing]))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .draw()?;
        Ok(())
    }

    /// Those that were measured.
    fn sizes(&self) -> Vec<f64> {
        let mut sizes: Vec<_> =
            self.curves.iter().flat_map(|(_, points)| points).map(|point| point.0).collect();
        sizes.sort_by(f64::total_cmp);
        sizes.dedup();
        sizes
    }

    /// From a little below the least to a little above the most.
    fn range(&self, coordinate: fn(&(f64, f64)) -> f64) -> Range<f64> {
        let all = || self.curves.iter().flat_map(|(_, points)| points).map(coordinate);
        all().fold(f64::INFINITY, f64::min) / 1.5..all().fold(0.0, f64::max) * 1.5
    }
}

/// 1, 2 and 5 of every power of ten that are within the range.
fn ticks(range: &Range<f64>) -> Vec<f64> {
    let powers = (-6..7).map(|power| 10_f64.powi(power));
    powers
        .flat_map(|power| [1.0, 2.0, 5.0].map(|times| times * power))
        .filter(|tick| range.contains(tick))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{contest::Sample, report::Runs};

    fn measured(databases: usize, rows: usize, seconds: f64) -> Measured {
        let sample = Sample { wall: seconds, sender_cpu: seconds, receivers_cpu: seconds, peak_mib: 9.0 };
        let runs = vec![Runs { samples: vec![sample], ..Runs::of(PAIRINGS[3]) }];
        Measured { scenario: Scenario::Diff, databases, rows, bytes: 0, runs }
    }

    #[test]
    fn costs_stand_over_databases_or_else_over_rows() {
        let by_databases = chart(&[measured(10, 5, 1.0), measured(100, 5, 8.0)], "CPU", CPU);
        assert_eq!((by_databases.size, &*by_databases.title), ("databases", "diff: CPU"));
        assert_eq!(by_databases.curves, [(3, vec![(10.0, 2.0), (100.0, 16.0)])]);
        let by_rows = chart(&[measured(1, 5, 1.0), measured(1, 50, 8.0)], "wall", WALL);
        assert_eq!((by_rows.size, by_rows.curves), ("rows", vec![(3, vec![(5.0, 1.0), (50.0, 8.0)])]));
    }

    #[test]
    fn an_axis_is_marked_at_round_numbers() {
        assert_eq!(ticks(&(0.3..6.0)), [0.5, 1.0, 2.0, 5.0]);
    }

    #[test]
    fn a_drawing_names_what_it_shows() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("plot.svg");
        let scenarios = vec![measured(10, 5, 1.0), measured(100, 5, 8.0)];
        let record =
            Record { time: 0, commit: String::new(), machine: String::new(), scenarios, floors: Vec::new() };
        draw(&record, &file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        for word in ["diff: wall, s", "martlet → martlet", "databases"] {
            assert!(text.contains(word), "{word} is not in the drawing");
        }
    }
}
