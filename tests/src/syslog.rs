use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};

const LONGEST_LINE: usize = 256 * 1024;

/// A socket that stands in for `/dev/log` and keeps every line it was sent.
#[derive(Debug)]
pub struct LogSink {
    lines: Arc<Mutex<Vec<String>>>,
    closer: UnixDatagram,
    reader: Option<JoinHandle<()>>,
}

impl LogSink {
    /// Listens at `path`, which must not exist and be short enough for a socket.
    ///
    /// # Errors
    /// When the socket cannot be bound.
    pub fn bind(path: &Path) -> Result<Self> {
        let socket = UnixDatagram::bind(path)
            .with_context(|| format!("log socket {} cannot be bound", path.display()))?;
        let closer = UnixDatagram::unbound()?;
        closer.connect(path)?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let reader = thread::spawn(move || keep_lines(&socket, &kept));
        Ok(Self { lines, closer, reader: Some(reader) })
    }

    /// Like [`LogSink::lines`], and forgets them.
    pub fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().expect("the reader does not panic while it holds the lock"))
    }

    /// What was logged so far, a line each, priorities included: `<191>container-replicator: …`.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("the reader does not panic while it holds the lock").clone()
    }
}

/// Ends at an empty datagram, which only [`LogSink`]'s drop sends.
fn keep_lines(socket: &UnixDatagram, kept: &Mutex<Vec<String>>) {
    let mut buffer = vec![0; LONGEST_LINE];
    while let Ok(length) = socket.recv(&mut buffer) {
        if length == 0 {
            return;
        }
        let line = String::from_utf8_lossy(&buffer[..length]);
        kept.lock().expect("readers only clone").push(line.trim_end_matches(['\0', '\n']).to_owned());
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        let _ = self.closer.send(&[]);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_lines_in_order_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let sink = LogSink::bind(&path).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        for line in ["<14>one", "<14>two\0"] {
            sender.send_to(line.as_bytes(), &path).unwrap();
        }
        let lines = Arc::clone(&sink.lines);
        drop(sink);
        assert_eq!(*lines.lock().unwrap(), ["<14>one", "<14>two"]);
    }
}
