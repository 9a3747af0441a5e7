use twox_hash::XxHash3_128;

/// How a whole database file travels to a Martlet peer together with the message that uses it: REPLICATE on the
/// database's own path with [`CONTENT_TYPE`](Self::CONTENT_TYPE) and these headers. The body is the file, and behind
/// it the file's [`Checksum`], so that it is read once; both compressed where `content-encoding` is [`ZSTD`](Self::ZSTD).
///
/// The answer is that to the message, or says why the file was not taken.
pub struct FileWithMessage;

impl FileWithMessage {
    /// Tells it from a JSON message and from a file alone.
    pub const CONTENT_TYPE: &'static str = "application/vnd.martlet.database-with-message";
    /// `complete_rsync` or `rsync_then_merge` in JSON, as it would be a body of its own.
    pub const MESSAGE: &'static str = "x-martlet-message";
    /// Bytes of the file, uncompressed and without the checksum.
    pub const LENGTH: &'static str = "x-martlet-length";
    /// The one encoding of a body, with windows of no more than 2 to the power of [`WINDOW_LOG`](Self::WINDOW_LOG) bytes.
    pub const ZSTD: &'static str = "zstd";
    /// What a receiver sets aside for the window of one body at most: 4 MiB.
    pub const WINDOW_LOG: u32 = 22;
}

/// The checksum of a file on its way: XXH3 of 128 bits, as rsync uses it. It finds damage, not malice: who can change
/// the file can change the checksum.
pub struct Checksum(XxHash3_128);

impl Checksum {
    /// How many bytes of it follow the file.
    pub const BYTES: usize = 16;

    /// Takes the next bytes of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// As it is sent, of all bytes that were taken.
    pub fn finish(&self) -> [u8; Self::BYTES] {
        self.0.finish_128().to_be_bytes()
    }
}

impl Default for Checksum {
    /// Of no bytes yet.
    fn default() -> Self {
        Self(XxHash3_128::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_matter_and_every_bit_does() {
        let sum = |pieces: &[&[u8]]| {
            let mut sum = Checksum::default();
            for piece in pieces {
                sum.update(piece);
            }
            sum.finish()
        };
        // xxhsum -H128 of no bytes
        assert_eq!(sum(&[]), 0x99aa_06d3_0147_98d8_6001_c324_468d_497f_u128.to_be_bytes());
        assert_eq!(sum(&[b"SQLite ", b"format"]), sum(&[b"SQLite format"]));
        assert_ne!(sum(&[b"SQLite format"]), sum(&[b"SQLite fosmat"]));
    }
}
