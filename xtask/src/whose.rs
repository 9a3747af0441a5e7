//! Whose program plays a part, on a command line.

use testkit::Daemon;

/// See [`Daemon`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Whose {
    Stock,
    Martlet,
}

impl Whose {
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
