use std::fmt;

use serde::{Deserialize, Serialize};

/// Which of Swift's two database servers a disk tree, a ring or a daemon belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerType {
    /// Account databases: rows are containers.
    Account,
    /// Container databases: rows are objects.
    Container,
}

impl ServerType {
    /// `account` or `container`: the ring's name, the prefix of the stat table and of the daemon's section.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Container => "container",
        }
    }

    /// The folder below a device that holds this type's partitions: `accounts` or `containers`.
    pub const fn datadir(self) -> &'static str {
        match self {
            Self::Account => "accounts",
            Self::Container => "containers",
        }
    }

    /// The table whose rows are replicated: an account holds `container` rows, a container `object` rows.
    pub const fn contains(self) -> &'static str {
        match self {
            Self::Account => "container",
            Self::Container => "object",
        }
    }

    /// The port stock binds when the conf names none.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Account => 6202,
            Self::Container => 6201,
        }
    }
}

impl fmt::Display for ServerType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
