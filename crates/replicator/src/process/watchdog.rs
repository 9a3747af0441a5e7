use std::{
    env, mem, process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, time::MissedTickBehavior};
use tracing::error;

use super::notify::tell_manager;

const ALIVE: &str = "WATCHDOG=1";
/// The service manager is told this many times within the time that it waits for.
const TIMES: u32 = 4;

/// The word to the service manager that this process gets on, without which it is ended and started again.
///
/// It is only said where there is something to say it for: whoever watches over a pass says it as long as that does not stand
/// still, and it is kept back if the network threads do not turn. Stock has none.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// How long the manager waits; none if there is no manager that does.
    patience: Option<Duration>,
    begun: Instant,
    /// Milliseconds from the beginning to the last beat of the network threads.
    beat: AtomicU64,
    said: Mutex<Said>,
    /// Why the daemon does not get on, if it does not.
    stuck: Mutex<Option<&'static str>>,
}

/// What the manager was told last.
#[derive(Debug, Default)]
struct Said {
    alive: Option<Instant>,
    status: String,
    /// That the network threads stand, in the log.
    silence: bool,
}

impl Watchdog {
    /// How often whoever waits for long looks up to say that the daemon gets on.
    pub(crate) const TICK: Duration = Duration::from_secs(1);

    /// As systemd says in the environment: `WATCHDOG_USEC`, unless `WATCHDOG_PID` is another process.
    pub(crate) fn of_environment() -> Self {
        let number = |name| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
        let is_ours = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(process::id()));
        let micros = number("WATCHDOG_USEC").filter(|micros| is_ours && *micros > 0);
        Self::new(micros.map(Duration::from_micros))
    }

    pub(crate) fn new(patience: Option<Duration>) -> Self {
        Self {
            patience,
            begun: Instant::now(),
            beat: AtomicU64::new(0),
            said: Mutex::default(),
            stuck: Mutex::default(),
        }
    }

    /// Has the network threads beat from now on.
    pub(crate) fn listen_to(self: &Arc<Self>, runtime: &Handle) {
        let Some(patience) = self.patience else { return };
        let watchdog = Arc::clone(self);
        runtime.spawn(async move {
            let mut beats = tokio::time::interval(Self::TICK.min(patience / TIMES));
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                beats.tick().await;
                watchdog.beat(Instant::now());
            }
        });
    }

    /// The daemon gets on. To be called at each [`TICK`](Self::TICK) or so; tells the manager as often as it wants to be told.
    pub(crate) fn alive(&self) {
        *self.stuck.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if self.is_due(Instant::now()) {
            tell_manager(ALIVE);
        }
    }

    /// It does not get on, which the manager finds out by hearing nothing.
    pub(crate) fn stuck(&self, reason: &'static str) {
        *self.stuck.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// Why the daemon does not get on, if it does not.
    pub(crate) fn why_stuck(&self) -> Option<&'static str> {
        *self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the manager what is to be seen in `systemctl status`, if it is anything new.
    pub(crate) fn status(&self, status: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.status != status {
            status.clone_into(&mut said.status);
            tell_manager(&format!("STATUS={status}"));
        }
    }

    fn beat(&self, now: Instant) {
        let since = now.saturating_duration_since(self.begun);
        self.beat.store(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn is_due(&self, now: Instant) -> bool {
        let Some(patience) = self.patience else { return false };
        let beat = self.begun + Duration::from_millis(self.beat.load(Ordering::Relaxed));
        let silence = now.saturating_duration_since(beat);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !mem::replace(&mut said.silence, silence > patience);
        if silence > patience {
            if is_new {
                error!("ERROR the network threads have not turned for {:.0} s", silence.as_secs_f64());
            }
            return false;
        }
        let is_due = said.alive.is_none_or(|last| now.saturating_duration_since(last) >= patience / TIMES);
        if is_due {
            said.alive = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_is_told_some_times_in_its_patience_and_not_while_the_network_stands() {
        let watchdog = Watchdog::new(Some(Duration::from_secs(40)));
        let at = |seconds| watchdog.begun + Duration::from_secs(seconds);
        assert!(watchdog.is_due(at(0)));
        assert!(!watchdog.is_due(at(9)));
        assert!(watchdog.is_due(at(10)));
        assert!(!watchdog.is_due(at(41)), "no beat for longer than it waits");
        watchdog.beat(at(41));
        assert!(watchdog.is_due(at(42)));
        assert!(!Watchdog::new(None).is_due(at(0)), "nobody waits");
    }
}
