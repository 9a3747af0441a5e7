use std::sync::{Mutex, PoisonError};

use crossbeam_channel::{Receiver, TryRecvError};

/// Devices at which somebody of an earlier pass is still at work, on a disk that does not answer.
///
/// A thread in a system call cannot be ended. So it is let be, what it does in the end is done, and until then no other pass goes
/// to its device: its threads would hang there too, pass after pass.
#[derive(Debug, Default)]
pub(crate) struct LeftBehind(Mutex<Vec<Behind>>);

#[derive(Debug)]
struct Behind {
    device: u64,
    /// Closed when the last of them has ended.
    life: Receiver<()>,
}

impl LeftBehind {
    /// A device by its id in the ring, until `life` is closed.
    pub(crate) fn add(&self, device: u64, life: Receiver<()>) {
        self.lock().push(Behind { device, life });
    }

    /// Whether it still is one of them.
    pub(crate) fn holds(&self, device: u64) -> bool {
        let mut behind = self.lock();
        behind.retain(|behind| behind.life.try_recv() == Err(TryRecvError::Empty));
        behind.iter().any(|behind| behind.device == device)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Behind>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;

    #[test]
    fn a_device_is_left_behind_until_the_last_thread_there_has_ended() {
        let behind = LeftBehind::default();
        let ((first, first_life), (second, second_life)) = (bounded(0), bounded(0));
        behind.add(3, first_life);
        behind.add(3, second_life.clone());
        behind.add(4, second_life);
        let held = || [3, 4, 5].map(|device| behind.holds(device));
        assert_eq!(held(), [true, true, false]);
        drop(first);
        assert_eq!(held(), [true, true, false]);
        drop(second);
        assert_eq!(held(), [false; 3]);
    }
}
