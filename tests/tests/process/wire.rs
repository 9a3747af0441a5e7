use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::node::PATIENCE;

/// Keeps every datagram that it is sent, byte for byte. A thread takes them, as a socket holds only a few.
pub(crate) struct Wire {
    kept: Arc<Mutex<Vec<Vec<u8>>>>,
    end: Box<dyn FnMut() + Send>,
    reader: Option<JoinHandle<()>>,
}

impl Wire {
    pub(crate) fn unix(path: &Path) -> Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        let closer = UnixDatagram::unbound()?;
        closer.connect(path)?;
        Ok(Self::of(move |buffer| socket.recv(buffer), move || drop(closer.send(&[]))))
    }

    /// At a port of 127.0.0.1, which it returns.
    pub(crate) fn udp() -> Result<(Self, u16)> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let port = socket.local_addr()?.port();
        Ok((Self::of_udp(socket)?, port))
    }

    pub(crate) fn of_udp(socket: UdpSocket) -> Result<Self> {
        let closer = socket.try_clone()?;
        let address = socket.local_addr()?;
        Ok(Self::of(move |buffer| socket.recv(buffer), move || drop(closer.send_to(&[], address))))
    }

    /// An empty datagram ends it, which nobody else sends.
    fn of(
        receive: impl Fn(&mut [u8]) -> std::io::Result<usize> + Send + 'static,
        end: impl FnMut() + Send + 'static,
    ) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keeper = Arc::clone(&kept);
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 18];
            while let Ok(length @ 1..) = receive(&mut buffer) {
                keeper.lock().expect("nobody panics with it").push(buffer[..length].to_vec());
            }
        });
        Self { kept, end: Box::new(end), reader: Some(reader) }
    }

    /// Returns once something with `needle` in it was sent.
    pub(crate) fn wait_for(&self, needle: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let said = |datagram: &Vec<u8>| String::from_utf8_lossy(datagram).contains(needle);
        while !self.kept.lock().expect("nobody panics with it").iter().any(said) {
            ensure!(Instant::now() < deadline, "nobody said {needle:?}");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Everything that was sent before.
    pub(crate) fn close(mut self) -> Vec<Vec<u8>> {
        self.end_reader();
        std::mem::take(&mut self.kept.lock().expect("nobody panics with it"))
    }

    fn end_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            (self.end)();
            let _ = reader.join();
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.end_reader();
    }
}
