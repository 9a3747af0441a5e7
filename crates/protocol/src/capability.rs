/// Something that a peer can do beyond stock's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// It takes a whole database file as the body of a request ([`TransferHeaders`]).
    WholeFile,
    /// It takes the file and the message that uses it in one request ([`FileWithMessage`](crate::FileWithMessage)).
    FileWithMessage,
    /// It takes batches of more than `per_diff` rows, and with the last one the points that stock's senders tell in a message
    /// of their own.
    RowBatches,
    /// It compares many databases in one request ([`CompareMessage`](crate::CompareMessage)).
    Compare,
    /// It tells which of many databases still are as it has compared them ([`MarkMessage`](crate::MarkMessage)).
    Marks,
    /// It reads rows without the names of their columns ([`RowForm::List`](crate::RowForm::List)).
    RowLists,
}

impl Capability {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::WholeFile,
        Self::FileWithMessage,
        Self::RowBatches,
        Self::Compare,
        Self::Marks,
        Self::RowLists,
    ];

    /// Its word in the header.
    pub const fn word(self) -> &'static str {
        match self {
            Self::WholeFile => "whole-file",
            Self::FileWithMessage => "file-with-message",
            Self::RowBatches => "row-batches",
            Self::Compare => "compare",
            Self::Marks => "marks",
            Self::RowLists => "row-lists",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What a peer can do beyond stock's protocol, told by a header on each of its REPLICATE answers; by default nothing.
///
/// A header rather than a key of the reply, because a peer without the database answers 404 with no JSON,
/// and that is the very case in which a whole file is sent. Stock ignores headers it does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// The header's name, lower case.
    pub const HEADER: &'static str = "x-martlet-capabilities";

    /// Whether this is among them.
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// The header's value: comma separated words.
    pub fn to_header(self) -> String {
        let told: Vec<_> =
            Capability::ALL.into_iter().filter(|can| self.has(*can)).map(Capability::word).collect();
        told.join(", ")
    }

    /// Reads a header's value; unknown words are for later versions and ignored.
    pub fn from_header(value: &str) -> Self {
        let told = |can: &Capability| value.split(',').any(|word| word.trim() == can.word());
        Capability::ALL.into_iter().filter(told).collect()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().fold(0, |bits, can| bits | can.bit()))
    }
}

/// How a whole database file travels to a Martlet peer that takes no [`FileWithMessage`](crate::FileWithMessage): REPLICATE on the database's own path with
/// [`CONTENT_TYPE`](Self::CONTENT_TYPE), the file as the body, and these headers. It lands in `DEVICE/tmp`;
/// the usual `complete_rsync` or `rsync_then_merge` follows.
pub struct TransferHeaders;

impl TransferHeaders {
    /// Tells a file from a JSON message.
    pub const CONTENT_TYPE: &'static str = "application/vnd.martlet.database";
    /// The name to receive under in `DEVICE/tmp`: the sender's database id.
    pub const TMP_NAME: &'static str = "x-martlet-tmp-name";
    /// SHA-256 of the body in lower-case hex; what arrives otherwise is thrown away.
    pub const SHA256: &'static str = "x-martlet-sha256";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_round_trips_and_tolerates_the_future() {
        let all: Capabilities = Capability::ALL.into_iter().collect();
        assert_eq!(Capabilities::from_header(&all.to_header()), all);
        let some = Capabilities::from_header("later, whole-file,compare");
        assert_eq!(some.to_header(), "whole-file, compare");
        assert!(some.has(Capability::Compare) && !some.has(Capability::RowBatches));
        assert_eq!(Capabilities::from_header(""), Capabilities::default());
    }

    #[test]
    fn a_peer_of_the_first_version_takes_files_alone() {
        let first: Capabilities = [Capability::WholeFile].into_iter().collect();
        assert_eq!(Capabilities::from_header("whole-file"), first);
        assert_eq!(first.to_header(), "whole-file");
    }
}
