//! What is measured: which databases there are, and what a pass has to do about them.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use testkit::ServerType;

/// In the order in which they are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// No database at all, by whole programs: what starting, a pass by itself and the end cost.
    Empty,
    /// Containers that agree, and know it; the first pass after a start.
    InSync,
    /// The same, later passes of one process.
    InSyncWarm,
    /// As in-sync, of accounts.
    Accounts,
    /// As in-sync-warm, of accounts.
    AccountsWarm,
    /// Of a thousand containers that agree one has got new rows.
    Changed,
    /// The same, later passes of one process, each after new changes.
    ChangedWarm,
    /// The sender has a tenth more rows.
    Diff,
    /// One container of many rows, of which peers lack 40 %.
    DiffLarge,
    /// Peers have nothing.
    Missing,
    /// Peers have nothing of a few that are large.
    MissingLarge,
    /// Peers have so little that the whole file is merged there.
    RemoteMerge,
    /// The sender is a handoff, and gives up what its primaries have.
    Handoff,
    /// Of ten containers six agree; the others are as those of diff, missing, handoff and remote-merge.
    Mixed,
}

/// How much there is of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Databases that the sender sees to.
    pub(crate) databases: usize,
    /// Rows of each on the sender, about.
    pub(crate) rows: usize,
}

/// Databases that are enough to count calls.
const TRACED: usize = 50;

/// What of a replicator's life is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// From the start of the program to its exit.
    WholeProgram,
    /// The first pass of a process that has started up.
    FirstPass,
    /// Passes of a process that has made some.
    LaterPasses,
}

impl Scenario {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The one that corpora.py knows, whose databases this one begins with.
    pub(crate) fn corpus(self) -> Self {
        match self {
            Self::InSyncWarm | Self::Changed | Self::ChangedWarm => Self::InSync,
            Self::AccountsWarm => Self::Accounts,
            other => other,
        }
    }

    pub(crate) const fn server_type(self) -> ServerType {
        match self {
            Self::Accounts | Self::AccountsWarm => ServerType::Account,
            _ => ServerType::Container,
        }
    }

    pub(crate) const fn course(self) -> Course {
        match self {
            Self::Empty => Course::WholeProgram,
            Self::InSyncWarm | Self::AccountsWarm | Self::ChangedWarm => Course::LaterPasses,
            _ => Course::FirstPass,
        }
    }

    /// Whether one database in a thousand gets new rows before each pass.
    pub(crate) const fn changes(self) -> bool {
        matches!(self, Self::Changed | Self::ChangedWarm)
    }

    /// Enough to tell contestants apart, and little enough for some minutes in all.
    pub(crate) const fn size(self) -> Size {
        match self {
            Self::Empty => Size { databases: 0, rows: 0 },
            Self::InSync
            | Self::InSyncWarm
            | Self::Accounts
            | Self::AccountsWarm
            | Self::Changed
            | Self::ChangedWarm => Size { databases: 1000, rows: 10 },
            Self::Diff | Self::Mixed => Size { databases: 300, rows: 100 },
            Self::DiffLarge => Size { databases: 1, rows: 1_000_000 },
            Self::Missing | Self::Handoff => Size { databases: 300, rows: 10 },
            Self::MissingLarge => Size { databases: 3, rows: 200_000 },
            // Peers must be more than per_diff behind.
            Self::RemoteMerge => Size { databases: 30, rows: 3000 },
        }
    }

    /// How much of it is traced: counts by the database are the same of few, unless few of them change.
    pub(crate) fn traced(self, size: Size) -> Size {
        let databases = if self.changes() { size.databases } else { size.databases.min(TRACED) };
        Size { databases, rows: size.rows }
    }

    /// Rows that a peer lacks of each database, where rows are what it is about.
    pub(crate) const fn rows_behind(self, rows: usize) -> Option<usize> {
        match self {
            Self::Diff => Some(if rows < 10 { 1 } else { rows / 10 }),
            Self::DiffLarge => Some(rows - rows * 6 / 10),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_databases_are_traced_unless_few_of_many_change() {
        let size = Size { databases: 1000, rows: 7 };
        assert_eq!(Scenario::Diff.traced(size), Size { databases: 50, rows: 7 });
        assert_eq!(Scenario::ChangedWarm.traced(size), size);
        assert_eq!(Scenario::DiffLarge.traced(Size { databases: 1, rows: 7 }).databases, 1);
    }

    #[test]
    fn a_scenario_has_one_name_on_the_command_line_and_in_files() {
        for scenario in Scenario::value_variants() {
            assert_eq!(serde_json::to_value(scenario).unwrap(), scenario.name());
        }
    }
}
