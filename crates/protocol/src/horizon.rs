use std::time::Duration;

use swift_types::Timestamp;

use crate::{Metadata, RemoteInfo, ReplicationInfo, SyncArgs};

/// The latest moment that a peer may name for a database as a whole: a little ahead of our clock.
///
/// The newest timestamp wins everywhere in Swift, so one from far ahead decides for ever: it deletes a container with
/// all that is in it, against whatever is written afterwards. Stock takes any (defect D3). What is behind the clock
/// is never refused, however old, and an offset (`_…`) does not count.
///
/// Rows and shard ranges are not looked at. Each decides about one object only, and one that is refused would hold up
/// all rows behind it: they go in order, and the points have no gaps.
///
/// ```
/// use std::time::Duration;
/// use martlet_protocol::{Horizon, Request, ServerType};
/// use swift_types::Timestamp;
///
/// let now = Timestamp::parse("1700000000").unwrap();
/// let horizon = Horizon::ahead_of(now, Duration::from_secs(86_400));
/// let body = br#"["sync", 1, "", "id", "1600000000", "1600000000", "9999999999", ""]"#;
/// let Request::Sync(sync) = Request::parse(ServerType::Account, body).unwrap() else { unreachable!() };
/// assert_eq!(horizon.check_sync(&sync).unwrap_err().what, "delete_timestamp");
/// assert!(Horizon::UNBOUNDED.check_sync(&sync).is_ok());
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

    /// What a sender says of its database in `sync`.
    ///
    /// # Errors
    /// [`BeyondHorizon`], the first.
    pub fn check_sync(self, args: &SyncArgs) -> Checked {
        self.check("created_at", &args.created_at)?;
        self.check("put_timestamp", &args.put_timestamp)?;
        self.check("delete_timestamp", &args.delete_timestamp)?;
        if let Some(policy) = &args.policy {
            self.check("status_changed_at", &policy.status_changed_at)?;
        }
        self.check_metadata(&args.metadata)
    }

    /// What a peer says of its database in the answer to `sync`.
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

    /// What a received file says of its database.
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
    use crate::Request;

    const FAR: &str = "9999999999.00000";

    fn horizon() -> Horizon {
        Horizon::ahead_of(Timestamp::parse("1700000000").unwrap(), Duration::from_secs(1000))
    }

    fn refused(body: &str) -> Option<&'static str> {
        let request = Request::parse(ServerType::Container, body.as_bytes());
        let Ok(Request::Sync(sync)) = request else { panic!("{body}: {request:?}") };
        assert_eq!(Horizon::UNBOUNDED.check_sync(&sync), Ok(()));
        horizon().check_sync(&sync).err().map(|beyond| beyond.what)
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
        ] {
            assert_eq!(refused(&body), Some(what), "{body}");
        }
    }

    #[test]
    fn what_is_no_further_ahead_than_allowed_is_taken() {
        for body in [
            r#"["sync", 1, "h", "id", "0", "0", "0", ""]"#,
            r#"["sync", 1, "h", "id", "1700001000", "1700001000.00000_000000000000ffff", "1", ""]"#,
            r#"["sync", 1, "h", "id", "never", "1", "1", "not metadata"]"#,
        ] {
            assert_eq!(refused(body), None, "{body}");
        }
        let far_ahead = Horizon::ahead_of(Timestamp::parse("1700000000").unwrap(), Duration::MAX);
        assert_eq!(far_ahead.check("created_at", "9999999999"), Ok(()));
    }
}
