use std::collections::BTreeSet;
use std::fs;
use std::ops::{AddAssign, RangeInclusive};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use swift_types::ServerType;

use super::Cluster;
use super::costs::{PassCost, Passes};
use crate::daemon::Daemon;
use crate::process::ProcessGroup;
use crate::start::PATIENCE;

/// What is written to the network or waits for the disk.
const CALLS: &str = "trace=fsync,fdatasync,sendto,sendmsg,sendmmsg,sendfile,write,writev";
/// How often a process that is about to be traced is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What all processes of a cluster asked of the network and the disk, as their system calls say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// REPLICATE requests.
    pub requests: u64,
    /// Bytes written to TCP connections, by both sides of each.
    pub bytes: u64,
    /// fsync and fdatasync.
    pub fsyncs: u64,
}

/// Passes of a cluster whose senders and receivers are traced: many times as slow, so no time is measured.
pub struct TracedPasses<'a> {
    /// It ends by itself once nobody is left to trace.
    tracer: ProcessGroup,
    passes: Passes<'a>,
    trace: PathBuf,
    /// When the passes before the last one were over, and when the last one was.
    ends: [SystemTime; 2],
}

impl Cluster {
    /// As [`Cluster::passes`], traced. Blocks until every process is.
    ///
    /// # Errors
    /// When strace is missing, or may not trace.
    pub fn traced_passes(
        &self,
        node: usize,
        server_type: ServerType,
        daemon: Daemon,
    ) -> Result<TracedPasses<'_>> {
        let passes = self.passes(node, server_type, daemon)?;
        // Ours begins by itself, but not before it is traced.
        passes.signal(Signal::SIGSTOP)?;
        let trace = self.dir.path().join("trace");
        let pids: Vec<_> = self.receivers().chain([passes.sender_id()]).collect();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-yy", "-ttt", "-s", "16", "-e", CALLS, "-o"]).arg(&trace);
        strace.args(pids.iter().flat_map(|pid| ["-p".to_owned(), pid.to_string()]));
        strace.stdin(Stdio::null()).stderr(self.append("strace.stderr")?);
        let tracer = ProcessGroup::spawn(&mut strace, "strace")?;
        pids.into_iter().try_for_each(wait_traced)?;
        passes.signal(Signal::SIGCONT)?;
        Ok(TracedPasses { tracer, passes, trace, ends: [UNIX_EPOCH; 2] })
    }
}

impl TracedPasses<'_> {
    /// Waits for the end of the next pass.
    ///
    /// # Errors
    /// As [`Passes::next_pass`].
    pub fn next_pass(&mut self) -> Result<PassCost> {
        let cost = self.passes.next_pass()?;
        self.ends = [self.ends[1], cost.ended];
        Ok(cost)
    }

    /// Ends the tracing, and counts what was called in the last pass: since the one before it was over, as nothing is
    /// called between passes.
    ///
    /// # Errors
    /// When strace does not end, or the trace cannot be read.
    pub fn counts(self) -> Result<Counts> {
        let Self { mut tracer, passes: _passes, trace, ends: [before, end] } = self;
        // It writes what it still holds when it is told to end, and lets go of whom it traces.
        tracer.end(PATIENCE)?;
        let text = fs::read_to_string(&trace).with_context(|| trace.display().to_string())?;
        Ok(count(&text, &(seconds(before)?..=seconds(end)?)))
    }
}

fn seconds(time: SystemTime) -> Result<f64> {
    Ok(time.duration_since(UNIX_EPOCH)?.as_secs_f64())
}

/// Until every thread of the process has a tracer.
fn wait_traced(pid: u32) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !traced(pid)? {
        ensure!(Instant::now() < deadline, "strace may not trace process {pid}");
        thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

fn traced(pid: u32) -> Result<bool> {
    for task in fs::read_dir(format!("/proc/{pid}/task")).with_context(|| format!("process {pid}"))? {
        // A thread may end meanwhile.
        let status = fs::read_to_string(task?.path().join("status")).unwrap_or_default();
        if status.contains("TracerPid:\t0\n") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What strace's lines say of a time, given in Unix seconds.
fn count(trace: &str, time: &RangeInclusive<f64>) -> Counts {
    let mut counts = Counts::default();
    // Threads whose call on a connection was not done yet when another thread's line came.
    let mut unfinished = BTreeSet::new();
    for line in trace.lines() {
        let mut words = line.splitn(2, char::is_whitespace);
        let (Some(thread), Some(rest)) = (words.next(), words.next()) else { continue };
        let Some((at, call)) = rest.trim_start().split_once(' ') else { continue };
        if !at.parse::<f64>().is_ok_and(|at| time.contains(&at)) {
            continue;
        }
        let resumed = call.starts_with("<... ") && unfinished.remove(thread);
        if on_connection(call) && call.ends_with("<unfinished ...>") {
            unfinished.insert(thread);
        }
        counts += of_call(call, resumed);
    }
    counts
}

/// `name(DESCRIPTOR<TCP:[…`, as strace writes a connection.
fn on_connection(call: &str) -> bool {
    let arguments = call.split_once('(').filter(|(name, _)| !name.starts_with('<'));
    arguments.is_some_and(|(_, arguments)| {
        arguments.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with("<TCP")
    })
}

fn of_call(call: &str, resumed: bool) -> Counts {
    let done = if resumed || on_connection(call) { call.rsplit_once(" = ") } else { None };
    let bytes = done.and_then(|(_, result)| result.split(' ').next()).and_then(|bytes| bytes.parse().ok());
    let requests = on_connection(call) && call.contains("\"REPLICATE ");
    Counts {
        requests: u64::from(requests),
        bytes: bytes.unwrap_or(0),
        fsyncs: u64::from(call.starts_with("fsync(") || call.starts_with("fdatasync(")),
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.fsyncs += other.fsyncs;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = r#"
71  10.1 sendto(4<TCP:[127.0.0.1:5->127.0.0.1:6]>, "REPLICATE /d1a/3"..., 35, 0, NULL, 0) = 35
71  20.1 sendto(4<TCP:[127.0.0.1:5->127.0.0.1:6]>, "REPLICATE /d1a/3"..., 35, 0, NULL, 0) = 35
72  20.2 writev(4<TCP:[127.0.0.1:5->127.0.0.1:6]>, [{iov_base="REPLICATE /x", iov_len=13}], 1 <unfinished ...>
71  20.3 fsync(6</srv/a.db>) = 0
72  20.4 <... writev resumed>) = 13
71  20.5 write(6</srv/REPLICATE >, "REPLI", 5) = 5
71  20.6 sendto(4<TCP:[127.0.0.1:5->127.0.0.1:6]>, "x", 1, 0, NULL, 0) = -1 EAGAIN (Resource temporarily unavailable)
71  20.7 fdatasync(6</srv/a.db> <unfinished ...>
71  20.8 <... fdatasync resumed>) = 0
71  20.9 sendto(8<UNIX-DGRAM:[1->2]>, "REPLICATE was", 13, 0, NULL, 0) = 13
71  20.9 +++ exited with 0 +++
"#;

    #[test]
    fn of_the_time_that_is_asked_for_requests_bytes_and_fsyncs_are_counted() {
        assert_eq!(count(TRACE, &(20.0..=21.0)), Counts { requests: 2, bytes: 48, fsyncs: 2 });
        assert_eq!(count(TRACE, &(10.0..=11.0)), Counts { requests: 1, bytes: 35, fsyncs: 0 });
    }
}
