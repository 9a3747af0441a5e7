use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    process,
};

use tracing::debug;

/// The daemon works.
pub(crate) const READY: &str = "READY=1";
/// The daemon is about to end.
pub(crate) const STOPPING: &str = "STOPPING=1";

/// Tells the abstract socket `swift-notifications\0PID`, where `swift-reload` and its like may listen, and
/// the service manager's `$NOTIFY_SOCKET`, a path or abstract as `@NAME`. Waits for nobody.
///
/// Stock: `systemd_notify`.
pub(crate) fn notify(message: &str) {
    let ours = SocketAddr::from_abstract_name(format!("swift-notifications\0{}", process::id()));
    if let Err(error) = ours.and_then(|socket| send(&socket, message))
        && error.kind() != io::ErrorKind::ConnectionRefused
    {
        debug!("Systemd notification failed: {error}");
    }
    tell_manager(message);
}

/// Tells the service manager only: what nobody else waits for. Waits for nobody.
pub(crate) fn tell_manager(message: &str) {
    let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return };
    let manager = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path)),
    };
    if let Err(error) = manager.and_then(|socket| send(&socket, message)) {
        debug!("Systemd notification failed: {error}");
    }
}

fn send(to: &SocketAddr, message: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(message.as_bytes(), to).map(drop)
}
