use std::time::Duration;

use swift_types::{RowTimestamps, Timestamp};

use crate::{Metadata, RemoteInfo, ReplicationInfo, Request, Rows, ShardRange};

/// The latest moment that a peer may speak of: a little ahead of our clock.
///
/// The newest timestamp wins everywhere in Swift, so one from far ahead decides for ever: it deletes a container, or
/// hides an object, against whatever is written afterwards. Stock takes any (defect D3). What is behind the clock
/// is never refused, however old, and an offset (`_…`) does not count.
///
/// ```
/// use std::time::Duration;
/// use martlet_protocol::{Horizon, Request, ServerType};
/// use swift_types::Timestamp;
///
/// let now = Timestamp::parse("1700000000").unwrap();
/// let horizon = Horizon::ahead_of(now, Duration::from_secs(86_400));
/// let body = br#"["sync", 1, "", "id", "1600000000", "1600000000", "9999999999", ""]"#;
/// let sync = Request::parse(ServerType::Account, body).unwrap();
/// assert_eq!(horizon.check_request(&sync).unwrap_err().what, "delete_timestamp");
/// assert!(Horizon::UNBOUNDED.check_request(&sync).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon(Option<Timestamp>);

/// A timestamp from too far ahead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {timestamp} is too far ahead of this node's clock")]
pub struct BeyondHorizon {
    /// Which value.
    pub what: &'static str,
    /// As it was told.
    pub timestamp: String,
}

type Checked = Result<(), BeyondHorizon>;

impl Horizon {
    /// Everything may be said, as to stock.
    pub const UNBOUNDED: Self = Self(None);

    /// So far ahead of `now`.
    pub fn ahead_of(now: Timestamp, ahead: Duration) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "seconds of this and the next centuries are exact")]
        let now = now.seconds() as f64;
        // The largest that Swift can write.
        Self(Some(Timestamp::from_seconds((now + ahead.as_secs_f64()).min(9_999_999_999.0))))
    }

    /// All timestamps of a message.
    ///
    /// # Errors
    /// [`BeyondHorizon`], the first.
    pub fn check_request(self, request: &Request) -> Checked {
        match request {
            Request::Sync(args) => {
                self.check("created_at", &args.created_at)?;
                self.check("put_timestamp", &args.put_timestamp)?;
                self.check("delete_timestamp", &args.delete_timestamp)?;
                if let Some(policy) = &args.policy {
                    self.check("status_changed_at", &policy.status_changed_at)?;
                }
                self.check_metadata(&args.metadata)
            }
            Request::MergeItems { rows, .. } => self.check_rows(rows),
            Request::MergeShardRanges(ranges) => self.check_shard_ranges(ranges),
            Request::MergeSyncs(_)
            | Request::CompleteRsync { .. }
            | Request::RsyncThenMerge { .. }
            | Request::GetShardRanges => Ok(()),
        }
    }

    /// All timestamps of an answer to `sync`.
    ///
    /// # Errors
    /// [`BeyondHorizon`], the first.
    pub fn check_remote(self, remote: &RemoteInfo) -> Checked {
        self.check("created_at", &remote.created_at)?;
        self.check("put_timestamp", &remote.put_timestamp)?;
        self.check("delete_timestamp", &remote.delete_timestamp)?;
        self.check("status_changed_at", &remote.status_changed_at)?;
        self.check_metadata(&remote.metadata)
    }

    /// What a received file says of its database as a whole; its rows are not looked at.
    ///
    /// # Errors
    /// [`BeyondHorizon`], the first.
    pub fn check_info(self, info: &ReplicationInfo) -> Checked {
        self.check("created_at", &info.created_at)?;
        self.check("put_timestamp", &info.put_timestamp)?;
        self.check("delete_timestamp", &info.delete_timestamp)?;
        self.check("status_changed_at", &info.status_changed_at)?;
        self.check_metadata(&info.metadata)
    }

    /// All timestamps of shard ranges.
    ///
    /// # Errors
    /// [`BeyondHorizon`], the first.
    pub fn check_shard_ranges(self, ranges: &[ShardRange]) -> Checked {
        ranges.iter().try_for_each(|range| {
            self.check("a shard range's timestamp", &range.timestamp)?;
            self.check("a shard range's meta_timestamp", &range.meta_timestamp)?;
            self.check("a shard range's state_timestamp", &range.state_timestamp)?;
            range.epoch.as_ref().map_or(Ok(()), |epoch| self.check("a shard range's epoch", epoch))
        })
    }

    fn check_rows(self, rows: &Rows) -> Checked {
        match rows {
            Rows::Objects(rows) => rows.iter().try_for_each(|row| self.check_created_at(&row.created_at)),
            Rows::Containers(rows) => rows.iter().try_for_each(|row| {
                let (put, delete) = (row.put_timestamp.as_ref(), row.delete_timestamp.as_ref());
                put.map_or(Ok(()), |put| self.check("a row's put_timestamp", put))?;
                delete.map_or(Ok(()), |delete| self.check("a row's delete_timestamp", delete))
            }),
        }
    }

    /// Up to three moments in one text.
    fn check_created_at(self, encoded: &str) -> Checked {
        let Ok(times) = RowTimestamps::decode(encoded) else { return Ok(()) };
        let latest = times.data.max(times.ctype).max(times.meta);
        if self.reaches(latest) { Ok(()) } else { Err(beyond("a row's created_at", encoded)) }
    }

    fn check_metadata(self, text: &str) -> Checked {
        let Ok(metadata) = Metadata::parse(text) else { return Ok(()) };
        metadata.timestamps().try_for_each(|timestamp| self.check("the timestamp of metadata", timestamp))
    }

    /// What is no timestamp is for others to refuse.
    fn check(self, what: &'static str, text: &str) -> Checked {
        match Timestamp::parse(text) {
            Ok(timestamp) if !self.reaches(timestamp) => Err(beyond(what, text)),
            _ => Ok(()),
        }
    }

    fn reaches(self, timestamp: Timestamp) -> bool {
        self.0.is_none_or(|latest| timestamp.raw() <= latest.raw())
    }
}

