use std::io::{self, Read};

use sha2::digest::DynDigest;

use crate::error::Reason;

/// Fills `buffer`; a stream that ends before that is truncated.
pub(crate) fn read_exact(
    stream: &mut impl Read,
    buffer: &mut [u8],
    within: &'static str,
) -> Result<(), Reason> {
    stream.read_exact(buffer).map_err(|error| Reason::of_stream(within, error))
}

/// Exactly `length` bytes, no more than `limit`. Memory grows with the bytes that arrive, not with the claim.
pub(crate) fn read_vec(
    stream: &mut impl Read,
    length: u64,
    limit: u64,
    within: &'static str,
) -> Result<Vec<u8>, Reason> {
    Reason::check_limit(within, length, limit)?;
    let mut bytes = Vec::new();
    stream.take(length).read_to_end(&mut bytes).map_err(|error| Reason::of_stream(within, error))?;
    if (bytes.len() as u64) < length { Err(Reason::Truncated { within }) } else { Ok(bytes) }
}

/// Feeds everything that is read through it to a checksum.
pub(crate) struct Hashed<R> {
    pub(crate) stream: R,
    pub(crate) checksum: Box<dyn DynDigest>,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.checksum.update(&buffer[..read]);
        Ok(read)
    }
}
