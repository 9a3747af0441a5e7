use std::{
    fs, io,
    io::Write,
    os::unix::{
        fs::FileTypeExt,
        net::{UnixDatagram, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use settings::{LogConf, LogFacility};
use stats::{Preferred, UdpTarget};

use super::severity::Severity;

/// How long a full syslog socket may hold a thread up.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long nobody waits for it again after that.
const PAUSE: Duration = Duration::from_secs(10);
/// Where stock's lines go if `log_address` is no socket.
const FALLBACK: (&str, u16) = ("localhost", 514);

/// Sends lines to the system's log as Python's `SysLogHandler` puts them on the wire:
/// `<FACILITY*8+SEVERITY>LINE`, and a null byte.
///
/// A line that cannot be sent is lost; how many were is told with the next one that can. A receiver that does
/// not read costs a thread a second at most in ten, one whose name is not found a look-up a minute.
pub(super) struct Syslog {
    facility: LogFacility,
    server: String,
    state: Mutex<State>,
}

struct State {
    receiver: Receiver,
    lost: u64,
    paused_until: Option<Instant>,
}

enum Receiver {
    Local { path: PathBuf, socket: Option<Socket> },
    Udp(UdpTarget),
}

enum Socket {
    Datagrams(UnixDatagram),
    Stream(UnixStream),
}

impl Syslog {
    /// Finds out where lines go. A receiver that is not there yet is no error: it may come.
    ///
    /// # Errors
    /// If `log_address` cannot be looked at, for another reason than that it is not there.
    pub(super) fn open(conf: &LogConf) -> io::Result<Self> {
        let receiver = match &conf.log_udp_host {
            Some(host) => Receiver::udp(host, conf.log_udp_port),
            None => Receiver::of_address(Path::new(&conf.log_address))?,
        };
        Ok(Self::to(receiver, conf.log_facility, conf.log_name.clone()))
    }

    fn to(receiver: Receiver, facility: LogFacility, server: String) -> Self {
        Self { facility, server, state: Mutex::new(State { receiver, lost: 0, paused_until: None }) }
    }

    /// Sends a line, or counts it as lost.
    pub(super) fn send(&self, severity: Severity, line: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.paused_until.is_some_and(|until| Instant::now() < until) {
            state.lost += 1;
            return;
        }
        state.paused_until = None;
        if state.lost > 0 {
            let told = format!("{}: {} log lines before this one were lost", self.server, state.lost);
            if state.deliver(&self.packet(Severity::Warning, &told)) {
                state.lost = 0;
            }
        }
        if state.paused_until.is_some() || !state.deliver(&self.packet(severity, line)) {
            state.lost += 1;
        }
    }

    fn packet(&self, severity: Severity, line: &str) -> Vec<u8> {
        let priority = u16::from(self.facility.code()) << 3 | u16::from(severity.code());
        format!("<{priority}>{line}\0").into_bytes()
    }
}

impl State {
    fn deliver(&mut self, packet: &[u8]) -> bool {
        match self.receiver.send(packet) {
            Ok(()) => true,
            Err(error) => {
                if is_timeout(&error) {
                    self.paused_until = Some(Instant::now() + PAUSE);
                }
                false
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl Receiver {
    fn udp(host: &str, port: u16) -> Self {
        Self::Udp(UdpTarget::new(host.to_owned(), port, Preferred::First))
    }

    fn of_address(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.file_type().is_socket() => {
                Ok(Self::Local { path: path.to_owned(), socket: None })
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(Self::udp(FALLBACK.0, FALLBACK.1)),
        }
    }

    /// Sends a packet, over a new connection if the old one is broken.
    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        let (path, open) = match self {
            Self::Local { path, socket } => (path, socket),
            Self::Udp(target) => return target.send(packet, Instant::now()),
        };
        if let Some(socket) = open.take() {
            match socket.send(packet) {
                Ok(()) => {
                    *open = Some(socket);
                    return Ok(());
                }
                // A stream may have taken half of it, and goes on with a new connection.
                Err(error) if is_timeout(&error) => return Err(error),
                Err(_) => {}
            }
        }
        let socket = connect_datagrams(path).or_else(|_| connect_stream(path))?;
        socket.send(packet)?;
        *open = Some(socket);
        Ok(())
    }
}

fn connect_datagrams(path: &Path) -> io::Result<Socket> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(Socket::Datagrams(socket))
}

fn connect_stream(path: &Path) -> io::Result<Socket> {
    let socket = UnixStream::connect(path)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(Socket::Stream(socket))
}

impl Socket {
    fn send(&self, packet: &[u8]) -> io::Result<()> {
        match self {
            Self::Datagrams(socket) => send_whole(socket, packet),
            Self::Stream(socket) => (&*socket).write_all(packet),
        }
    }
}

/// A socket with a timeout is interrupted by every signal, also by those that otherwise go unnoticed: a child's end.
fn send_whole(socket: &UnixDatagram, packet: &[u8]) -> io::Result<()> {
    loop {
        match socket.send(packet) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            sent => return sent.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;

    /// A name server that is down answers late: nobody may wait for it with each line.
    #[test]
    fn a_host_that_is_not_found_is_asked_for_once() {
        let (asked, looked_up) = mpsc::channel();
        let look_up = Arc::new(move |host: &str, _| {
            asked.send(host.to_owned()).unwrap();
            Err(io::Error::other("no name server"))
        });
        let host = "syslog.example".to_owned();
        let target = UdpTarget::looked_up_by(look_up, host.clone(), 514, Preferred::First);
        let syslog = Syslog::to(Receiver::Udp(target), LogFacility::LOCAL0, "c".to_owned());
        for _ in 0..100 {
            syslog.send(Severity::Info, "c: x");
        }
        assert_eq!(looked_up.try_iter().collect::<Vec<_>>(), [host]);
        assert_eq!(syslog.state.lock().unwrap().lost, 100);
    }
}
