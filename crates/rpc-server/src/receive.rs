//! A whole database file alone as the body of a request, into `DEVICE/tmp`: from peers that send the message after it.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Buf, Bytes};
use db_broker::PartFile;
use futures_util::Stream;
use protocol::{BodyDigest, BodySum, TransferHeaders};
use swift_types::TmpName;
use warp::http::{HeaderMap, StatusCode};

use crate::{
    answer::Answer,
    body::{content_length, worked_off},
    coming::ComingBody,
    device_share::DevicePlace,
    lock::Promised,
};

/// What a request's head says of the file to come.
pub(crate) struct ComingFile {
    pub(crate) name: TmpName,
    sha256: String,
    pub(crate) length: u64,
}

impl ComingFile {
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Self, Answer> {
        let bad = |reason: &str| Answer::text(StatusCode::BAD_REQUEST, format!("{reason}\n"));
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let name = header(TransferHeaders::TMP_NAME).and_then(|name| name.parse::<TmpName>().ok());
        let name = name.ok_or_else(|| bad("a usable x-martlet-tmp-name is missing"))?;
        let sha256 = header(TransferHeaders::SHA256).ok_or_else(|| bad("x-martlet-sha256 is missing"))?;
        let length = content_length(headers)
            .ok_or_else(|| Answer::text(StatusCode::LENGTH_REQUIRED, "content-length is missing\n"))?;
        Ok(Self { name, sha256: sha256.to_owned(), length })
    }

    /// Streams the body into `DEVICE/tmp/NAME`, which appears there only whole and with the right checksum.
    ///
    /// A crash leaves a file that the cleaning of `tmp` removes by age.
    pub(crate) async fn receive<S, B>(
        self,
        device_dir: PathBuf,
        place: Arc<DevicePlace>,
        promised: Promised,
        coming: ComingBody,
        body: S,
    ) -> Result<Answer, Answer>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send,
        B: Buf + Send,
    {
        worked_off(place, coming, body, move |chunks| {
            let failed = |error: io::Error| Answer::not_stored(&device_dir, &error);
            let (part, sha256, length) = write(chunks, &device_dir, self.length).map_err(failed)?;
            if length != self.length || sha256.to_string() != self.sha256 {
                return Err(Answer::text(StatusCode::UNPROCESSABLE_ENTITY, "the file arrived damaged\n"));
            }
            promised.is_digest(Some(sha256))?;
            part.keep_as(&self.name).map_err(failed)?;
            Ok(Answer::empty(StatusCode::CREATED))
        })
        .await
    }
}

/// Writes what comes; with its SHA-256 and its length.
fn write(
    chunks: &mut dyn Iterator<Item = Bytes>,
    device_dir: &Path,
    length: u64,
) -> io::Result<(PartFile, BodyDigest, u64)> {
    let (mut part, mut sha256, mut written) = (PartFile::create(device_dir, length)?, BodySum::default(), 0);
    for chunk in chunks {
        part.write_all(&chunk)?;
        sha256.update(&chunk);
        written += chunk.len() as u64;
    }
    Ok((part, sha256.finish(), written))
}
