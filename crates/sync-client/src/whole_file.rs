use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use protocol::TransferHeaders;
use sha2::{Digest, Sha256};
use tokio_util::io::ReaderStream;

use crate::{
    CallError, Reply, SyncClient, Target,
    client::{read_reply, replicate_method},
};

/// The slowest disk or link for which a transfer still counts as alive, bytes a second.
const SLOWEST_BYTES_PER_SECOND: u64 = 1 << 20;

/// Why a whole file did not get to a Martlet peer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Our copy cannot be read.
    #[error("cannot read the copy to send: {0}")]
    Read(#[from] io::Error),
    /// No answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The peer answered, but did not take the file.
    #[error("the peer did not take the file: status {0}")]
    NotTaken(u16),
}

impl SyncClient {
    /// Streams a file that nobody writes into a Martlet peer's `DEVICE/tmp` under `name`, with its SHA-256.
    /// Blocks for `node_timeout` plus a second for each MiB at most. Returns the bytes sent.
    ///
    /// # Errors
    /// [`SendError`]; the peer then has nothing under that name.
    pub fn send_file(&self, target: &Target<'_>, file: &Path, name: &str) -> Result<u64, SendError> {
        let (length, sha256) = measure(file)?;
        let timeout = self.settings.node_timeout + time_for(length);
        let request = self
            .http
            .request(replicate_method(), target.url())
            .header("content-type", TransferHeaders::CONTENT_TYPE)
            .header("content-length", length)
            .header(TransferHeaders::TMP_NAME, name)
            .header(TransferHeaders::SHA256, sha256)
            .timeout(timeout);
        let content = File::open(file)?;
        let reply: Reply = self.wait(async {
            let stream = ReaderStream::with_capacity(tokio::fs::File::from_std(content), 256 * 1024);
            let request = request.body(reqwest::Body::wrap_stream(stream));
            let response = request.send().await.map_err(|error| CallError::of(error, timeout))?;
            read_reply(response, timeout).await
        })?;
        if reply.is_success() { Ok(length) } else { Err(SendError::NotTaken(reply.status)) }
    }
}

/// How long a step over that many bytes may take on the slowest disk or link, beside `node_timeout`.
pub fn time_for(bytes: u64) -> Duration {
    Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND)
}

/// Length and SHA-256 of a file.
fn measure(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut length = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((length, hex::encode(sha256.finalize())));
        }
        sha256.update(&buffer[..read]);
        length += read as u64;
    }
}
