//! The body of a request, as it comes.

use std::{
    ops::Deref,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::{sync::mpsc, task::spawn_blocking, time::timeout};
use warp::http::{HeaderMap, StatusCode, header};

use crate::{answer::Answer, coming::ComingBody, device_share::DevicePlace, room::Taken};

/// How long a peer may pause within a body before it is given up.
const BODY_PAUSE: Duration = Duration::from_secs(60);
/// Chunks between the connection and the disk; the connection waits when the disk is behind.
const CHUNKS_IN_FLIGHT: usize = 8;

pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body that was read, and its room in memory.
#[derive(Debug)]
pub(crate) struct ReadBody {
    bytes: BytesMut,
    _room: Taken,
}

impl Deref for ReadBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// How long a body is that may have up to `limit` bytes; one that does not say is taken for the largest.
pub(crate) fn length_within(limit: usize, headers: &HeaderMap) -> Result<usize, Answer> {
    match content_length(headers).map(usize::try_from) {
        None => Ok(limit),
        Some(Ok(length)) if length <= limit => Ok(length),
        Some(_) => Err(too_large(limit)),
    }
}

fn too_large(limit: usize) -> Answer {
    Answer::text(StatusCode::PAYLOAD_TOO_LARGE, format!("over {limit} bytes\n"))
}

/// The whole body, if it is not larger than `limit` bytes; memory for those `announced` is asked for at once, so that none is
/// copied while it grows.
pub(crate) async fn read_body<S, B>(
    limit: usize,
    announced: usize,
    room: Taken,
    coming: ComingBody,
    body: S,
) -> Result<ReadBody, Answer>
where
    S: Stream<Item = Result<B, warp::Error>> + Send,
    B: Buf + Send,
{
    let mut bytes = BytesMut::with_capacity(announced.min(limit));
    let mut body = PacedBody { coming, body: pin!(body) };
    while let Some(chunk) = body.next().await? {
        if bytes.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(ReadBody { bytes, _room: room })
}

/// Has the chunks of a body worked off on a blocking thread, as they come, in a place of their device. What comes of it
/// counts only if the body came to its end; one that breaks off ends the chunks, too.
pub(crate) async fn worked_off<S, B, T>(
    place: Arc<DevicePlace>,
    coming: ComingBody,
    body: S,
    work: impl FnOnce(&mut dyn Iterator<Item = Bytes>) -> Result<T, Answer> + Send + 'static,
) -> Result<T, Answer>
where
    S: Stream<Item = Result<B, warp::Error>> + Send,
    B: Buf + Send,
    T: Send + 'static,
{
    let (sender, mut chunks) = mpsc::channel::<Bytes>(CHUNKS_IN_FLIGHT);
    let working = spawn_blocking(move || {
        let _place = place;
        work(&mut std::iter::from_fn(|| chunks.blocking_recv()))
    });
    let streamed = stream_into(sender, coming, body).await;
    let done = working.await.map_err(|_| Answer::empty(StatusCode::INTERNAL_SERVER_ERROR))?;
    streamed?;
    done
}

/// Hands the body on, chunk by chunk, at the pace of whoever takes them.
async fn stream_into<S, B>(sender: mpsc::Sender<Bytes>, coming: ComingBody, body: S) -> Result<(), Answer>
where
    S: Stream<Item = Result<B, warp::Error>> + Send,
    B: Buf + Send,
{
    let mut body = PacedBody { coming, body: pin!(body) };
    while let Some(chunk) = body.next().await? {
        body.coming.is_held_up();
        // The writer has ended with an error, which is answered instead.
        if sender.send(chunk).await.is_err() {
            break;
        }
        body.coming.goes_on();
    }
    Ok(())
}

/// A body as it comes.
struct PacedBody<'b, S> {
    coming: ComingBody,
    body: Pin<&'b mut S>,
}

impl<S, B> PacedBody<'_, S>
where
    S: Stream<Item = Result<B, warp::Error>> + Send,
    B: Buf + Send,
{
    /// The next chunk; the error answers a body that breaks, pauses for too long or has to give way.
    async fn next(&mut self) -> Result<Option<Bytes>, Answer> {
        let next = tokio::select! {
            next = timeout(BODY_PAUSE, self.body.next()) => next,
            () = self.coming.gives_way() => return Err(given_way()),
        };
        match next {
            Ok(None) => Ok(None),
            Ok(Some(Ok(mut chunk))) => {
                self.coming.has_brought(chunk.remaining());
                Ok(Some(chunk.copy_to_bytes(chunk.remaining())))
            }
            Ok(Some(Err(_))) => Err(Answer::empty(StatusCode::BAD_REQUEST)),
            Err(_) => Err(Answer::empty(StatusCode::REQUEST_TIMEOUT)),
        }
    }
}

fn given_way() -> Answer {
    let text = "too many requests in hand, and the body of this one brought next to nothing for longest\n";
    Answer::text(StatusCode::SERVICE_UNAVAILABLE, text)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::{FutureExt, stream};
    use tokio::{task::yield_now, time::Instant};

    use super::*;
    use crate::coming::ComingBodies;

    /// Asks for what is never free; whether somebody is on the way who can give way for it, at once or later.
    fn somebody_comes(coming: &ComingBodies) -> bool {
        let until = Instant::now() + BODY_PAUSE;
        coming.make_way(1, |_| 1, until, pending::<()>()).now_or_never().is_none()
    }

    #[tokio::test]
    async fn who_waits_for_our_disk_gives_way_to_nobody() {
        let coming = Arc::new(ComingBodies::default());
        let (sender, mut disk) = mpsc::channel(1);
        let chunks = ["one", "two"].map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())));
        let body = stream::iter(chunks).chain(stream::pending());
        let streaming = tokio::spawn(stream_into(sender, coming.begin(None, 0), body));
        // It does all that it can do before others have their turn.
        yield_now().await;
        coming.grow_older(BODY_PAUSE);
        assert!(!somebody_comes(&coming));
        for _ in 0..2 {
            disk.recv().await.unwrap();
        }
        yield_now().await;
        coming.grow_older(BODY_PAUSE);
        assert!(somebody_comes(&coming), "now it waits for its peer");
        let refused = streaming.await.unwrap().unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
