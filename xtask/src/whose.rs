//! Whose program plays a part, on a command line.

use serde::{Deserialize, Serialize};
use testkit::Daemon;

/// See [`Daemon`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Whose {
    Stock,
    Martlet,
}

impl Whose {
    pub(crate) const fn of(daemon: Daemon) -> Self {
        match daemon {
            Daemon::Stock => Self::Stock,
            Daemon::Martlet => Self::Martlet,
        }
    }

    pub(crate) const fn daemon(self) -> Daemon {
        match self {
            Self::Stock => Daemon::Stock,
            Self::Martlet => Daemon::Martlet,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        self.daemon().name()
    }
}
