//! What the server reads of a request before its body, each part alone and without a connection: so that anything can be tried on
//! it.

use bytes::{Bytes, BytesMut};
use protocol::Request;
use swift_types::{DeviceName, Digest, ServerType, TmpName};
use warp::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    answer::Answer,
    body::content_length,
    file_with_message::Incoming,
    first_request::{Beginning, MAX_LINE, sort},
    receive::ComingFile,
    target::RpcTarget,
};

/// Whose a connection is by the bytes with which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// They do not tell yet.
    MoreBytesNeeded,
    /// Ours to answer, or to refuse.
    Ours,
    /// Stock's: it goes there byte by byte.
    Stocks {
        /// The request line with its end.
        line: Bytes,
        /// What came behind it.
        rest: Bytes,
        /// Method and path as the log has them.
        name: String,
    },
}

impl Whose {
    /// Bytes by which it can always be told.
    pub const DECIDED_BY: usize = MAX_LINE;

    /// Of a connection that begins with these.
    pub fn of(bytes: &[u8]) -> Self {
        match sort(&mut BytesMut::from(bytes)) {
            None => Self::MoreBytesNeeded,
            Some(Beginning::Ours(_)) => Self::Ours,
            Some(Beginning::Other(first)) => {
                let name = first.name();
                Self::Stocks { line: first.line, rest: first.rest, name }
            }
        }
    }
}

/// The device, the partition and the hash that a path names.
///
/// # Errors
/// What is wrong with it.
pub fn target(path: &str) -> Result<(DeviceName, u64, Digest), String> {
    RpcTarget::parse(path).map(|RpcTarget { device, partition, digest }| (device, partition, digest))
}

/// The headers of a request. Names are lower case.
#[derive(Clone, Debug, Default)]
pub struct Headers(HeaderMap);

impl Headers {
    /// Of pairs, without those that could not come by HTTP.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let pairs = pairs.into_iter().filter_map(|(name, value)| {
            Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
        });
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        Self(headers)
    }

    /// The length of a body, in bytes, as it is told: before a question about many databases is read it is held against the limit.
    pub fn body_length(&self) -> Option<u64> {
        content_length(&self.0)
    }

    /// The message that came with a file, and the length of the file in bytes.
    ///
    /// # Errors
    /// The status with which it is refused.
    pub fn file_with_message(&self, server_type: ServerType) -> Result<(Request<'static>, u64), u16> {
        let refused = |answer: Answer| answer.status.as_u16();
        let incoming = Incoming::parse(server_type, &self.0).map_err(refused)?;
        Ok((incoming.request, incoming.length))
    }

    /// Under which name a file that comes alone is to lie in `tmp`, and its length in bytes.
    ///
    /// # Errors
    /// The status with which it is refused.
    pub fn file_alone(&self) -> Result<(TmpName, u64), u16> {
        let coming = ComingFile::parse(&self.0).map_err(|answer| answer.status.as_u16())?;
        Ok((coming.name, coming.length))
    }
}
