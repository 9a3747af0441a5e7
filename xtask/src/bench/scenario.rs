//! What is measured: which databases there are, and what a pass has to do about them.

use clap::ValueEnum;
use testkit::ServerType;

/// The names that corpora.py knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// No database at all: what a pass costs by itself.
    Empty,
    /// Containers that agree, and know it.
    InSync,
    /// The same of accounts.
    Accounts,
    /// The sender has a tenth more rows.
    Diff,
    /// Peers have nothing.
    Missing,
    /// Peers have so little that the whole file is merged there.
    RemoteMerge,
    /// The sender is a handoff, and gives up what its primaries have.
    Handoff,
}

/// How much there is of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Databases that the sender sees to.
    pub(crate) databases: usize,
    /// Rows of each on the sender, about.
    pub(crate) rows: usize,
}

impl Scenario {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub(crate) const fn server_type(self) -> ServerType {
        match self {
            Self::Accounts => ServerType::Account,
            _ => ServerType::Container,
        }
    }

    /// Enough to tell contestants apart, and little enough for a few minutes in all.
    pub(crate) const fn size(self) -> Size {
        match self {
            Self::Empty => Size { databases: 0, rows: 0 },
            Self::InSync | Self::Accounts => Size { databases: 1000, rows: 10 },
            Self::Diff => Size { databases: 300, rows: 100 },
            Self::Missing | Self::Handoff => Size { databases: 300, rows: 10 },
            // Peers must be more than per_diff behind.
            Self::RemoteMerge => Size { databases: 30, rows: 3000 },
        }
    }
}
