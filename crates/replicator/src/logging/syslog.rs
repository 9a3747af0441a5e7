use std::{
    fs, io,
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    os::unix::{
        fs::FileTypeExt,
        net::{UnixDatagram, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use settings::{LogConf, LogFacility};

use super::severity::Severity;

/// How long a full syslog socket may hold a thread up.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long nobody waits for it again after that.
const PAUSE: Duration = Duration::from_secs(10);
/// How long the address of a host name is used.
const RESOLVED_FOR: Duration = Duration::from_secs(60);
/// Where stock's lines go if `log_address` is no socket.
const FALLBACK: (&str, u16) = ("localhost", 514);

/// Sends lines to the system's log as Python's `SysLogHandler` puts them on the wire:
/// `<FACILITY*8+SEVERITY>LINE`, and a null byte.
///
/// A line that cannot be sent is lost; how many were is told with the next one that can. A receiver that does
/// not read costs a thread a second at most in ten.
pub(super) struct Syslog {
    destination: Destination,
    facility: LogFacility,
    server: String,
    state: Mutex<State>,
}

#[derive(Debug)]
enum Destination {
    Socket(PathBuf),
    Udp { host: String, port: u16 },
}

#[derive(Default)]
struct State {
    socket: Option<Socket>,
    lost: u64,
    paused_until: Option<Instant>,
}

enum Socket {
    Datagrams(UnixDatagram),
    Stream(UnixStream),
    Udp { socket: UdpSocket, to: SocketAddr, until: Option<Instant> },
}

impl Syslog {
    /// Finds out where lines go. A receiver that is not there yet is no error: it may come.
    ///
    /// # Errors
    /// If `log_address` cannot be looked at, for another reason than that it is not there.
    pub(super) fn open(conf: &LogConf) -> io::Result<Self> {
        let destination = match &conf.log_udp_host {
            Some(host) => Destination::Udp { host: host.clone(), port: conf.log_udp_port },
            None => Destination::of_address(Path::new(&conf.log_address))?,
        };
        let server = conf.log_name.clone();
        Ok(Self { destination, facility: conf.log_facility, server, state: Mutex::default() })
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
            if self.deliver(&mut state, &self.packet(Severity::Warning, &told)) {
                state.lost = 0;
            }
        }
        if state.paused_until.is_some() || !self.deliver(&mut state, &self.packet(severity, line)) {
            state.lost += 1;
        }
    }

    fn packet(&self, severity: Severity, line: &str) -> Vec<u8> {
        let priority = u16::from(self.facility.code()) << 3 | u16::from(severity.code());
        format!("<{priority}>{line}\0").into_bytes()
    }

    /// Sends a packet, over a new connection if the old one is broken.
    fn deliver(&self, state: &mut State, packet: &[u8]) -> bool {
        for _ in 0..2 {
            let kept = state.socket.take().filter(Socket::is_current);
            let Some(socket) = kept.or_else(|| self.destination.connect().ok()) else { return false };
            match socket.send(packet) {
                Ok(()) => {
                    state.socket = Some(socket);
                    return true;
                }
                Err(error) if is_timeout(&error) => {
                    state.paused_until = Some(Instant::now() + PAUSE);
                    return false;
                }
                Err(_) => {}
            }
        }
        false
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl Destination {
    fn of_address(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.file_type().is_socket() => Ok(Self::Socket(path.to_owned())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(Self::Udp { host: FALLBACK.0.to_owned(), port: FALLBACK.1 }),
        }
    }

    fn connect(&self) -> io::Result<Socket> {
        match self {
            Self::Socket(path) => connect_datagrams(path).or_else(|_| connect_stream(path)),
            Self::Udp { host, port } => udp(host, *port),
        }
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

fn udp(host: &str, port: u16) -> io::Result<Socket> {
    let to = (host, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let any = if to.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let until = host.parse::<IpAddr>().is_err().then(|| Instant::now() + RESOLVED_FOR);
    Ok(Socket::Udp { socket: UdpSocket::bind((any, 0))?, to, until })
}

impl Socket {
    /// False once a host name should be looked up again.
    fn is_current(&self) -> bool {
        !matches!(self, Self::Udp { until: Some(until), .. } if Instant::now() >= *until)
    }

    fn send(&self, packet: &[u8]) -> io::Result<()> {
        match self {
            Self::Datagrams(socket) => socket.send(packet).map(drop),
            Self::Stream(socket) => (&*socket).write_all(packet),
            Self::Udp { socket, to, .. } => socket.send_to(packet, to).map(drop),
        }
    }
}
