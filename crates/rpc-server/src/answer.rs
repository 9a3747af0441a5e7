use std::{io, path::Path, sync::LazyLock};

use db_broker::is_out_of_space;
use protocol::{Capabilities, Capability};
use tracing::error;
use warp::{
    Reply,
    http::{HeaderValue, StatusCode, header},
};

use crate::server::Refusal;

/// What goes back to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Body,
    /// For the metrics: rows that were merged.
    pub(crate) rows: u64,
    /// For the metrics, where something was refused that stock takes.
    pub(crate) refusal: Option<Refusal>,
}

/// The body of an answer, and with it its content type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Empty,
    Json(Vec<u8>),
    Text(String),
}

/// How many seconds a peer should stay away when the queue is full.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// What we can do beyond stock's protocol.
static CAPABILITIES: LazyLock<HeaderValue> = LazyLock::new(|| {
    let all: Capabilities = Capability::ALL.into_iter().collect();
    HeaderValue::from_str(&all.to_header()).expect("words are visible ASCII")
});

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, body: Body::Empty, rows: 0, refusal: None }
    }

    pub(crate) fn json(value: &impl serde::Serialize) -> Self {
        match protocol::to_ascii_json(value) {
            Ok(json) => Self { status: StatusCode::OK, body: Body::Json(json), rows: 0, refusal: None },
            Err(_) => Self::empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, body: Body::Text(text.into()), rows: 0, refusal: None }
    }

    pub(crate) fn refusal(status: StatusCode, refusal: Refusal, text: impl Into<String>) -> Self {
        Self { status, body: Body::Text(text.into()), rows: 0, refusal: Some(refusal) }
    }

    /// To a file that could not be written on a device; why is logged here.
    pub(crate) fn not_stored(device_dir: &Path, error: &io::Error) -> Self {
        error!("ERROR receiving into {}: {error}", device_dir.display());
        if is_out_of_space(error) {
            return Self::empty(StatusCode::INSUFFICIENT_STORAGE);
        }
        Self::empty(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The HTTP form; every answer tells what we can do beyond stock's protocol.
    pub(crate) fn into_reply(self) -> warp::reply::Response {
        let (content_type, bytes) = match self.body {
            Body::Empty => ("text/plain; charset=utf-8", Vec::new()),
            Body::Json(json) => ("application/json", json),
            Body::Text(text) => ("text/plain; charset=utf-8", text.into_bytes()),
        };
        let mut response = bytes.into_response();
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("REPLICATE"));
            }
            StatusCode::MISDIRECTED_REQUEST | StatusCode::FORBIDDEN => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        headers.insert(Capabilities::HEADER, CAPABILITIES.clone());
        response
    }
}
