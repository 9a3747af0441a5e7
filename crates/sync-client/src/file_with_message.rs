use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::poll_fn};
use protocol::{BodyDigest, Checksum, FileWithMessage, Request, Signable, to_ascii_json};
use reqwest::{Body, Client, RequestBuilder};
use tokio::sync::{mpsc, watch};
use zstd::stream::write::Encoder;

use crate::{
    CallError, Region, Reply, SendError, SyncClient, Target,
    exchange::{is_unanswered, replicate},
    whole_file::{Content, stall, time_for},
};

/// What is read from the disk at once. Bytes.
const CHUNK: usize = 256 * 1024;
/// Chunks that wait for the connection.
const CHUNKS_READ_AHEAD: usize = 4;
/// zstd's own choice between time and size.
const LEVEL: i32 = zstd::DEFAULT_COMPRESSION_LEVEL;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Zstd,
}

type Chunk = io::Result<Bytes>;

impl SyncClient {
    /// Sends a file that nobody writes together with the message that uses it, `complete_rsync` or `rsync_then_merge`,
    /// to a Martlet peer that takes [`FileWithMessage`]; compressed to another region if `rsync_compress` says so. Gives
    /// the bytes of the file and the peer's answer, whatever its status.
    ///
    /// Blocks for as long as the peer takes something every `node_timeout`, and then `merging` longer than
    /// [`send_file`](Self::send_file). What is in memory goes on a kept connection, and, should the peer close that at
    /// this moment, once more: the file comes along, so the second finds what it needs. A place that the first has
    /// filled is then told to be taken, and found in sync by the next pass. A stream gets a connection of its own.
    ///
    /// # Errors
    /// [`SendError`]; the peer may have done all of it, if the connection broke, or nothing.
    pub fn send_file_with_message(
        &self,
        target: &Target<'_>,
        content: Content<'_>,
        message: &Request,
        region: Region,
        merging: Duration,
    ) -> Result<(u64, Reply), SendError> {
        let encoding = match region {
            Region::Different if self.settings.rsync_compress => Encoding::Zstd,
            _ => Encoding::Plain,
        };
        // The checksum behind the file can be made by anybody, and what is signed has to be known before the file goes.
        let (length, digest) = match self.settings.secrets {
            Some(_) => content.measure().map(|(length, digest)| (length, Some(digest)))?,
            None => (content.length()?, None),
        };
        // Once to write it and once to use it.
        let working = time_for(length).saturating_mul(2).saturating_add(merging);
        let request = |client: &Client| self.about_file(client, target, length, message, encoding, digest);
        let reply = match content {
            Content::Bytes(bytes) => {
                let body = packed(bytes, encoding)?;
                self.send_gathered(request, &body, working)?
            }
            Content::File(path) => {
                self.send_stream(request(&self.unpooled), File::open(path)?, length, encoding, working)?
            }
        };
        Ok((length, reply))
    }

    fn about_file(
        &self,
        client: &Client,
        target: &Target<'_>,
        length: u64,
        message: &Request,
        encoding: Encoding,
        digest: Option<BodyDigest>,
    ) -> RequestBuilder {
        let message = to_ascii_json(message).expect("messages hold nothing that JSON cannot");
        let request = replicate(client, target.url())
            .header("content-type", FileWithMessage::CONTENT_TYPE)
            .header(FileWithMessage::LENGTH, length)
            .header(FileWithMessage::MESSAGE, &message[..]);
        let request = match digest {
            Some(digest) => self.signed(request, |secrets, seconds| {
                let path = target.path();
                let signable = Signable::new(&path, FileWithMessage::CONTENT_TYPE, Some(&message));
                secrets.sign(signable, seconds, digest)
            }),
            None => request,
        };
        match encoding {
            Encoding::Plain => request,
            Encoding::Zstd => request.header("content-encoding", FileWithMessage::ZSTD),
        }
    }

