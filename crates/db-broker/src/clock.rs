use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use swift_types::Timestamp;

/// Where a node takes the present moment from, for whatever it compares with Swift's timestamps or makes one of.
///
/// A daemon has the system's clock. Whoever runs nodes in a process of their own may tell each another time, as clocks of
/// machines differ. What is compared with the times of files is no matter of this clock: those come from the system's,
/// whatever a node is told.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use martlet_db_broker::Clock;
///
/// let clock = Clock::told_by(|| UNIX_EPOCH + Duration::from_millis(1_700_000_000_500));
/// assert_eq!(clock.now().internal(), "1700000000.50000");
/// assert!(Clock::system().now() > clock.now());
/// ```
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// The system's.
    pub fn system() -> Self {
        Self::told_by(SystemTime::now)
    }

    /// Asks `now` each time.
    pub fn told_by(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The present moment in Swift's precision; a time before 1970 is 1970.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.seconds())
    }

    /// Unix seconds, as Python's `time.time()` gives them; negative before 1970.
    pub fn seconds(&self) -> f64 {
        match (self.0)().duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_secs_f64(),
            Err(before) => -before.duration().as_secs_f64(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
