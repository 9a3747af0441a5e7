use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// How Linux counts CPU time in /proc on every architecture that Swift runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The CPU time of one process, all its threads included, also those that have ended.
///
/// It is the kernel's clock of that process, to the nanosecond; /proc counts in ticks of 10 ms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuClock {
    pid: u32,
    clock: ClockId,
}

impl CpuClock {
    /// # Errors
    /// When there is no such process.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let id = Pid::from_raw(i32::try_from(pid)?);
        let clock = clock_getcpuclockid(id).with_context(|| format!("process {pid} has ended"))?;
        Ok(Self { pid, clock })
    }

    /// Seconds so far, those of its children that have ended included: these in ticks, as nothing finer is told of them.
    ///
    /// # Errors
    /// When the process has ended.
    pub(crate) fn seconds(self) -> Result<f64> {
        let own = clock_gettime(self.clock).with_context(|| format!("process {} has ended", self.pid))?;
        Ok(Duration::from(own).as_secs_f64() + self.ended_children()?)
    }

    fn ended_children(self) -> Result<f64> {
        let path = format!("/proc/{}/stat", self.pid);
        let stat = fs::read_to_string(&path).with_context(|| path.clone())?;
        ticks_of_children(&stat)
            .map(|ticks| ticks / TICKS_PER_SECOND)
            .with_context(|| format!("{path}: {stat}"))
    }
}

/// The most memory that a process has held so far, in KiB.
///
/// # Errors
/// When the process has ended.
pub(crate) fn peak_kib(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.parse().ok());
    peak.with_context(|| format!("{path} has no peak of memory: the process has ended"))
}

/// Of cutime and cstime, which are the 16th and 17th word; the second, a name in brackets, may be several.
fn ticks_of_children(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let times = rest.split(' ').skip(13).take(2).map(|word| word.parse::<f64>().ok());
    times.collect::<Option<Vec<_>>>().filter(|times| times.len() == 2).map(|times| times.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_times() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 11 7 2 1 20 0 1 0 5 6 7";
        assert_eq!(ticks_of_children(stat), Some(3.0));
        assert_eq!(ticks_of_children("7 (x) S 1 2 3"), None);
    }

    #[test]
    fn work_shows_on_the_own_clock_below_a_tick() {
        let clock = CpuClock::of(std::process::id()).unwrap();
        let before = clock.seconds().unwrap();
        while clock.seconds().unwrap() <= before {}
        assert!(peak_kib(std::process::id()).unwrap() > 0);
    }

    #[test]
    fn a_process_that_has_ended_has_no_clock() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(CpuClock::of(child.id()).is_err());
    }
}
