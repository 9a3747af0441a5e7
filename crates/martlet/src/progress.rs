//! Long work, shown while it lasts: on standard error, and only where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const TEMPLATE: &str = "{bar:30} {human_pos} of some {human_len} {prefix}, {elapsed}, some {eta} left{msg}";

/// A bar that is gone when this is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Towards so many of something, or some more.
    pub(crate) fn towards(length: u64, what: &'static str) -> Self {
        let bar = ProgressBar::new(length).with_prefix(what);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self(bar)
    }

    /// For who finds out, wherever he is, that there is one more to come.
    pub(crate) fn expecting(&self) -> impl Fn() + Send + Sync + use<> {
        let bar = self.0.clone();
        move || bar.inc_length(1)
    }

    /// One more is done.
    pub(crate) fn step(&self) {
        self.0.inc(1);
        if self.0.length() < Some(self.0.position()) {
            self.0.set_length(self.0.position());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_beyond_the_end_moves_it() {
        let progress = Progress::towards(1, "partitions");
        progress.expecting()();
        assert_eq!(progress.0.length(), Some(2));
        (0..3).for_each(|_| progress.step());
        assert_eq!((progress.0.position(), progress.0.length()), (3, Some(3)));
    }
}
