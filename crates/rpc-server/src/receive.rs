//! A whole database file alone as the body of a request, into `DEVICE/tmp`: from peers that send the message after it.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use bytes::{Buf, Bytes};
use futures_util::Stream;
use protocol::TransferHeaders;
use sha2::{Digest, Sha256};
use swift_types::TmpName;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};
use tracing::error;
use warp::http::{HeaderMap, StatusCode};

use crate::{
    answer::Answer,
    body::{CHUNKS_IN_FLIGHT, content_length, stream_into},
    dispatch::{has_free_space, usable_device},
    server::ServerSettings,
    target::RpcTarget,
};

/// Streams the body into `DEVICE/tmp/NAME`, which appears there only whole and with the right checksum.
///
/// A crash leaves a hidden part file that the cleaning of `tmp` removes by age.
pub(crate) async fn receive_file<S, B>(
    settings: &ServerSettings,
    target: &RpcTarget,
    headers: &HeaderMap,
    body: S,
) -> Result<Answer, Answer>
where
    S: Stream<Item = Result<B, warp::Error>> + Send,
    B: Buf + Send,
{
    let bad = |reason: &str| Answer::text(StatusCode::BAD_REQUEST, format!("{reason}\n"));
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let name = header(TransferHeaders::TMP_NAME).and_then(|name| name.parse::<TmpName>().ok());
    let name = name.ok_or_else(|| bad("a usable x-martlet-tmp-name is missing"))?;
    let sha256 = header(TransferHeaders::SHA256).ok_or_else(|| bad("x-martlet-sha256 is missing"))?;
    let length = content_length(headers)
        .ok_or_else(|| Answer::text(StatusCode::LENGTH_REQUIRED, "content-length is missing\n"))?;

    let device_dir = usable_device(settings, &target.device)?;
    if !has_free_space(&device_dir, settings.fallocate_reserve, length) {
        return Err(Answer::text(StatusCode::INSUFFICIENT_STORAGE, "no room for the file\n"));
    }
    let part = PartFile::create(&device_dir.join("tmp"), &name).map_err(|error| {
        error!("ERROR receiving into {}: {error}", device_dir.display());
        Answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
    })?;
    let (sender, writer) = part.start_writing();
    let streamed = stream_into(sender, body).await;
    let written = writer.await.map_err(|_| Answer::empty(StatusCode::INTERNAL_SERVER_ERROR))?;
    streamed?;
    let (part, digest, bytes) = written.map_err(|error| {
        error!("ERROR receiving into {}: {error}", device_dir.display());
        Answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
    })?;
    if bytes != length || digest != sha256 {
        return Err(Answer::text(StatusCode::UNPROCESSABLE_ENTITY, "the file arrived damaged\n"));
    }
    part.keep_as(&name).map_err(|_| Answer::empty(StatusCode::INTERNAL_SERVER_ERROR))?;
    Ok(Answer::empty(StatusCode::CREATED))
}

/// A file that vanishes unless it is kept.
struct PartFile {
    path: PathBuf,
    file: File,
}

type Written = std::io::Result<(PartFile, String, u64)>;

impl PartFile {
    fn create(tmp: &Path, name: &TmpName) -> std::io::Result<Self> {
        fs::create_dir_all(tmp)?;
        let path = tmp.join(format!(".{}.{:016x}.part", name.as_str(), rand::random::<u64>()));
        let file = File::options().write(true).create_new(true).open(&path)?;
        Ok(Self { path, file })
    }

    /// Writes and hashes what comes through the channel, on a blocking thread, until the sender is dropped.
    fn start_writing(mut self) -> (mpsc::Sender<Bytes>, JoinHandle<Written>) {
        let (sender, mut chunks) = mpsc::channel::<Bytes>(CHUNKS_IN_FLIGHT);
        let writer = spawn_blocking(move || {
            let mut sha256 = Sha256::new();
            let mut length = 0;
            while let Some(chunk) = chunks.blocking_recv() {
                self.file.write_all(&chunk)?;
                sha256.update(&chunk);
                length += chunk.len() as u64;
            }
            Ok((self, hex::encode(sha256.finalize()), length))
        });
        (sender, writer)
    }

    /// Gives it its name. Not synced: nothing relies on it before the step that puts it in place syncs it.
    #[expect(clippy::disallowed_methods, reason = "a file in tmp is worth nothing after a crash")]
    fn keep_as(self, name: &TmpName) -> std::io::Result<()> {
        fs::rename(&self.path, self.path.with_file_name(name.as_str()))
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
