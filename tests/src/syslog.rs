use std::fmt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};

const LONGEST_LINE: usize = 256 * 1024;
/// Sent by [`LogSink`] itself: datagrams keep their order, so what was logged before it has been kept by then.
const MARK: &[u8] = b"\0mark";
/// Generous; a reader that takes longer has ended.
const READS: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct Kept {
    lines: Vec<String>,
    marks_sent: u64,
    marks_read: u64,
    witness: Option<Witness>,
}

/// Whoever wants to be there when a line comes in.
struct Witness(Box<dyn FnMut(&str) + Send>);

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}

type Shared = Arc<(Mutex<Kept>, Condvar)>;

/// A socket that stands in for `/dev/log` and keeps every line it was sent.
#[derive(Debug)]
pub struct LogSink {
    kept: Shared,
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
        let kept = Shared::default();
        let shared = Arc::clone(&kept);
        let reader = thread::spawn(move || keep_lines(&socket, &shared));
        Ok(Self { kept, closer, reader: Some(reader) })
    }

    /// Like [`LogSink::lines`], and forgets them.
    pub fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut self.all_kept().lines)
    }

    /// What was logged before this call, a line each, priorities included: `<191>container-replicator: …`.
    pub fn lines(&self) -> Vec<String> {
        self.all_kept().lines.clone()
    }

    /// From now on calls `witness` with each line as it comes in, on the reader's own thread: what it does must be
    /// short. Another witness takes its place.
    pub(crate) fn tell(&self, witness: impl FnMut(&str) + Send + 'static) {
        let mut kept = self.kept.0.lock().expect("the reader does not panic while it holds the lock");
        kept.witness = Some(Witness(Box::new(witness)));
    }

    /// Waits until the reader has come to a mark that is sent now.
    fn all_kept(&self) -> MutexGuard<'_, Kept> {
        let (kept, read) = &*self.kept;
        let mut sending = kept.lock().expect("the reader does not panic while it holds the lock");
        sending.marks_sent += 1;
        let mark = sending.marks_sent;
        drop(sending);
        let _ = self.closer.send(MARK);
        let kept = kept.lock().expect("the reader does not panic while it holds the lock");
        let waited = read.wait_timeout_while(kept, READS, |kept| kept.marks_read < mark);
        waited.expect("the reader does not panic while it holds the lock").0
    }
}

/// Ends at an empty datagram, which only [`LogSink`]'s drop sends.
fn keep_lines(socket: &UnixDatagram, shared: &Shared) {
    let (kept, read) = &**shared;
    let mut buffer = vec![0; LONGEST_LINE];
    while let Ok(length) = socket.recv(&mut buffer) {
        if length == 0 {
            return;
        }
        let mut kept = kept.lock().expect("readers only clone");
        if &buffer[..length] == MARK {
            kept.marks_read += 1;
            read.notify_all();
        } else {
            let line = String::from_utf8_lossy(&buffer[..length]);
            if let Some(Witness(tell)) = &mut kept.witness {
                tell(&line);
            }
            kept.lines.push(line.trim_end_matches(['\0', '\n']).to_owned());
        }
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
    fn a_witness_is_told_of_each_line_from_then_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let sink = LogSink::bind(&path).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(b"early", &path).unwrap();
        assert_eq!(sink.lines(), ["early"]);
        let (told, heard) = std::sync::mpsc::channel();
        sink.tell(move |line| told.send(line.to_owned()).unwrap());
        sender.send_to(b"late", &path).unwrap();
        assert_eq!(heard.recv().unwrap(), "late");
    }

    #[test]
    fn keeps_lines_in_order_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let sink = LogSink::bind(&path).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        for line in ["<14>one", "<14>two\0"] {
            sender.send_to(line.as_bytes(), &path).unwrap();
        }
        assert_eq!(sink.take_lines(), ["<14>one", "<14>two"]);
        assert_eq!(sink.lines(), [""; 0]);
        let kept = Arc::clone(&sink.kept);
        sender.send_to(b"<14>late", &path).unwrap();
        drop(sink);
        assert_eq!(kept.0.lock().unwrap().lines, ["<14>late"]);
    }
}
