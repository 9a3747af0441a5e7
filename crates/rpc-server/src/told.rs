//! What is logged now and then only.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long what comes again is not logged again.
const LOG_AGAIN: Duration = Duration::from_secs(600);
/// How much is remembered; what is new beyond it is only counted.
const MOST_TOLD: usize = 1000;

/// What has been logged lately: whoever knocks at the door all day must not fill the log.
pub(crate) struct Told<T>(Mutex<HashMap<T, Instant>>);

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Eq + Hash> Told<T> {
    /// Whether it is to be logged.
    pub(crate) fn is_news(&self, what: T) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| at.elapsed() < LOG_AGAIN);
        if told.contains_key(&what) || told.len() >= MOST_TOLD {
            return false;
        }
        told.insert(what, Instant::now());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_told_once_and_not_too_many() {
        let told = Told::default();
        assert!(told.is_news(5000));
        assert!(!told.is_news(5000));
        assert_eq!((0..2000).filter(|&number| told.is_news(number)).count(), MOST_TOLD - 1);
    }
}
