//! One message on its way, and its answer.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use protocol::{BodyDigest, Capabilities, Request, Signable};
use reqwest::{Client, IntoUrl, Method, RequestBuilder, Response};

use crate::{
    Target,
    client::{CallError, Reply, SyncClient},
};

/// The largest answer that is read: all shard ranges of a very large container.
pub(crate) const MAX_REPLY_BYTES: usize = 64 << 20;

impl SyncClient {
    /// As [`replicate`](Self::replicate), for [`all`](Self::all): waits instead of blocking, and does not end by itself when
    /// stopping.
    ///
    /// # Errors
    /// [`CallError`]; an answer of any status is no error.
    pub async fn exchange(
        &self,
        target: &Target<'_>,
        request: &Request<'_>,
        timeout: Duration,
    ) -> Result<Reply, CallError> {
        let body = Bytes::from(request.to_json());
        if may_come_twice(request) {
            return self.send_on_kept(target, body, timeout).await;
        }
        let once = async {
            let sent = self.send(&self.unpooled, target, body, timeout).await;
            self.learn_reply(target, sent, timeout).await
        };
        self.unless_left_alone(&target.authority(), once).await
    }

    /// On a kept connection, and once more on a new one if that breaks.
    pub(crate) async fn send_on_kept(
        &self,
        target: &Target<'_>,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Reply, CallError> {
        let once_or_twice = async {
            let started = Instant::now();
            let mut sent = self.send(&self.http, target, body.clone(), timeout).await;
            if sent.as_ref().is_err_and(is_unanswered) {
                let left = timeout.saturating_sub(started.elapsed());
                sent = self.send(&self.unpooled, target, body, left).await;
            }
            self.learn_reply(target, sent, timeout).await
        };
        self.unless_left_alone(&target.authority(), once_or_twice).await
    }

    async fn send(
        &self,
        client: &Client,
        target: &Target<'_>,
        body: Bytes,
        timeout: Duration,
    ) -> reqwest::Result<Response> {
        let call = match self.urls.of(target) {
            Some(url) => replicate(client, url),
            // Its own error says what is wrong with the address.
            None => replicate(client, target.url()),
        };
        let call = self.signed(call, |secrets, seconds| {
            secrets.sign(Signable::message(&target.path()), seconds, BodyDigest::of(&body))
        });
        call.header("content-type", "application/json").timeout(timeout).body(body).send().await
    }

    async fn learn_reply(
        &self,
        target: &Target<'_>,
        sent: reqwest::Result<Response>,
        timeout: Duration,
    ) -> Result<Reply, CallError> {
        let response = sent.map_err(|error| self.call_error(error, timeout))?;
        let reply = self.read_reply(response, timeout).await?;
        self.abilities.learn(target.device, reply.capabilities);
        Ok(reply)
    }

    /// Reads an answer to its end, and notes whether it says that the peer does not listen to us.
    pub(crate) async fn read_reply(
        &self,
        mut response: Response,
        timeout: Duration,
    ) -> Result<Reply, CallError> {
        let capabilities = response
            .headers()
            .get(Capabilities::HEADER)
            .and_then(|value| value.to_str().ok())
            .map(Capabilities::from_header)
            .unwrap_or_default();
        if response.content_length().is_some_and(|length| length > MAX_REPLY_BYTES as u64) {
            return Err(CallError::TooLarge);
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.call_error(error, timeout))? {
            if body.len() + chunk.len() > MAX_REPLY_BYTES {
                return Err(CallError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let reply = Reply { status: response.status().as_u16(), body: body.freeze(), capabilities };
        self.note_lock(response.url().authority(), &reply);
        Ok(reply)
    }
}

/// A request by the HTTP method of all messages.
pub(crate) fn replicate(client: &Client, url: impl IntoUrl) -> RequestBuilder {
    client.request(Method::from_bytes(b"REPLICATE").expect("a token is a method"), url)
}

/// Whether a message does no more when it comes twice. Of a received file that is in place by then, the second would
/// say that it is missing.
fn may_come_twice(request: &Request<'_>) -> bool {
    match request {
        Request::Sync(_)
        | Request::MergeSyncs(_)
        | Request::MergeItems { .. }
        | Request::MergeShardRanges(_)
        | Request::GetShardRanges => true,
        Request::CompleteRsync { .. } | Request::RsyncThenMerge { .. } => false,
    }
}

/// Whether a connection that was there broke before anything of an answer came.
pub(crate) fn is_unanswered(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_connect() && !error.is_timeout()
}
