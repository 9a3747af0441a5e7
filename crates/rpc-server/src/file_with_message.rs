//! A whole database file and the message that uses it, in one request.

use std::{
    io::{self, ErrorKind, Write},
    iter,
    path::Path,
    sync::Arc,
};

use bytes::Buf;
use db_broker::PartFile;
use failpoint::{Step, around};
use futures_util::Stream;
use protocol::{BodyDigest, BodySum, Checksum, FileWithMessage, Request};
use swift_types::ServerType;
use warp::http::{HeaderMap, StatusCode, header};
use zstd::stream::write::Decoder;

use crate::{
    answer::Answer,
    body::{ReadBody, worked_off},
    coming::ComingBody,
    device_share::DevicePlace,
    dispatch::{dispatch_with_file, mounted_device},
    lock::Promised,
    service::{Head, Service},
    target::RpcTarget,
};

/// The largest file, in bytes, whose body is gathered before anything is written: its transfer is one write, on the
/// thread that then uses the file.
const MOST_IN_MEMORY: u64 = 1 << 20;
/// By what a body that zstd could not compress is larger than what is in it, at most; in bytes.
const MOST_OVERHEAD: u64 = 16 << 10;

/// The longest body that is gathered, bytes.
pub(crate) const LONGEST_GATHERED: u64 = MOST_IN_MEMORY + MOST_OVERHEAD;

/// What a request's head says of the file to come.
pub(crate) struct Incoming {
    /// `complete_rsync` or `rsync_then_merge`.
    pub(crate) request: Request<'static>,
    pub(crate) length: u64,
    encoding: Encoding,
}

#[derive(Clone, Copy)]
enum Encoding {
    Plain,
    Zstd,
}

/// A file that is there, or all chunks of which are.
enum Arrived {
    Gathered(ReadBody),
    Written(PartFile),
}

impl Incoming {
    pub(crate) fn parse(server_type: ServerType, headers: &HeaderMap) -> Result<Self, Answer> {
        let bad = |reason: &str| Answer::text(StatusCode::BAD_REQUEST, format!("{reason}\n"));
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let length = text(FileWithMessage::LENGTH).and_then(|length| length.parse().ok());
        let length = length.ok_or_else(|| bad("a usable x-martlet-length is missing"))?;
        let encoding = match text(header::CONTENT_ENCODING.as_str()) {
            None => Encoding::Plain,
            Some(FileWithMessage::ZSTD) => Encoding::Zstd,
            Some(_) => {
                return Err(Answer::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "zstd is the one encoding\n"));
            }
        };
        let message = headers.get(FileWithMessage::MESSAGE).map_or(&b""[..], |value| value.as_bytes());
        let request = match Request::parse(server_type, message) {
            Ok(Request::CompleteRsync { tmp, name }) => Request::CompleteRsync { tmp, name },
            Ok(Request::RsyncThenMerge { tmp, name }) => Request::RsyncThenMerge { tmp, name },
            Ok(request) => return Err(bad(&format!("{} is not about a file", request.op()))),
            Err(error) => return Err(bad(&error.to_string())),
        };
        Ok(Self { request, length, encoding })
    }

    /// The longest that its body may be, bytes, if it is to be gathered.
    fn most_gathered(&self) -> Option<usize> {
        let is_small = self.length <= MOST_IN_MEMORY;
        is_small.then(|| usize::try_from(self.length + MOST_OVERHEAD).unwrap_or(usize::MAX))
    }

    /// Writes the body into `DEVICE/tmp` as it comes.
    ///
    /// A connection that breaks leaves nothing there, and a crash a file that the cleaning of `tmp` removes by age.
    async fn receive<S, B>(
        &self,
        device_dir: &Path,
        place: &Arc<DevicePlace>,
        promised: &Promised,
        coming: ComingBody,
        body: S,
    ) -> Result<PartFile, Answer>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send,
        B: Buf + Send,
    {
        let (device, length, encoding) = (device_dir.to_owned(), self.length, self.encoding);
        let promised = promised.clone();
        worked_off(Arc::clone(place), coming, body, move |chunks| {
            unpack(chunks, &device, length, encoding, &promised)
        })
        .await
    }

    /// The file, written and with the right checksum. Blocks on the disk.
    fn unpacked(&self, arrived: Arrived, device_dir: &Path, promised: &Promised) -> Result<PartFile, Answer> {
        match arrived {
            Arrived::Gathered(body) => {
                unpack(iter::once(&*body), device_dir, self.length, self.encoding, promised)
            }
            Arrived::Written(part) => Ok(part),
        }
    }
}

