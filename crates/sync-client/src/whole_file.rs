use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use protocol::{BodyDigest, BodySum, Signable, TransferHeaders};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::io::ReaderStream;

use crate::{CallError, Reply, SyncClient, Target, exchange::replicate};

/// What is read and handed to the connection at once: small, so that a slow link is seen to move.
const CHUNK: usize = 64 * 1024;

/// The slowest disk or link for which a transfer still counts as alive, bytes a second.
const SLOWEST_BYTES_PER_SECOND: u64 = 1 << 20;

/// A whole database as of one moment.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// A small one.
    Bytes(&'a [u8]),
    /// Any other, in a file that nobody writes.
    File(&'a Path),
}

/// Why a whole file did not get to a Martlet peer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Our copy cannot be read.
    #[error("cannot read the copy to send: {0}")]
    Read(#[from] io::Error),
    /// No answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The peer took nothing more of the file, or did not answer after it.
    #[error("the peer took nothing for {:.1} s", .0.as_secs_f64())]
    Stalled(Duration),
    /// The peer answered, but did not take the file.
    #[error("the peer did not take the file: status {0}")]
    NotTaken(u16),
}

impl SyncClient {
    /// Sends a file alone into a Martlet peer's `DEVICE/tmp` under `name`, with its SHA-256; the message that uses it is
    /// to follow. For peers that do not take it together with the message.
    /// Returns the bytes sent. Blocks for as long as the peer takes something every `node_timeout`, and after the last
    /// byte for as long again as that took, beside `node_timeout` and a second for each MiB: the network may hold much
    /// of the file by then.
    ///
    /// # Errors
    /// [`SendError`]; the peer then has nothing under that name.
    pub fn send_file(&self, target: &Target<'_>, content: Content<'_>, name: &str) -> Result<u64, SendError> {
        let (length, sha256) = content.measure()?;
        // Not on a kept connection, which the peer may close just now: a stream cannot be sent once more.
        let request = self.signed(replicate(&self.unpooled, target.url()), |secrets, seconds| {
            let path = target.path();
            let signable = Signable::new(&path, TransferHeaders::CONTENT_TYPE, Some(name.as_bytes()));
            secrets.sign(signable, seconds, sha256)
        });
        let request = request
            .header("content-type", TransferHeaders::CONTENT_TYPE)
            .header("content-length", length)
            .header(TransferHeaders::TMP_NAME, name)
            .header(TransferHeaders::SHA256, sha256.to_string());
        let (taken, progress) = watch::channel(());
        // The connection itself has a time of its own.
        let patience = self.settings.conn_timeout.saturating_add(self.settings.node_timeout);
        let reply: Reply = self.wait(async {
            let body = match content {
                Content::Bytes(bytes) => bytes.to_vec().into(),
                Content::File(path) => {
                    let stream = ReaderStream::with_capacity(tokio::fs::File::open(path).await?, CHUNK);
                    reqwest::Body::wrap_stream(stream.inspect(move |_| taken.send_replace(())))
                }
            };
            let sending = async {
                let response = request.body(body).send().await;
                let response = response.map_err(|error| self.call_error(error, patience))?;
                self.read_reply(response, patience).await
            };
            tokio::select! {
                reply = sending => Ok(reply?),
                waited = stall(progress, patience, time_for(length)) => Err(SendError::Stalled(waited)),
            }
        })?;
        if reply.is_success() { Ok(length) } else { Err(SendError::NotTaken(reply.status)) }
    }
}

/// Ends when there was no progress for `patience`, or, after the last of it, when there was time enough for an answer;
/// gives how long nothing has happened. The sender says by dropping its end that it was the last.
pub(crate) async fn stall(
    mut progress: watch::Receiver<()>,
    patience: Duration,
    working: Duration,
) -> Duration {
    let started = Instant::now();
    loop {
        match timeout(patience, progress.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => {
                let rest = patience.saturating_add(working).saturating_add(started.elapsed());
                sleep(rest).await;
                return rest;
            }
            Err(_) => return patience,
        }
    }
}

/// How long a step over that many bytes may take on the slowest disk or link, beside `node_timeout`.
pub fn time_for(bytes: u64) -> Duration {
    Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND)
}

impl Content<'_> {
    /// Its length and SHA-256. Blocks on reading it.
    pub(crate) fn measure(&self) -> io::Result<(u64, BodyDigest)> {
        match self {
            Self::Bytes(bytes) => Ok((bytes.len() as u64, BodyDigest::of(bytes))),
            Self::File(path) => measure(path),
        }
    }
}

fn measure(path: &Path) -> io::Result<(u64, BodyDigest)> {
    let mut file = File::open(path)?;
    let mut sha256 = BodySum::default();
    let mut buffer = vec![0; 256 * 1024];
    let mut length = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((length, sha256.finish()));
        }
        sha256.update(&buffer[..read]);
        length += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The patience is less than the whole takes, and far more than one step.
    #[test]
    fn what_moves_slowly_is_no_stall() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (taken, progress) = watch::channel(());
        let slow_peer = async move {
            for _ in 0..50 {
                sleep(Duration::from_millis(50)).await;
                taken.send_replace(());
            }
        };
        let stalled = runtime.block_on(async {
            tokio::select! {
                () = slow_peer => false,
                _ = stall(progress, Duration::from_secs(2), Duration::ZERO) => true,
            }
        });
        assert!(!stalled);
    }

    #[test]
    fn after_the_last_byte_an_answer_has_its_time() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (taken, progress) = watch::channel(());
        drop(taken);
        let ms = Duration::from_millis;
        assert!(runtime.block_on(stall(progress, ms(20), ms(30))) >= ms(50));
    }
}
