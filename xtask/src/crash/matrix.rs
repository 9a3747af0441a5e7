//! Steps against databases: who crashed where.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use testkit::{CrashRun, Moment, Point, ServerType, Step};

/// What all runs came to.
#[derive(Debug, Default)]
pub(super) struct Matrix {
    /// The moments at which somebody crashed in a step on a database.
    cells: BTreeMap<(Database, Step), BTreeSet<Moment>>,
    in_passes: usize,
    in_servers: usize,
    failed: usize,
}

/// A case of accounts or of containers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Database {
    server_type: &'static str,
    title: String,
}

impl Matrix {
    pub(super) fn add(&mut self, server_type: ServerType, point: Point, run: &CrashRun) {
        self.failed += usize::from(!run.faults.is_empty());
        for crash in &run.crashes {
            let database = Database { server_type: server_type.name(), title: crash.title.clone() };
            self.cells.entry((database, point.step)).or_default().insert(point.moment);
            *(if crash.in_pass { &mut self.in_passes } else { &mut self.in_servers }) += 1;
        }
    }

    /// How many runs left something else than they should.
    pub(super) const fn failed(&self) -> usize {
        self.failed
    }

    /// The points at which nothing ever crashed.
    pub(super) fn never_reached(&self) -> Vec<String> {
        let reached = |point: &Point| {
            self.cells
                .iter()
                .any(|((_, step), moments)| *step == point.step && moments.contains(&point.moment))
        };
        Point::all().filter(|point| !reached(point)).map(|point| point.to_string()).collect()
    }

    pub(super) fn sum(&self) -> String {
        let pairs: usize = self.cells.values().map(BTreeSet::len).sum();
        let points: BTreeSet<_> = self
            .cells
            .iter()
            .flat_map(|((_, step), moments)| moments.iter().map(move |at| (*step, *at)))
            .collect();
        format!(
            "{} points, {} databases, {pairs} pairs of them reached: {} crashes of replicators and {} of servers, {}",
            points.len(),
            self.databases().len(),
            self.in_passes,
            self.in_servers,
            if self.failed == 0 { "all survived".to_owned() } else { format!("{} runs FAILED", self.failed) }
        )
    }

    fn databases(&self) -> BTreeSet<&Database> {
        self.cells.keys().map(|(database, _)| database).collect()
    }

    fn cell(&self, database: &Database, step: Step) -> &'static str {
        let moments = self.cells.get(&(database.clone(), step));
        let has = |moment| moments.is_some_and(|moments| moments.contains(&moment));
        match (has(Moment::Before), has(Moment::After)) {
            (true, true) => "●",
            (true, false) => "b",
            (false, true) => "a",
            (false, false) => "·",
        }
    }
}

/// A column for each step, by its number, and a line for each database.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = |digit: fn(usize) -> usize| -> String {
            (1..=Step::ALL.len()).map(|number| digit(number).to_string()).collect::<Vec<_>>().join(" ")
        };
        writeln!(f, "\n{:>42} {}", "", numbers(|number| number / 10).replace('0', " "))?;
        writeln!(f, "{:>42} {}", "", numbers(|number| number % 10))?;
        for database in self.databases() {
            let Database { server_type, title } = database;
            let cells: Vec<_> = Step::ALL.iter().map(|step| self.cell(database, *step)).collect();
            writeln!(f, "{:<42} {}", format!("{server_type} {title}"), cells.join(" "))?;
        }
        let steps: Vec<_> =
            Step::ALL.iter().zip(1..).map(|(step, number)| format!("{number} {}", step.name())).collect();
        writeln!(f, "\n● crashed before and after, b before only, a after only, · never got there")?;
        steps.chunks(6).try_for_each(|line| writeln!(f, "{}", line.join(" · ")))
    }
}

#[cfg(test)]
mod tests {
    use testkit::CrashSite;

    use super::*;

    fn crashed(title: &str, in_pass: bool) -> CrashRun {
        CrashRun { crashes: vec![CrashSite { title: title.to_owned(), in_pass }], faults: Vec::new() }
    }

    #[test]
    fn a_cell_says_on_which_side_of_a_step_it_crashed() {
        let mut matrix = Matrix::default();
        let point = |text: &str| text.parse::<Point>().unwrap();
        matrix.add(ServerType::Account, point("before merge rows"), &crashed("handoff", true));
        matrix.add(ServerType::Account, point("after merge rows"), &crashed("handoff", false));
        matrix.add(ServerType::Container, point("after empty pending"), &crashed("pending", true));
        let text = matrix.to_string();
        assert!(text.contains("account handoff                            ● · ·"), "{text}");
        assert!(text.contains("container pending                          · a ·"), "{text}");
        assert_eq!(
            matrix.sum(),
            "3 points, 2 databases, 3 pairs of them reached: 2 crashes of replicators and 1 of servers, all survived"
        );
        assert_eq!(matrix.never_reached().len(), Point::all().count() - 3);
    }

    #[test]
    fn a_run_that_left_something_else_is_counted() {
        let mut matrix = Matrix::default();
        let run = CrashRun { faults: vec!["lost".to_owned()], ..crashed("handoff", true) };
        matrix.add(ServerType::Account, Point { moment: Moment::Before, step: Step::Rename }, &run);
        assert_eq!(matrix.failed(), 1);
        assert!(matrix.sum().ends_with("1 runs FAILED"), "{}", matrix.sum());
    }
}
