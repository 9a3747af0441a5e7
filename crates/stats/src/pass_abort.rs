/// Why a pass did not come to all databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PassAbort {
    /// The daemon was told to stop.
    Stopped,
    /// The disk of a device does not answer; the pass was completed without the rest of it.
    LeftBehind,
    /// This node has no address, or no device in the ring.
    CouldNotRun,
    /// A defect.
    Panicked,
}

impl PassAbort {
    /// Every reason.
    pub(crate) const ALL: [Self; 4] = [Self::Stopped, Self::LeftBehind, Self::CouldNotRun, Self::Panicked];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::LeftBehind => "left_behind",
            Self::CouldNotRun => "could_not_run",
            Self::Panicked => "panicked",
        }
    }
}
