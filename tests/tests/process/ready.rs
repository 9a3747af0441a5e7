//! READY=1 and STOPPING=1, to the service manager and to stock's abstract socket.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use martlet_testkit::{Daemon, ServerType};
use rustix::process::{Pid, Signal, kill_process};

use crate::node::{Node, PATIENCE};
use crate::wire::Wire;

/// A daemon that was started as `sh` starts it; killed when this goes.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it once `prepare`, which is given its process id, is done.
    pub(crate) fn start(command: &Command, prepare: impl FnOnce(u32) -> Result<()>) -> Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"read go; exec "$@""#, "sh"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs().filter_map(|(name, value)| Some((name, value?))) {
            shell.env(name, value);
        }
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = Self(shell.spawn()?);
        prepare(running.0.id())?;
        running.0.stdin.take().context("a pipe")?.write_all(b"go\n")?;
        Ok(running)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.0), signal)?)
    }

    /// Whether its main thread has nothing to do but to wait.
    pub(crate) fn is_asleep(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.id())).is_ok_and(|stat| stat.contains(") S "))
    }

    /// Its exit code; none if a signal ended it.
    pub(crate) fn end(mut self) -> Result<Option<i32>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status.code());
            }
            if Instant::now() > deadline {
                bail!("it still runs after {PATIENCE:?}");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn abstract_socket(name: &str) -> Result<UnixDatagram> {
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// The next message that is no sentence for `systemctl status`, of which stock has none.
pub(crate) fn received(socket: &UnixDatagram) -> Result<String> {
    loop {
        let message = any_received(socket)?;
        if !message.starts_with("STATUS=") {
            return Ok(message);
        }
    }
}

/// The next message.
pub(crate) fn any_received(socket: &UnixDatagram) -> Result<String> {
    let mut buffer = [0; 1000];
    // A child that ends meanwhile interrupts the wait, as its end is a signal.
    let length = loop {
        match socket.recv(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            received => break received.context("nothing was told")?,
        }
    };
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

#[test]
fn both_sockets_are_told_of_the_start_and_the_end() -> Result<()> {
    for daemon in [Daemon::Stock, Daemon::Martlet] {
        for is_abstract in [false, true] {
            let node = Node::new(ServerType::Container)?;
            let wire = Wire::unix(&node.path("log"))?;
            node.write_conf(&format!("interval = 1\nlog_address = {}", node.path("log").display()))?;
            let conf = node.conf();
            let mut command = node.command(daemon, &[conf.to_str().context("text")?])?;
            let name = format!("martlet-ready-{}-{daemon:?}", std::process::id());
            let manager = if is_abstract {
                command.env("NOTIFY_SOCKET", format!("@{name}"));
                abstract_socket(&name)?
            } else {
                command.env("NOTIFY_SOCKET", node.path("notify"));
                let socket = UnixDatagram::bind(node.path("notify"))?;
                socket.set_read_timeout(Some(PATIENCE))?;
                socket
            };
            let mut own = None;
            let running = Running::start(&command, |pid| {
                own = Some(abstract_socket(&format!("swift-notifications\0{pid}"))?);
                Ok(())
            })?;
            let own = own.context("it was made")?;
            assert_eq!([received(&manager)?, received(&own)?], ["READY=1", "READY=1"], "{daemon:?}");
            // Stock says nothing of its end where the signal comes before it has begun to work.
            wire.wait_for("Beginning replication run")?;
            running.signal(Signal::INT)?;
            assert_eq!([received(&manager)?, received(&own)?], ["STOPPING=1", "STOPPING=1"], "{daemon:?}");
            assert_eq!(running.end()?, Some(0), "{daemon:?}");
        }
    }
    Ok(())
}
