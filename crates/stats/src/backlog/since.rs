use std::{borrow::Borrow, collections::HashMap, hash::Hash};

/// Since when things have been found in each completed pass. Holds so many at most; of more, those that came first.
#[derive(Debug)]
pub(super) struct Since<K> {
    capacity: usize,
    found: HashMap<K, Found>,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    since: f64,
    in_this_pass: bool,
}

impl<K: Eq + Hash> Since<K> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, found: HashMap::new() }
    }

    /// It is found `now`. Gives since when; none if there is no room for one more.
    pub(super) fn note(&mut self, key: K, now: f64) -> Option<f64> {
        if self.found.len() >= self.capacity && !self.found.contains_key(&key) {
            return None;
        }
        let found = self.found.entry(key).or_insert(Found { since: now, in_this_pass: true });
        found.in_this_pass = true;
        Some(found.since)
    }

    /// A pass was completed: what it has not found is forgotten.
    pub(super) fn settle(&mut self) {
        self.found.retain(|_, found| found.in_this_pass);
        self.keep();
    }

    /// A pass was completed that could not look everywhere: what it has not found may be there still.
    pub(super) fn keep(&mut self) {
        self.found.values_mut().for_each(|found| found.in_this_pass = false);
    }

    pub(super) fn of<Q>(&self, key: &Q) -> Option<f64>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.found.get(key).map(|found| found.since)
    }

    /// Since when the oldest has been found.
    pub(super) fn oldest(&self) -> Option<f64> {
        self.found.values().map(|found| found.since).reduce(f64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_the_first_of_passes_without_a_gap() {
        let mut since = Since::new(2);
        assert_eq!((since.note("a", 10.0), since.note("b", 11.0)), (Some(10.0), Some(11.0)));
        assert_eq!(since.note("c", 12.0), None, "there is no room");
        since.settle();
        assert_eq!(since.note("b", 20.0), Some(11.0));
        // A pass that is broken off forgets nothing.
        assert_eq!((since.of("a"), since.oldest()), (Some(10.0), Some(10.0)));
        assert_eq!(since.note("b", 30.0), Some(11.0));
        since.settle();
        assert_eq!((since.of("a"), since.of("b"), since.oldest()), (None, Some(11.0), Some(11.0)));
        assert_eq!(since.note("a", 40.0), Some(40.0), "it was away");
        since.keep();
        since.keep();
        assert_eq!((since.of("a"), since.of("b")), (Some(40.0), Some(11.0)), "nobody looked");
        since.settle();
        since.settle();
        assert_eq!(since.oldest(), None);
    }
}