impl Service {
    /// Takes the file as it comes, a small one into memory, and does with it what the message says.
    pub(crate) async fn receive_and_use<S, B>(
        &self,
        target: RpcTarget,
        place: Arc<DevicePlace>,
        incoming: Incoming,
        promised: Promised,
        head: Head<'_>,
        body: S,
    ) -> Result<Answer, Answer>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send,
        B: Buf + Send,
    {
        let device_dir = self.device_with_room(&place, incoming.length).await?;
        let arrived = if let Some(most) = incoming.most_gathered() {
            Arrived::Gathered(self.read(most, Some(&place), head, body).await?)
        } else {
            let coming = self.coming.begin(Some(&place.device), 0);
            Arrived::Written(incoming.receive(&device_dir, &place, &promised, coming, body).await?)
        };
        let used = self.in_turn_of(&place, move |host| {
            // Unmounted while the file came, its mount point would take what is made now.
            mounted_device(&host.settings, &target.device)?;
            let unpacked = || incoming.unpacked(arrived, &device_dir, &promised);
            let file = around(Step::ReceiveFile, Path::new(&target.digest.to_string()), unpacked)?;
            Ok(dispatch_with_file(host, &target, device_dir, incoming.request, file))
        });
        used.await
    }
}

fn damaged() -> Answer {
    Answer::text(StatusCode::UNPROCESSABLE_ENTITY, "the file arrived damaged\n")
}

fn unpack(
    chunks: impl Iterator<Item = impl AsRef<[u8]>>,
    device_dir: &Path,
    length: u64,
    encoding: Encoding,
    promised: &Promised,
) -> Result<PartFile, Answer> {
    let written = PartFile::create(device_dir, length).and_then(|part| {
        let (sum, signed) = (Checksum::default(), promised.sum());
        let unpacked = Unpacked { part, left: length, sum, signed, told: Vec::new() };
        match encoding {
            Encoding::Plain => unpacked.plain(chunks),
            Encoding::Zstd => unpacked.decompressed(chunks),
        }
    });
    let (part, signed) = written.and_then(Unpacked::checked).map_err(|error| {
        // What the system says is of the disk, all else of the body.
        if error.raw_os_error().is_none() {
            return damaged();
        }
        Answer::not_stored(device_dir, &error)
    })?;
    promised.is_digest(signed)?;
    Ok(part)
}

/// What has come of a file, and of the checksum behind it.
struct Unpacked {
    part: PartFile,
    /// Bytes of the file that are still to come.
    left: u64,
    sum: Checksum,
    /// Of the same, where it was signed.
    signed: Option<BodySum>,
    told: Vec<u8>,
}

impl Unpacked {
    fn plain(mut self, mut chunks: impl Iterator<Item = impl AsRef<[u8]>>) -> io::Result<Self> {
        chunks.try_for_each(|chunk| self.write_all(chunk.as_ref()))?;
        Ok(self)
    }

    /// No more is decompressed than was told, whatever the body holds.
    fn decompressed(self, mut chunks: impl Iterator<Item = impl AsRef<[u8]>>) -> io::Result<Self> {
        let mut decoder = Decoder::new(self)?;
        decoder.window_log_max(FileWithMessage::WINDOW_LOG)?;
        chunks.try_for_each(|chunk| decoder.write_all(chunk.as_ref()))?;
        decoder.flush()?;
        Ok(decoder.into_inner())
    }

    fn checked(self) -> io::Result<(PartFile, Option<BodyDigest>)> {
        if self.left > 0 || self.told != self.sum.finish() {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok((self.part, self.signed.map(BodySum::finish)))
    }
}

impl Write for Unpacked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let (content, rest) = bytes.split_at(left.min(bytes.len()));
        self.part.write_all(content)?;
        self.sum.update(content);
        if let Some(signed) = &mut self.signed {
            signed.update(content);
        }
        self.left -= content.len() as u64;
        if self.told.len() + rest.len() > Checksum::BYTES {
            return Err(ErrorKind::InvalidData.into());
        }
        self.told.extend_from_slice(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