fn beyond(what: &'static str, timestamp: &str) -> BeyondHorizon {
    BeyondHorizon { what, timestamp: timestamp.to_owned() }
}

#[cfg(test)]
mod tests {
    use swift_types::ServerType;

    use super::*;

    const FAR: &str = "9999999999.00000";

    fn horizon() -> Horizon {
        Horizon::ahead_of(Timestamp::parse("1700000000").unwrap(), Duration::from_secs(1000))
    }

    fn object(created_at: &str) -> String {
        format!(
            r#"["merge_items", [{{"ROWID": 1, "name": "o", "created_at": "{created_at}", "size": 1,
                "content_type": "", "etag": "", "deleted": 0, "storage_policy_index": 0}}], "s"]"#
        )
    }

    fn container(put: &str, delete: &str) -> String {
        format!(
            r#"["merge_items", [{{"ROWID": 1, "name": "c", "put_timestamp": "{put}", "delete_timestamp": "{delete}",
                "object_count": 0, "bytes_used": 0, "deleted": 0, "storage_policy_index": 0}}], "s"]"#
        )
    }

    fn range(times: [&str; 4]) -> String {
        let [timestamp, meta, state, epoch] = times;
        format!(
            r#"["merge_shard_ranges", [{{"name": "a/s", "timestamp": "{timestamp}", "lower": "", "upper": "",
                "object_count": 0, "bytes_used": 0, "meta_timestamp": "{meta}", "deleted": 0, "state": 1,
                "state_timestamp": "{state}", "epoch": "{epoch}", "reported": 0, "tombstones": 0}}]]"#
        )
    }

    fn refused(server_type: ServerType, body: &str) -> Option<&'static str> {
        let request = Request::parse(server_type, body.as_bytes()).unwrap_or_else(|e| panic!("{body}: {e}"));
        assert_eq!(Horizon::UNBOUNDED.check_request(&request), Ok(()));
        horizon().check_request(&request).err().map(|beyond| beyond.what)
    }

    #[test]
    fn each_timestamp_of_a_message_is_looked_at() {
        let meta = format!(r#"{{\"X-Container-Meta-A\": [\"1\", \"{FAR}\"]}}"#);
        let sync = |times: [&str; 3], meta: &str, status: &str| {
            let [created, put, delete] = times;
            format!(r#"["sync", 1, "h", "id", "{created}", "{put}", "{delete}", "{meta}", "{status}", 0, 0]"#)
        };
        for (body, what) in [
            (sync([FAR, "1", "0"], "", "1"), "created_at"),
            (sync(["1", FAR, "0"], "", "1"), "put_timestamp"),
            (sync(["1", "1", "1700001001"], "", "1"), "delete_timestamp"),
            (sync(["1", "1", "0"], "", FAR), "status_changed_at"),
            (sync(["1", "1", "0"], &meta, "1"), "the timestamp of metadata"),
            (object(FAR), "a row's created_at"),
            (object("1700000000.00000+0+ffffffffff"), "a row's created_at"),
            (range([FAR, "1", "1", "1"]), "a shard range's timestamp"),
            (range(["1", FAR, "1", "1"]), "a shard range's meta_timestamp"),
            (range(["1", "1", FAR, "1"]), "a shard range's state_timestamp"),
            (range(["1", "1", "1", FAR]), "a shard range's epoch"),
        ] {
            assert_eq!(refused(ServerType::Container, &body), Some(what), "{body}");
        }
        for (body, what) in [
            (container(FAR, "0"), "a row's put_timestamp"),
            (container("1", FAR), "a row's delete_timestamp"),
        ] {
            assert_eq!(refused(ServerType::Account, &body), Some(what), "{body}");
        }
    }

    #[test]
    fn what_is_no_further_ahead_than_allowed_is_taken() {
        for body in [
            r#"["sync", 1, "h", "id", "0", "0", "0", ""]"#.to_owned(),
            r#"["sync", 1, "h", "id", "1700001000", "1700001000.00000_000000000000ffff", "1", ""]"#
                .to_owned(),
            r#"["sync", 1, "h", "id", "never", "1", "1", "not metadata"]"#.to_owned(),
            object("1700000999.00000_f+5+5"),
            object("0000000001.00000"),
            range(["1", "1", "1", "1700001000"]),
            r#"["get_shard_ranges"]"#.to_owned(),
        ] {
            assert_eq!(refused(ServerType::Container, &body), None, "{body}");
        }
        let far_ahead = Horizon::ahead_of(Timestamp::parse("1700000000").unwrap(), Duration::MAX);
        let sync =
            Request::parse(ServerType::Account, br#"["sync", 1, "", "i", "9999999999", "1", "1", ""]"#);
        assert_eq!(far_ahead.check_request(&sync.unwrap()), Ok(()));
    }
}
