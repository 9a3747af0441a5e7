use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::RateLimit;

/// How many databases a second are sent: of all devices together, and of each.
///
/// A database first waits for its device's turn and only then takes one of the process: whoever waits for a slow device
/// holds no turn that another could use. The clock is handed in and the waiting is the caller's. Shared by the
/// threads of a walk; a turn blocks for no longer than another thread takes one.
#[derive(Debug)]
pub struct Pace {
    process: Mutex<RateLimit>,
    /// Of a device that has had no turn yet.
    fresh: RateLimit,
    devices: Mutex<HashMap<u64, RateLimit>>,
}

impl Pace {
    /// So many for the whole process (`databases_per_second`), and so many for each device
    /// (`device_databases_per_second`); as in [`RateLimit::per_second`], zero means no limit.
    pub fn per_second(process: f64, device: f64) -> Self {
        Self {
            process: Mutex::new(RateLimit::per_second(process)),
            fresh: RateLimit::per_second(device),
            devices: Mutex::default(),
        }
    }

    /// Takes the device's next turn and says how long to wait for it.
    pub(crate) fn wait_for_device(&self, id: u64, now: Instant) -> Duration {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices.entry(id).or_insert_with(|| self.fresh.clone()).wait(now)
    }

    /// Takes the next turn of all and says how long to wait for it.
    pub(crate) fn wait_for_process(&self, now: Instant) -> Duration {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).wait(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// When each database of some devices that always have a next one is sent, in seconds since the beginning.
    fn sent(pace: &Pace, devices: &[u64], until: Duration) -> Vec<(u64, Duration)> {
        let base = Instant::now();
        let mut sent = Vec::new();
        // The time at which each of them asks again, and whether its device's turn has come.
        let mut clocks: Vec<_> = devices.iter().map(|id| (Duration::ZERO, false, *id)).collect();
        loop {
            let earliest = clocks.iter_mut().min().unwrap();
            let (now, has_turn, id) = *earliest;
            if now > until {
                return sent;
            }
            let at = base + now;
            let wait = if has_turn { pace.wait_for_process(at) } else { pace.wait_for_device(id, at) };
            if has_turn {
                sent.push((id, now + wait));
            }
            // A database takes a moment, or a walk without a limit would have no end.
            *earliest = (now + wait + Duration::from_millis(1), !has_turn, id);
        }
    }

    fn count_of(sent: &[(u64, Duration)], device: u64) -> usize {
        sent.iter().filter(|(id, _)| *id == device).count()
    }

    #[test]
    fn all_devices_together_have_the_rate_of_the_process() {
        let sent = sent(&Pace::per_second(10.0, 0.0), &[1, 2, 3, 4, 5], Duration::from_secs(100));
        assert!((995..=1006).contains(&sent.len()), "{}", sent.len());
        for device in 1..=5 {
            let count = count_of(&sent, device);
            assert!((195..=205).contains(&count), "they take turns: {count} of {device}");
        }
    }

    #[test]
    fn each_device_has_a_rate_of_its_own() {
        let sent = sent(&Pace::per_second(0.0, 2.0), &[1, 2, 3], Duration::from_secs(100));
        for device in 1..=3 {
            let count = count_of(&sent, device);
            assert!((199..=202).contains(&count), "{count} of {device}");
        }
    }

    #[test]
    fn whoever_waits_for_its_device_leaves_the_turns_of_the_process_to_others() {
        let pace = Pace::per_second(10.0, 0.1);
        let now = Instant::now();
        assert_eq!(pace.wait_for_device(1, now), Duration::ZERO);
        assert_eq!(pace.wait_for_process(now), Duration::ZERO);
        assert_eq!(pace.wait_for_device(1, now), Duration::from_secs(10));
        assert_eq!(pace.wait_for_device(2, now), Duration::ZERO);
        assert_eq!(pace.wait_for_process(now), Duration::from_millis(100));
    }

    proptest! {
        #[test]
        fn neither_limit_is_ever_exceeded_by_more_than_its_arrears(process in 1.0..200.0, device in 1.0..200.0, devices in 1_u64..6) {
            let ids: Vec<u64> = (0..devices).collect();
            let sent = sent(&Pace::per_second(process, device), &ids, Duration::from_secs(10));
            let allowed = |rate: f64, at: Duration| rate * (at.as_secs_f64() + 5.0) + 1.0;
            let mut times: Vec<_> = sent.iter().map(|(_, at)| *at).collect();
            times.sort();
            for (already, at) in (0_u32..).zip(&times) {
                prop_assert!(f64::from(already) <= allowed(process, *at));
            }
            for id in ids {
                let of_device = sent.iter().filter(|sent| sent.0 == id);
                for (already, (_, at)) in (0_u32..).zip(of_device) {
                    prop_assert!(f64::from(already) <= allowed(device, *at));
                }
            }
        }
    }
}
