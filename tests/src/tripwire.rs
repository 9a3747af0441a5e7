use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};

type Action = Box<dyn FnOnce() + Send>;

/// A proxy that does something, once, just before it passes a certain request on.
///
/// That makes races certain: what happens between two steps of a replicator is put where the second step
/// is a request.
#[derive(Debug)]
pub struct Tripwire {
    address: SocketAddr,
    wire: Arc<Wire>,
    acceptor: Option<JoinHandle<()>>,
}

struct Wire {
    upstream: SocketAddr,
    needles: Vec<String>,
    action: Mutex<Option<Action>>,
    ended: AtomicBool,
    connections: AtomicUsize,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("upstream", &self.upstream)
            .field("needles", &self.needles)
            .finish_non_exhaustive()
    }
}

impl Tripwire {
    /// Listens at `address` for `upstream`; `action` runs when one connection has sent all `needles`.
    ///
    /// # Errors
    /// When `address` cannot be bound.
    pub fn set(
        address: SocketAddr,
        upstream: SocketAddr,
        needles: Vec<String>,
        action: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| format!("tripwire at {address}"))?;
        let wire = Arc::new(Wire {
            upstream,
            needles,
            action: Mutex::new(Some(Box::new(action))),
            ended: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&wire);
        let acceptor = thread::spawn(move || accept(&listener, &shared));
        Ok(Self { address, wire, acceptor: Some(acceptor) })
    }

    /// How many connections came in so far.
    pub fn connections(&self) -> usize {
        self.wire.connections.load(Ordering::Acquire)
    }

    /// Whether the action has run.
    pub fn tripped(&self) -> bool {
        self.wire.action.lock().expect("actions do not panic").is_none()
    }
}

fn accept(listener: &TcpListener, wire: &Arc<Wire>) {
    for client in listener.incoming() {
        if wire.ended.load(Ordering::Acquire) {
            return;
        }
        let (Ok(client), wire) = (client, Arc::clone(wire)) else { continue };
        wire.connections.fetch_add(1, Ordering::AcqRel);
        thread::spawn(move || {
            // A connection that breaks is the peers' to report.
            let _ = relay(client, &wire);
        });
    }
}

fn relay(mut client: TcpStream, wire: &Wire) -> std::io::Result<()> {
    let mut server = TcpStream::connect(wire.upstream)?;
    let (mut replies, mut back) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut replies, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let (mut seen, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        let length = client.read(&mut buffer)?;
        if length == 0 {
            return server.shutdown(Shutdown::Write);
        }
        seen.extend_from_slice(&buffer[..length]);
        wire.check(&seen);
        server.write_all(&buffer[..length])?;
    }
}

impl Wire {
    fn check(&self, seen: &[u8]) {
        let text = String::from_utf8_lossy(seen);
        if self.needles.iter().all(|needle| text.contains(needle)) {
            let mut action = self.action.lock().expect("actions do not panic");
            if let Some(action) = action.take() {
                action();
            }
        }
    }
}

impl Drop for Tripwire {
    fn drop(&mut self) {
        self.wire.ended.store(true, Ordering::Release);
        if TcpStream::connect(self.address).is_ok()
            && let Some(acceptor) = self.acceptor.take()
        {
            let _ = acceptor.join();
        }
    }
}
