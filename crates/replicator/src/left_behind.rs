use std::sync::{Arc, Mutex, PoisonError};

use tracing::info;
use walker::Hands;

/// Devices at which somebody of an earlier pass is still at work, on a disk that does not answer.
///
/// A thread in a system call cannot be ended. So it is let be, what it does in the end is done, and until then no other pass goes
/// to its device: its threads would hang there too, pass after pass.
#[derive(Debug, Default)]
pub(crate) struct LeftBehind(Mutex<Vec<Behind>>);

/// One device.
#[derive(Clone, Debug)]
pub(crate) struct Behind {
    /// Its id in the ring.
    pub(crate) device: u64,
    /// Its name there.
    pub(crate) name: String,
    /// Since when nothing has come to an end there, in Unix seconds.
    pub(crate) since: f64,
    /// Those of the pass: who of them is still at work.
    pub(crate) hands: Arc<Hands>,
}

impl LeftBehind {
    /// One more.
    pub(crate) fn add(&self, behind: Behind) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(behind);
    }

    /// The names of all at which somebody still is at work.
    pub(crate) fn names(&self) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = all.iter().filter(|behind| behind.hands.is_held(behind.device));
        held.map(|behind| behind.name.clone()).collect()
    }

    /// Since when a device is one of them, in Unix seconds. What nobody is at work at any more is none, which is logged.
    pub(crate) fn since(&self, device: u64) -> Option<f64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was = |behind: &Behind| behind.device == device;
        let had = all.iter().find(|behind| was(behind)).map(|behind| behind.name.clone());
        all.retain(|behind| !was(behind) || behind.hands.is_held(device));
        let since = all.iter().filter(|behind| was(behind)).map(|behind| behind.since).reduce(f64::min);
        if let Some(name) = had.filter(|_| since.is_none()) {
            info!("{name} answers again: passes go there from now on");
        }
        since
    }
}

#[cfg(test)]
mod tests {
    use walker::HeldAt;

    use super::*;

    fn behind(device: u64, since: f64, hands: &Arc<Hands>) -> Behind {
        Behind { device, name: format!("d{device}"), since, hands: Arc::clone(hands) }
    }

    #[test]
    fn each_device_is_left_behind_until_nobody_is_at_work_there() {
        let (all, first, second) = (LeftBehind::default(), [3, 4], [3]);
        let [first, second] =
            [&first[..], &second[..]].map(|devices| Arc::new(Hands::at(devices.iter().copied())));
        for (device, since, hands) in [(3, 20.0, &second), (3, 10.0, &first), (4, 30.0, &first)] {
            all.add(behind(device, since, hands));
        }
        let since = || [3, 4, 5].map(|device| all.since(device));
        second.hold(3, HeldAt::Directories, || {
            first.hold(3, HeldAt::Directories, || {
                assert_eq!(since(), [Some(10.0), None, None], "4 by itself");
            });
            assert_eq!(since(), [Some(20.0), None, None]);
        });
        assert_eq!(since(), [None; 3]);
        first.hold(4, HeldAt::Directories, || {
            assert_eq!(since(), [None; 3], "once it has answered it is no more");
        });
    }
}
