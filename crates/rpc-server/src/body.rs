//! The body of a request, as it comes.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream::unfold};
use tokio::{sync::mpsc, task::spawn_blocking, time::timeout};
use warp::http::{HeaderMap, StatusCode, header};

use crate::{answer::Answer, device_share::DevicePlace};

/// How long a peer may pause within a body before it is given up.
const BODY_PAUSE: Duration = Duration::from_secs(60);
/// What is read, and thrown away, of a body that is refused by its head: more than any question about many databases. Bytes.
const MOST_DRAINED: usize = 4 << 20;
/// For how long that is read: nobody who is not listened to keeps a connection.
const DRAINED_FOR: Duration = Duration::from_secs(5);
/// Chunks between the connection and the disk; the connection waits when the disk is behind.
const CHUNKS_IN_FLIGHT: usize = 8;

pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The whole body, if it is not larger than `limit` bytes.
pub(crate) async fn read_body<S, B>(limit: usize, headers: &HeaderMap, body: S) -> Result<BytesMut, Answer>
where
    S: Stream<Item = Result<B, warp::Error>> + Send,
    B: Buf + Send,
{
    let too_large = || Answer::text(StatusCode::PAYLOAD_TOO_LARGE, format!("over {limit} bytes\n"));
    if content_length(headers).is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut read = BytesMut::new();
    let mut body = pin!(paced(body));
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        if read.len() + chunk.len() > limit {
            return Err(too_large());
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}

/// Reads what of a body the connection may hold already, so that the answer of a request that is refused gets through: a
/// connection that closes on unread bytes is reset.
pub(crate) async fn drain<S, B>(body: S)
where
    S: Stream<Item = Result<B, warp::Error>> + Send,
    B: Buf + Send,
{
    let reading = async {
        let (mut body, mut left) = (pin!(paced(body)), MOST_DRAINED);
        while let Some(Ok(chunk)) = body.next().await {
            let Some(rest) = left.checked_sub(chunk.len()) else { break };
            left = rest;
        }
    };
    let _ = timeout(DRAINED_FOR, reading).await;
}

/// Has the chunks of a body worked off on a blocking thread, as they come, in a place of their device. What comes of it
/// counts only if the body came to its end; one that breaks off ends the chunks, too.
pub(crate) async fn worked_off<S, B, T>(
    place: Arc<DevicePlace>,
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
    let streamed = stream_into(sender, body).await;
    let done = working.await.map_err(|_| Answer::empty(StatusCode::INTERNAL_SERVER_ERROR))?;
    streamed?;
    done
}

/// Hands the body on, chunk by chunk, at the pace of whoever takes them.
async fn stream_into<S, B>(sender: mpsc::Sender<Bytes>, body: S) -> Result<(), Answer>
where
    S: Stream<Item = Result<B, warp::Error>> + Send,
    B: Buf + Send,
{
    let mut body = pin!(paced(body));
    while let Some(chunk) = body.next().await {
        // The writer has ended with an error, which is answered instead.
        if sender.send(chunk?).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The chunks of a body, or the answer to one that breaks or pauses for too long.
pub(crate) fn paced<S, B>(body: S) -> impl Stream<Item = Result<Bytes, Answer>> + Send
where
    S: Stream<Item = Result<B, warp::Error>> + Send,
    B: Buf + Send,
{
    unfold(Box::pin(body), |mut body| async {
        let chunk = match timeout(BODY_PAUSE, body.next()).await {
            Ok(None) => return None,
            Ok(Some(Ok(mut chunk))) => Ok(chunk.copy_to_bytes(chunk.remaining())),
            Ok(Some(Err(_))) => Err(Answer::empty(StatusCode::BAD_REQUEST)),
            Err(_) => Err(Answer::empty(StatusCode::REQUEST_TIMEOUT)),
        };
        Some((chunk, body))
    })
}
