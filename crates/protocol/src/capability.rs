/// What a peer can do beyond stock's protocol, told by a header on each of its REPLICATE answers.
///
/// A header rather than a key of the reply, because a peer without the database answers 404 with no JSON,
/// and that is the very case in which a whole file is sent. Stock ignores headers it does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The peer takes a whole database file as the body of a request ([`TransferHeaders`]).
    pub whole_file: bool,
    /// The peer takes the file and the message that uses it in one request ([`FileWithMessage`](crate::FileWithMessage)).
    pub file_with_message: bool,
    /// The peer takes batches of more than `per_diff` rows, and with the last one the points that stock's senders tell
    /// in a message of their own.
    pub row_batches: bool,
    /// The peer compares many databases in one request ([`CompareMessage`](crate::CompareMessage)).
    pub compare: bool,
}

const WHOLE_FILE: &str = "whole-file";
const FILE_WITH_MESSAGE: &str = "file-with-message";
const ROW_BATCHES: &str = "row-batches";
const COMPARE: &str = "compare";

impl Capabilities {
    /// The header's name, lower case.
    pub const HEADER: &'static str = "x-martlet-capabilities";

    /// Everything this build offers.
    pub const OURS: Self =
        Self { whole_file: true, file_with_message: true, row_batches: true, compare: true };

    /// The header's value: comma separated words.
    pub fn to_header(self) -> String {
        let words = [
            (WHOLE_FILE, self.whole_file),
            (FILE_WITH_MESSAGE, self.file_with_message),
            (ROW_BATCHES, self.row_batches),
            (COMPARE, self.compare),
        ];
        let told: Vec<_> = words.into_iter().filter_map(|(word, is_told)| is_told.then_some(word)).collect();
        told.join(", ")
    }

    /// Reads a header's value; unknown words are for later versions and ignored.
    pub fn from_header(value: &str) -> Self {
        let tells = |wanted| value.split(',').any(|word| word.trim() == wanted);
        Self {
            whole_file: tells(WHOLE_FILE),
            file_with_message: tells(FILE_WITH_MESSAGE),
            row_batches: tells(ROW_BATCHES),
            compare: tells(COMPARE),
        }
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
        assert_eq!(Capabilities::from_header(&Capabilities::OURS.to_header()), Capabilities::OURS);
        assert!(Capabilities::from_header("later, whole-file").whole_file);
        assert_eq!(Capabilities::from_header(""), Capabilities::default());
    }

    #[test]
    fn a_peer_of_the_first_version_takes_files_alone() {
        let first = Capabilities { whole_file: true, ..Capabilities::default() };
        assert_eq!(Capabilities::from_header("whole-file"), first);
        assert_eq!(first.to_header(), "whole-file");
    }
}
