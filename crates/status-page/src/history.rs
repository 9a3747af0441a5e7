use std::collections::{BTreeMap, VecDeque};

/// Samples that are kept: ten minutes.
const SAMPLES: usize = 60;

/// The last values of several things, each by its name, with the times at which they were seen.
#[derive(Debug, Default)]
pub(crate) struct History(BTreeMap<String, VecDeque<(f64, f64)>>);

impl History {
    /// What there is now; what is not among it counts as 0. What was 0 for as long as samples are kept is forgotten.
    pub(crate) fn note(&mut self, now: f64, seen: &BTreeMap<String, f64>) {
        for name in seen.keys() {
            self.0.entry(name.clone()).or_default();
        }
        for (name, samples) in &mut self.0 {
            if samples.len() >= SAMPLES {
                samples.pop_front();
            }
            samples.push_back((now, seen.get(name).copied().unwrap_or(0.0)));
        }
        self.0.retain(|_, samples| samples.iter().any(|(_, value)| *value > 0.0));
    }

    /// The values of one thing, the latest last.
    pub(crate) fn values(&self, name: &str) -> Vec<f64> {
        self.0.get(name).into_iter().flatten().map(|(_, value)| *value).collect()
    }

    /// How much a counter rose by the second between one sample and the next.
    pub(crate) fn rates(&self, name: &str) -> Vec<f64> {
        let Some(samples) = self.0.get(name) else { return Vec::new() };
        let pairs = samples.iter().zip(samples.iter().skip(1));
        pairs.map(|(one, next)| ((next.1 - one.1) / (next.0 - one.0).max(1.0)).max(0.0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(value: f64) -> BTreeMap<String, f64> {
        BTreeMap::from([("a".to_owned(), value)])
    }

    #[test]
    fn it_knows_the_last_ten_minutes_and_forgets_what_is_nothing() {
        let mut history = History::default();
        for number in 0..100_u32 {
            history.note(f64::from(number) * 10.0, &seen(f64::from(number) * 30.0));
        }
        assert_eq!(history.values("a").len(), SAMPLES);
        assert_eq!(history.rates("a"), [3.0; SAMPLES - 1]);
        history.note(1000.0, &BTreeMap::new());
        assert_eq!(history.values("a").last(), Some(&0.0));
        assert_eq!(
            history.rates("a").last(),
            Some(&0.0),
            "a counter that begins anew falls, which is no rate"
        );
        for number in 101..200_u32 {
            history.note(f64::from(number) * 10.0, &BTreeMap::new());
        }
        assert_eq!((history.values("a"), history.rates("a")), (vec![], vec![]));
    }
}
