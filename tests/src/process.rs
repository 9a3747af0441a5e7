use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How often a process that is being waited for is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// A child with a process group of its own, all of which is killed when this is dropped.
#[derive(Debug)]
pub struct ProcessGroup {
    child: Child,
    what: String,
}

impl ProcessGroup {
    /// Starts `command`; `what` names it in errors.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(command: &mut Command, what: impl Into<String>) -> Result<Self> {
        let what = what.into();
        let child =
            command.process_group(0).spawn().with_context(|| format!("{what}: cannot start {command:?}"))?;
        Ok(Self { child, what })
    }

    /// The process id, which is also that of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives the stdio pipes to the caller; see [`std::process::Child`].
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until the child has exited.
    ///
    /// # Errors
    /// When it runs longer than `limit`; it is killed then.
    pub fn wait(mut self, limit: Duration) -> Result<ExitStatus> {
        self.exited(limit)
    }

    /// Sends the child SIGTERM and waits until it has exited.
    ///
    /// # Errors
    /// When it had ended before, or runs longer than `limit` after that.
    pub fn end(&mut self, limit: Duration) -> Result<ExitStatus> {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        let sent = id.map(|id| kill_process(id, Signal::TERM));
        sent.with_context(|| format!("{} has no id", self.what))?
            .with_context(|| format!("{} has ended", self.what))?;
        self.exited(limit)
    }

    fn exited(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("{} still runs after {limit:?}", self.what);
            }
            thread::sleep(ASK_AGAIN);
        }
    }

    /// Waits until something listens at `address`.
    ///
    /// # Errors
    /// When the child exits first or `limit` passes.
    pub fn wait_listening(&mut self, address: SocketAddr, limit: Duration) -> Result<()> {
        wait_listening(address, limit, || match self.child.try_wait()? {
            Some(status) => bail!("{} ended with {status} before it listened at {address}", self.what),
            None => Ok(()),
        })
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Fails when the group has ended already, which is as good.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Tries to connect until it works; `alive` ends the wait early with its error.
pub(crate) fn wait_listening(
    address: SocketAddr,
    limit: Duration,
    mut alive: impl FnMut() -> Result<()>,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    while TcpStream::connect_timeout(&address, limit).is_err() {
        alive()?;
        if Instant::now() > deadline {
            bail!("nothing listens at {address} after {limit:?}");
        }
        thread::sleep(ASK_AGAIN);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grandchildren_die_with_the_group() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & echo $!; wait"]).stdout(std::process::Stdio::piped());
        let mut group = ProcessGroup::spawn(&mut command, "sh").unwrap();
        let mut line = String::new();
        let stdout = group.child().stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        drop(group);
        // It has its signal; when it is gone is up to the scheduler.
        let deadline = Instant::now() + Duration::from_secs(30);
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", line.trim()));
            stat.is_ok_and(|stat| !stat.contains(") Z "))
        };
        while lives() {
            assert!(Instant::now() < deadline, "the grandchild {line} outlived its group");
            thread::sleep(ASK_AGAIN);
        }
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = ProcessGroup::spawn(&mut Command::new("/no/such/program"), "the replicator").unwrap_err();
        assert!(format!("{error:#}").contains("the replicator: cannot start \"/no/such/program\""));
    }
}