    fn send_gathered(
        &self,
        request: impl Fn(&Client) -> RequestBuilder,
        body: &Bytes,
        working: Duration,
    ) -> Result<Reply, CallError> {
        let timeout = self.settings.node_timeout.saturating_add(working);
        let call = |client| request(client).timeout(timeout).body(body.clone()).send();
        self.wait(async {
            let mut sent = call(&self.http).await;
            if sent.as_ref().is_err_and(is_unanswered) {
                sent = call(&self.unpooled).await;
            }
            self.read_reply(sent.map_err(|error| self.call_error(error, timeout))?, timeout).await
        })
    }

    fn send_stream(
        &self,
        request: RequestBuilder,
        file: File,
        length: u64,
        encoding: Encoding,
        working: Duration,
    ) -> Result<Reply, SendError> {
        let request = match encoding {
            Encoding::Plain => request.header("content-length", length + Checksum::BYTES as u64),
            Encoding::Zstd => request,
        };
        let (taken, progress) = watch::channel(());
        let patience = self.settings.conn_timeout.saturating_add(self.settings.node_timeout);
        self.wait(async {
            let chunks = read_ahead(file, length, encoding).inspect(move |_| taken.send_replace(()));
            let sending = async {
                let response = request.body(Body::wrap_stream(chunks)).send().await;
                self.read_reply(response.map_err(|error| self.call_error(error, patience))?, patience).await
            };
            tokio::select! {
                reply = sending => Ok(reply?),
                waited = stall(progress, patience, working) => Err(SendError::Stalled(waited)),
            }
        })
    }
}

/// The whole body of a small file.
fn packed(file: &[u8], encoding: Encoding) -> io::Result<Bytes> {
    let mut sum = Checksum::default();
    sum.update(file);
    let plain = [file, &sum.finish()].concat();
    Ok(match encoding {
        Encoding::Plain => plain.into(),
        Encoding::Zstd => zstd::bulk::compress(&plain, LEVEL)?.into(),
    })
}

/// The body of a large file, read by a thread of its own a few chunks ahead; that ends when nobody takes them any more.
fn read_ahead(file: File, length: u64, encoding: Encoding) -> impl Stream<Item = Chunk> + Send + use<> {
    let (chunks, mut read) = mpsc::channel(CHUNKS_READ_AHEAD);
    tokio::task::spawn_blocking(move || {
        let done = match encoding {
            Encoding::Plain => read_plain(file, length, &chunks),
            Encoding::Zstd => read_compressed(file, length, &chunks),
        };
        if let Err(error) = done {
            let _ = chunks.blocking_send(Err(error));
        }
    });
    poll_fn(move |context| read.poll_recv(context))
}

fn read_plain(file: File, length: u64, chunks: &mpsc::Sender<Chunk>) -> io::Result<()> {
    let sum = each_chunk(file, length, |chunk| hand_on(chunks, chunk.into()))?;
    hand_on(chunks, Bytes::copy_from_slice(&sum.finish()))
}

fn read_compressed(file: File, length: u64, chunks: &mpsc::Sender<Chunk>) -> io::Result<()> {
    let mut encoder = Encoder::new(HandOn(chunks), LEVEL)?;
    let sum = each_chunk(file, length, |chunk| encoder.write_all(&chunk))?;
    encoder.write_all(&sum.finish())?;
    encoder.finish()?;
    Ok(())
}

/// Reads exactly `length` bytes; their checksum.
fn each_chunk(
    mut file: File,
    length: u64,
    mut take: impl FnMut(Vec<u8>) -> io::Result<()>,
) -> io::Result<Checksum> {
    let (mut sum, mut left) = (Checksum::default(), length);
    while left > 0 {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = (&mut file).take(left.min(CHUNK as u64)).read_to_end(&mut chunk)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= read as u64;
        sum.update(&chunk);
        take(chunk)?;
    }
    Ok(sum)
}

fn hand_on(chunks: &mpsc::Sender<Chunk>, chunk: Bytes) -> io::Result<()> {
    chunks.blocking_send(Ok(chunk)).map_err(|_| io::ErrorKind::BrokenPipe.into())
}

struct HandOn<'a>(&'a mpsc::Sender<Chunk>);

impl Write for HandOn<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        hand_on(self.0, Bytes::copy_from_slice(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Content<'_> {
    fn length(&self) -> io::Result<u64> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::File(path) => Ok(Path::metadata(path)?.len()),
        }
    }
}
