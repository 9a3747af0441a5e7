//! Long work, shown while it lasts: on standard error, and only where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A line that is gone when this is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Of something that has no known end.
    pub(crate) fn counting(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_prefix(what);
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {human_pos} {prefix} in {elapsed}, {per_sec}{msg}")
        {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self(bar)
    }

    /// One more.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }

    /// What else there is to say.
    pub(crate) fn say(&self, message: String) {
        self.0.set_message(message);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
