//! What is signed of a request, and the header that says so.

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};

use crate::{CompareMessage, FileWithMessage, MarkMessage, TransferHeaders};

/// What of a request is signed, beside its body and the time: its path, and what it says that the body is for.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    pub(crate) path: &'a str,
    /// Of those bodies only that are no JSON message.
    pub(crate) content_type: Option<&'a str>,
    /// The value of its [`deciding_header`](Self::deciding_header).
    pub(crate) deciding: Option<&'a [u8]>,
}

/// The SHA-256 of a body, or of the file in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest([u8; 32]);

/// Makes a [`BodyDigest`] of what comes in pieces.
#[derive(Clone, Default)]
pub struct BodySum(Sha256);

/// The value of [`HEADER`](Self::HEADER): `v1 SECONDS SHA256 MAC`. When the request was signed, in Unix time; the digest
/// of its body, or of the uncompressed file in it; and the HMAC-SHA256 by a secret over
///
/// ```text
/// REPLICATE\nPATH\nSECONDS\nSHA256\n
/// ```
///
/// Where the body is no JSON message `CONTENT-TYPE\n` follows, and where it is a file, `SHA256\n` of the header that
/// says what becomes of that.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    pub(crate) seconds: u64,
    pub(crate) body: BodyDigest,
    pub(crate) mac: [u8; 32],
}

/// Why a request is not listened to. Prints as the words by which its sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SignatureFault {
    /// It has no signature.
    #[error("signature missing")]
    Missing,
    /// What should be one is none.
    #[error("signature unreadable")]
    Unreadable,
    /// None of our secrets makes it, of this path and use.
    #[error("signature wrong")]
    Wrong,
    /// One does, and it was made more than [`Signature::FRESH_SECONDS`] before or after our time.
    #[error("signature stale")]
    Stale,
    /// The body that came is not the one that was signed.
    #[error("signature of another body")]
    OtherBody,
}

impl<'a> Signable<'a> {
    /// A request to that path, as it stands in the request line, with a body of that type, and the value of the type's
    /// [`deciding_header`](Self::deciding_header).
    pub fn new(path: &'a str, content_type: &'a str, deciding: Option<&'a [u8]>) -> Self {
        let (content_type, deciding) = match (content_type, Self::deciding_header(content_type)) {
            (_, Some(_)) => (Some(content_type), Some(deciding.unwrap_or_default())),
            (CompareMessage::CONTENT_TYPE | MarkMessage::CONTENT_TYPE, None) => (Some(content_type), None),
            _ => (None, None),
        };
        Self { path, content_type, deciding }
    }

    /// A JSON message to that path.
    pub fn message(path: &'a str) -> Self {
        Self { path, content_type: None, deciding: None }
    }

    /// The header that says what becomes of a body of that type, where one does.
    pub fn deciding_header(content_type: &str) -> Option<&'static str> {
        match content_type {
            FileWithMessage::CONTENT_TYPE => Some(FileWithMessage::MESSAGE),
            TransferHeaders::CONTENT_TYPE => Some(TransferHeaders::TMP_NAME),
            _ => None,
        }
    }
}

impl BodyDigest {
    /// Of a whole body.
    pub fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }
}

impl fmt::Display for BodyDigest {
    /// 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl BodySum {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all that were taken.
    pub fn finish(self) -> BodyDigest {
        BodyDigest(self.0.finalize().into())
    }
}

impl Signature {
    /// Where it stands in a request. Stock ignores it.
    pub const HEADER: &'static str = "x-martlet-signature";
    /// How far the clocks of two peers may be apart, in seconds, the time on the way included.
    pub const FRESH_SECONDS: u64 = 300;
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1 {} {} {}", self.seconds, self.body, hex::encode(self.mac))
    }
}

impl FromStr for Signature {
    type Err = SignatureFault;

    /// Only what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, SignatureFault> {
        let digest = |hex: &str| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(hex, &mut bytes).ok().map(|()| bytes)
        };
        let read = || {
            let mut words = text.strip_prefix("v1 ")?.split(' ');
            let seconds = words.next()?.parse().ok()?;
            let (body, mac) = (BodyDigest(digest(words.next()?)?), digest(words.next()?)?);
            Some(Self { seconds, body, mac })
        };
        read().filter(|read| read.to_string() == text).ok_or(SignatureFault::Unreadable)
    }
}

impl SignatureFault {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Missing, Self::Unreadable, Self::Wrong, Self::Stale, Self::OtherBody];

    /// What the body of an answer with status 403 says, if it is about a signature.
    pub fn from_answer(body: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| body.trim_ascii_end() == fault.to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn senders_understand_why_they_are_refused() {
        for fault in SignatureFault::ALL {
            assert_eq!(SignatureFault::from_answer(format!("{fault}\n").as_bytes()), Some(fault));
        }
        for other in ["", "10.0.0.9 is no address of the ring\n", "signature", "signature wrongly"] {
            assert_eq!(SignatureFault::from_answer(other.as_bytes()), None);
        }
    }

    proptest! {
        #[test]
        fn what_looks_like_one_is_read_as_it_is_written(text in "v1 [0-9+]{0,21} [0-9a-fA-F]{63,65} [0-9a-f]{64}") {
            if let Ok(read) = text.parse::<Signature>() {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }
}
