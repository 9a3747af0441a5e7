use settings::LogLevel;
use tracing::{Level, Metadata};

/// The target of lines at stock's NOTICE; `tracing` itself has no such level.
pub(crate) const NOTICE: &str = "martlet_replicator::notice";
/// The target of lines at Python's CRITICAL.
pub(crate) const CRITICAL: &str = "martlet_replicator::critical";

/// Logs at stock's NOTICE: lines that every operator wants and that are no trouble.
macro_rules! notice {
    ($($line:tt)*) => { tracing::info!(target: $crate::logging::NOTICE, $($line)*) };
}

/// Logs at Python's CRITICAL: the daemon cannot go on.
macro_rules! critical {
    ($($line:tt)*) => { tracing::error!(target: $crate::logging::CRITICAL, $($line)*) };
}

pub(crate) use {critical, notice};

/// How bad a line is, in the order of Python's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
}

impl Severity {
    pub(super) fn of(event: &Metadata<'_>) -> Self {
        match *event.level() {
            Level::ERROR if event.target() == CRITICAL => Self::Critical,
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warning,
            Level::INFO if event.target() == NOTICE => Self::Notice,
            Level::INFO => Self::Info,
            Level::DEBUG | Level::TRACE => Self::Debug,
        }
    }

    /// The least severity that `log_level` lets through.
    pub(super) fn threshold(level: LogLevel) -> Self {
        match level {
            LogLevel::Debug => Self::Debug,
            LogLevel::Info => Self::Info,
            // To Python NOTSET means the root logger's level, and stock leaves that at WARNING.
            LogLevel::NotSet | LogLevel::Warning => Self::Warning,
            LogLevel::Error => Self::Error,
            LogLevel::Critical => Self::Critical,
        }
    }

    /// The severity of RFC 5424.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Debug => 7,
            Self::Info => 6,
            Self::Notice => 5,
            Self::Warning => 4,
            Self::Error => 3,
            Self::Critical => 2,
        }
    }
}
