//! Short questions between Martlet peers about databases that were compared before.

use std::{fmt, fmt::Write as _, str::FromStr};

use serde::de::Error as _;
use swift_types::{DeviceName, Digest};
use twox_hash::XxHash3_128;

use crate::{BadRequest, PackedInfo};

/// Stands for all that a sender says of a database, towards a peer that has heard it and found itself in sync.
///
/// Nothing can be learned from it but that it is the same as another of the same sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u128);

/// What a sender makes its marks with, anew in each process, so that nobody can look for two databases that have the same.
#[derive(Clone, Copy, Debug)]
pub struct MarkKey(u64);

impl MarkKey {
    /// Of a number that nobody else knows.
    pub fn new(secret: u64) -> Self {
        Self(secret)
    }

    /// The mark of what a database says of itself.
    pub fn mark(self, info: &PackedInfo) -> Mark {
        Mark(XxHash3_128::oneshot_with_seed(self.0, info.as_ref()))
    }
}

impl Mark {
    /// Bytes that a peer needs to remember it.
    pub(crate) const BYTES: usize = size_of::<u128>();

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for Mark {
    /// 32 digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Mark {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// A database as it was compared before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// The peer's device.
    pub device: DeviceName,
    /// The partition.
    pub partition: u64,
    /// The hash that names the database.
    pub digest: Digest,
    /// The sender's mark of it.
    pub mark: Mark,
}

/// The message that asks a peer whether databases still are what they were when it found them in sync with what the marks stand for:
/// REPLICATE on `/` with [`CONTENT_TYPE`](Self::CONTENT_TYPE).
///
/// A line for each database, `DEVICE/PARTITION/HASH/MARK`. The answer has a letter for each in the same order, `=` for yes; it
/// is shorter where the peer has run out of time. The peer opens nothing for it: any other database is to be
/// [compared](crate::CompareMessage).
#[derive(Clone, Debug, Default)]
pub struct MarkMessage {
    lines: String,
    count: usize,
}

impl MarkMessage {
    /// Tells it from a message about one database.
    pub const CONTENT_TYPE: &'static str = "application/vnd.martlet.marks";
    /// Databases that one question may be about; more are refused.
    pub const MOST: usize = 1024;
    /// The letter for a database that still is the same.
    pub const SAME: u8 = b'=';
    /// The letter for any other.
    pub const OTHER: u8 = b'?';

    /// Adds a database.
    pub fn add(&mut self, device: &str, partition: u64, digest: Digest, mark: Mark) {
        // Writing to a string does not fail.
        let _ = writeln!(self.lines, "{device}/{partition}/{digest}/{mark}");
        self.count += 1;
    }

    /// How many databases it is about.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it is about none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The body of the question.
    pub fn into_body(self) -> String {
        self.lines
    }

    /// Reads a question.
    ///
    /// # Errors
    /// [`BadRequest`] if a line is none, there are more than [`MOST`](Self::MOST), or a name could leave its directory.
    pub fn parse(body: &[u8]) -> Result<Vec<Marked>, BadRequest> {
        let text = str::from_utf8(body).map_err(serde_json::Error::custom)?;
        let lines = text.lines();
        if lines.clone().count() > Self::MOST {
            return Err(serde_json::Error::custom(format_args!("over {} databases", Self::MOST)).into());
        }
        let marked = |line: &str| {
            let start = || line.chars().take(200).collect::<String>();
            Marked::parse(line).ok_or_else(|| {
                serde_json::Error::custom(format_args!("not a marked database: {:?}", start())).into()
            })
        };
        lines.map(marked).collect()
    }
}

impl Marked {
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split('/');
        let marked = Self {
            device: parts.next()?.parse().ok()?,
            partition: parts.next()?.parse().ok()?,
            digest: parts.next()?.parse().ok()?,
            mark: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(marked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::local_container;

    fn digest() -> Digest {
        "0123456789abcdef0123456789abcdef".parse().unwrap()
    }

    #[test]
    fn a_question_comes_through_as_it_was_asked() {
        let mark = MarkKey::new(7).mark(&PackedInfo::new(&local_container()));
        let mut message = MarkMessage::default();
        for partition in 0..3 {
            message.add("sdb1", partition, digest(), mark);
        }
        let read = MarkMessage::parse(message.clone().into_body().as_bytes()).unwrap();
        let device: DeviceName = "sdb1".parse().unwrap();
        let marked = |partition| Marked { device: device.clone(), partition, digest: digest(), mark };
        assert_eq!((read, message.len()), ((0..3).map(marked).collect(), 3));
    }

    #[test]
    fn what_is_too_much_or_unsafe_is_refused() {
        let mut message = MarkMessage::default();
        message.add("sdb1", 7, digest(), Mark(5));
        let line = message.into_body().trim_end().to_owned();
        for bad in [
            line.replace("sdb1", ".."),
            line.replace("sdb1/", ""),
            line.replace("/7/", "/-7/"),
            line.replace("/0123", "/"),
            line.replace("0005", "000x"),
            format!("{line}/more"),
            format!("{line}\n\n"),
            "\u{e9}".to_owned(),
        ] {
            assert!(MarkMessage::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(MarkMessage::parse(b"\xff").is_err());
        let most = format!("{line}\n").repeat(MarkMessage::MOST);
        assert_eq!(MarkMessage::parse(most.as_bytes()).unwrap().len(), MarkMessage::MOST);
        let over = MarkMessage::parse(format!("{most}{line}").as_bytes()).unwrap_err();
        assert!(over.to_string().contains("over 1024"), "{over}");
    }

    #[test]
    fn any_difference_makes_another_mark_and_so_does_another_key() {
        let key = MarkKey::new(7);
        let mark = key.mark(&PackedInfo::new(&local_container()));
        let changed = [
            crate::ReplicationInfo { max_row: 1 << 40, ..local_container() },
            crate::ReplicationInfo { hash: "2".repeat(32), ..local_container() },
            crate::ReplicationInfo { metadata: "{}".into(), ..local_container() },
            crate::ReplicationInfo { id: "other".into(), ..local_container() },
        ];
        for info in changed {
            assert_ne!(key.mark(&PackedInfo::new(&info)), mark, "{info:?}");
        }
        assert_ne!(MarkKey::new(8).mark(&PackedInfo::new(&local_container())), mark);
        assert_eq!(mark.to_string().parse(), Ok(mark));
    }
}
