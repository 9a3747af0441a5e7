use std::{
    mem,
    time::{Duration, Instant},
};

use tracing::error;
use walker::Hands;

/// Threads wait for each other for less than this.
const LIMIT: Duration = Duration::from_secs(60);

/// Whether a pass has come to a standstill, which is a defect of this program: nobody works, nor waits for anything that comes by
/// itself.
#[derive(Debug, Default)]
pub(crate) struct Standstill {
    told: bool,
}

impl Standstill {
    /// Whether it has. Logged when it begins.
    pub(crate) fn is_one(&mut self, hands: &Hands, now: Instant) -> bool {
        let still = hands.standstill(now);
        let is_one = still >= LIMIT;
        if is_one && !mem::replace(&mut self.told, true) {
            error!(
                "ERROR this pass stands still for {:.0} s, and nobody waits for a disk, a peer or a turn: a defect. Restart this \
                 daemon, as systemd does by its watchdog",
                still.as_secs_f64()
            );
        }
        self.told &= is_one;
        is_one
    }
}

#[cfg(test)]
mod tests {
    use walker::HeldAt;

    use super::*;

    #[test]
    fn a_pass_in_which_nobody_is_at_work_nor_waits_for_what_comes_stands_still() {
        let (mut standstill, hands) = (Standstill::default(), Hands::at([1, 2]));
        let now = Instant::now();
        assert!(!standstill.is_one(&hands, now));
        let later = now + 2 * LIMIT;
        hands
            .hold(1, HeldAt::Directories, || assert!(!standstill.is_one(&hands, later), "a disk that hangs"));
        hands.wait(2, || assert!(!standstill.is_one(&hands, later), "a peer that is slow"));
        assert!(standstill.is_one(&hands, later) && standstill.told);
        hands.wait(2, || assert!(!standstill.is_one(&hands, later) && !standstill.told, "it goes on"));
    }
}
