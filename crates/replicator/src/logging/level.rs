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

    /// Logs lines of this level and worse from now on, and says so at the lower of the two.
    pub(crate) fn set(&self, level: LogLevel) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let told =
            |before: LogLevel| notice!("log_level is {} from now on, it was {}", level.name(), before.name());
        if level > *current {
            told(*current);
        }
        // It fails only when the log is gone.
        let _ = self.handle.reload(wanted(Severity::threshold(level), self.queries));
        if level <= *current {
            told(*current);
        }
        *current = level;
    }
}
