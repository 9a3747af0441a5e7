//! The body of a message.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::time::timeout;
use warp::http::{HeaderMap, StatusCode, header};

use crate::answer::Answer;

/// How long a peer may pause within a body before it is given up.
pub(crate) const BODY_PAUSE: Duration = Duration::from_secs(60);

/// The whole body, if it is not larger than `limit` bytes, as many as a message may have.
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
    let mut body = std::pin::pin!(body);
    loop {
        match timeout(BODY_PAUSE, body.next()).await {
            Ok(Some(Ok(mut chunk))) => {
                if read.len() + chunk.remaining() > limit {
                    return Err(too_large());
                }
                while chunk.has_remaining() {
                    let part = chunk.chunk();
                    read.extend_from_slice(part);
                    let length = part.len();
                    chunk.advance(length);
                }
            }
            Ok(None) => return Ok(read),
            Ok(Some(Err(_))) => return Err(Answer::empty(StatusCode::BAD_REQUEST)),
            Err(_) => return Err(Answer::empty(StatusCode::REQUEST_TIMEOUT)),
        }
    }
}

pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
