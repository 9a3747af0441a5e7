use std::time::{Duration, Instant};

/// How far the walk may lag behind its rate and still catch up.
const BUFFER: Duration = Duration::from_secs(5);

/// The longest distance between two databases; a lower rate counts as this.
const LONGEST_STEP: Duration = Duration::from_secs(365 * 24 * 3600);

/// At most so many databases a second, with 5 seconds of arrears to catch up.
///
/// Pure: the clock is handed in and the waiting is the caller's. Answers to stock's `RateLimitedIterator` and
/// `AbstractRateLimiter` (`databases_per_second`); as there, arrears of more than 5 seconds are forgotten
/// rather than made good.
#[derive(Clone, Debug)]
pub struct RateLimit {
    step: Option<Duration>,
    /// When the next one is due; none before the first.
    due: Option<Instant>,
}

impl RateLimit {
    /// Databases a second; zero, a negative number and NaN mean no limit.
    pub fn per_second(rate: f64) -> Self {
        let step = (rate > 0.0)
            .then(|| Duration::try_from_secs_f64(rate.recip()).unwrap_or(LONGEST_STEP).min(LONGEST_STEP));
        Self { step, due: None }
    }

    /// Takes the next turn and says how long to wait for it, seen from `now`.
    ///
    /// The turn is taken whether or not the caller then waits.
    pub fn wait(&mut self, now: Instant) -> Duration {
        let Some(step) = self.step else {
            return Duration::ZERO;
        };
        let due = match self.due {
            Some(due) if now.saturating_duration_since(due) <= BUFFER => due,
            _ => now,
        };
        self.due = Some(due + step);
        due.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same in stock's terms: milliseconds as floats, and a "running time" that starts at zero.
    struct Naive {
        rate: f64,
        running_ms: f64,
    }

    impl Naive {
        fn wait_ms(&mut self, now_ms: f64) -> f64 {
            if self.rate <= 0.0 {
                return 0.0;
            }
            if now_ms - self.running_ms > 5000.0 {
                self.running_ms = now_ms;
            }
            let wait = (self.running_ms - now_ms).max(0.0);
            self.running_ms += 1000.0 / self.rate;
            wait
        }
    }

    proptest! {
        #[test]
        fn waits_as_the_naive_model_does(rate in prop_oneof![Just(0.0), 0.1..500.0], gaps in prop::collection::vec(0_u64..9_000_000, 1..60)) {
            let base = Instant::now();
            let mut ours = RateLimit::per_second(rate);
            let mut naive = Naive { rate, running_ms: 0.0 };
            let mut now = Duration::ZERO;
            for gap in gaps {
                now += Duration::from_micros(gap);
                let wait = ours.wait(base + now);
                let expected = naive.wait_ms(1.0e9 + now.as_secs_f64() * 1000.0);
                prop_assert!((wait.as_secs_f64() * 1000.0 - expected).abs() < 0.01, "{wait:?} != {expected} ms");
                now += wait;
            }
        }

        #[test]
        fn never_more_than_the_rate_and_the_arrears_allow(rate in 1.0..500.0, gaps in prop::collection::vec(0_u64..3_000_000, 1..200)) {
            let base = Instant::now();
            let mut limit = RateLimit::per_second(rate);
            let mut now = Duration::ZERO;
            for (already, gap) in (0_u32..).zip(gaps) {
                now += Duration::from_micros(gap);
                now += limit.wait(base + now);
                let allowed = rate * (now.as_secs_f64() + BUFFER.as_secs_f64()) + 1.0;
                prop_assert!(f64::from(already) <= allowed);
            }
        }
    }

    #[test]
    fn odd_rates_neither_panic_nor_block() {
        let now = Instant::now();
        for unlimited in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut limit = RateLimit::per_second(unlimited);
            assert_eq!((limit.wait(now), limit.wait(now)), (Duration::ZERO, Duration::ZERO));
        }
        let mut limit = RateLimit::per_second(f64::MIN_POSITIVE);
        assert_eq!((limit.wait(now), limit.wait(now)), (Duration::ZERO, LONGEST_STEP));
    }
}
