use std::sync::{Mutex, PoisonError};

use settings::LogLevel;
use tracing_subscriber::{Registry, reload};

use super::{Wanted, notice, severity::Severity, wanted};

/// The level from which lines are logged, until the process ends or somebody changes it.
#[derive(Debug)]
pub(crate) struct LogLevelAtRunTime {
    current: Mutex<LogLevel>,
    /// `db_query_logging`, which stays.
    queries: bool,
    handle: reload::Handle<Wanted, Registry>,
}

impl LogLevelAtRunTime {
    pub(super) fn new(level: LogLevel, queries: bool, handle: reload::Handle<Wanted, Registry>) -> Self {
        Self { current: Mutex::new(level), queries, handle }
    }

    pub(crate) fn get(&self) -> LogLevel {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs lines of this level and worse from now on, and says so, whichever it is.
    pub(crate) fn set(&self, level: LogLevel) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        self.log_from(LogLevel::Info);
        notice!("log_level is {} from now on, it was {}", level.name(), current.name());
        self.log_from(level);
        *current = level;
    }

    fn log_from(&self, level: LogLevel) {
        // It fails only when the log is gone.
        let _ = self.handle.reload(wanted(Severity::threshold(level), self.queries));
    }
}
