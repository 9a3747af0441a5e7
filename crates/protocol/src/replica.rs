use std::sync::Arc;

use crate::{
    Mark, Metadata, PolicyClaim, RemoteInfo, ReplicationInfo, SyncArgs, SyncPoint, SyncReply,
    adopts_remote_policy,
    packed::{Packer, Unpacker},
};

/// All that a receiver says, and decides, about a database that it is asked about: enough to answer again without
/// opening the file, as long as that has not changed.
///
/// In one piece of memory, as a server remembers many; cloning shares it. First the number of marks and the marks, the
/// newest first, then the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica(Arc<[u8]>);

/// Marks that are kept: one for each peer, and some for those that have changed their minds.
const MOST_MARKS: u8 = 8;

impl Replica {
    /// Of what it says of itself, and of how far it has received from others.
    pub fn new(info: &ReplicationInfo, incoming: &[SyncPoint]) -> Self {
        let mut packer = Packer::behind(&[0]);
        packer.info(info);
        packer.points(incoming);
        Self(packer.into())
    }

    /// This replica, which is in sync with what the mark stands for.
    #[must_use]
    pub fn marked(&self, mark: Mark) -> Self {
        if self.is_marked(mark) {
            return self.clone();
        }
        let (marks, rest) = self.split();
        let count = MOST_MARKS.min(self.0[0] + 1);
        let kept = &marks[..marks.len().min(usize::from(count - 1) * Mark::BYTES)];
        Self([&[count], mark.to_bytes().as_slice(), kept, rest].concat().into())
    }

    /// Whether it was found in sync with what the mark stands for.
    pub fn is_marked(&self, mark: Mark) -> bool {
        self.split().0.chunks_exact(Mark::BYTES).any(|known| known == mark.to_bytes())
    }

    /// The marks and all behind them.
    fn split(&self) -> (&[u8], &[u8]) {
        self.0[1..].split_at(usize::from(self.0[0]) * Mark::BYTES)
    }

    /// What it says of itself.
    pub fn info(&self) -> ReplicationInfo<&str> {
        Unpacker::new(self.split().1).info()
    }

    fn parts(&self, remote_id: &str) -> (ReplicationInfo<&str>, i64) {
        let mut unpacker = Unpacker::new(self.split().1);
        let info = unpacker.info();
        let point = unpacker.points().find(|(id, _)| *id == remote_id);
        (info, point.map_or(-1, |(_, point)| point))
    }

    /// The answer to `sync` where nothing of the message has to be taken over first; none if something has.
    ///
    /// Answers to stock's `_handle_sync_request` where it writes nothing.
    pub fn reply_to(&self, args: &SyncArgs) -> Option<SyncReply<&str>> {
        let (info, point) = self.parts(&args.id);
        let is_point_to_raise = args.hash == info.hash && point < args.max_row;
        if is_point_to_raise
            || !times_equal(&info, args)
            || adopts_policy(&info, args)
            // What cannot be read counts as something to learn: whoever writes says what is wrong with it.
            || learns_metadata(info.metadata, &args.metadata)
        {
            return None;
        }
        Some(SyncReply { info, point })
    }

    /// Whether neither side has anything to do: each row of the sender is here and the other way round, and all else that
    /// a `sync` and its answer exchange is equal. `args` name the policy of a container.
    ///
    /// Shard ranges are exchanged every time, so where there are any, or were, the answer is no.
    pub fn is_in_sync_with(&self, args: &SyncArgs) -> bool {
        let (info, point) = self.parts(&args.id);
        args.hash == info.hash
            && point >= args.max_row
            && times_equal(&info, args)
            && is_of_policy(&info, args)
            && metadata_equal(info.metadata, &args.metadata)
            && info.has_no_shards()
    }
}

impl AsRef<[u8]> for Replica {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn times_equal(info: &ReplicationInfo<&str>, args: &SyncArgs) -> bool {
    info.created_at == args.created_at
        && info.put_timestamp == args.put_timestamp
        && info.delete_timestamp == args.delete_timestamp
}

fn is_of_policy(info: &ReplicationInfo<&str>, args: &SyncArgs) -> bool {
    let ours = info.container().map(|container| container.storage_policy_index);
    ours == args.policy.as_ref().map(|policy| policy.storage_policy_index)
}

fn adopts_policy(info: &ReplicationInfo<&str>, args: &SyncArgs) -> bool {
    match (PolicyClaim::of_local(info), PolicyClaim::of_sync(args)) {
        (Some(local), Some(remote)) => adopts_remote_policy(&local, &remote),
        _ => false,
    }
}

impl RemoteInfo {
    /// Whether this answer to `sync` calls for nothing at all, so that the sender's own database need not be opened: all rows
    /// are there, and all else that is taken over, or sent on, is equal or not there.
    pub fn calls_for_nothing<S: AsRef<str>>(&self, local: &ReplicationInfo<S>) -> bool {
        let is_of_policy = local.container().is_none_or(|container| {
            self.storage_policy_index == Some(container.storage_policy_index)
                && self.shard_max_row.is_some_and(|row| row < 0)
        });
        self.hash == local.hash.as_ref()
            && self.point >= local.max_row
            && !self.timestamps_differ(local)
            && !learns_metadata(local.metadata.as_ref(), &self.metadata)
            && is_of_policy
            && local.has_no_shards()
    }
}

fn learns_metadata(ours: &str, theirs: &str) -> bool {
    if ours == theirs {
        return false;
    }
    match (Metadata::parse(ours), Metadata::parse(theirs)) {
        (Ok(mut ours), Ok(theirs)) => ours.merge(theirs),
        _ => true,
    }
}

/// Key by key: replicas may have got the keys in different orders.
fn metadata_equal(ours: &str, theirs: &str) -> bool {
    let parsed = |text| Metadata::parse(text).ok();
    ours == theirs || parsed(ours).is_some_and(|ours| parsed(theirs) == Some(ours))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DbState,
        fixtures::{local_account, local_container},
    };

    const METADATA: &str = r#"{"X-A": ["1", "5"], "X-B": ["2", "6"]}"#;
    const REORDERED: &str = r#"{"X-B":["2","6"],"X-A":["1","5"]}"#;

    /// That has received from two others.
    fn replica(info: &ReplicationInfo) -> Replica {
        let points = [("other", 3), ("sender", 9)]
            .map(|(id, sync_point)| SyncPoint { remote_id: id.into(), sync_point });
        Replica::new(info, &points)
    }

    fn container() -> Replica {
        replica(&ReplicationInfo { metadata: METADATA.into(), ..local_container() })
    }

    /// From a sender with the same content, nine rows under its own id.
    fn same(replica: &Replica) -> SyncArgs {
        SyncArgs { id: "sender".into(), max_row: 9, ..SyncArgs::with_policy(&replica.info()) }
    }

    #[test]
    fn an_equal_sender_is_in_sync_and_is_answered_without_a_write() {
        let replica = container();
        let args = same(&replica);
        assert!(replica.is_in_sync_with(&args));
        assert_eq!(replica.reply_to(&args), Some(SyncReply { info: replica.info(), point: 9 }));
        let reordered = SyncArgs { metadata: REORDERED.into(), ..args };
        assert!(replica.is_in_sync_with(&reordered) && replica.reply_to(&reordered).is_some());
        let account = self::replica(&local_account());
        assert!(account.is_in_sync_with(&same(&account)));
    }

    #[test]
    fn marks_are_kept_beside_what_it_says_the_newest_ones() {
        let replica = container();
        let marks: Vec<Mark> = (0..20).map(|number: u8| number.to_string().parse().unwrap()).collect();
        let marked = marks.iter().fold(replica.clone(), |replica, mark| replica.marked(*mark));
        let known: Vec<_> = marks.iter().filter(|mark| marked.is_marked(**mark)).collect();
        assert_eq!(known, marks[12..].iter().collect::<Vec<_>>());
        assert!(marked.is_in_sync_with(&same(&replica)) && !replica.is_marked(marks[19]));
        assert_eq!(marked.marked(marks[15]), marked, "once is enough");
        assert_eq!(marked.info(), replica.info());
    }

    #[test]
    fn any_difference_is_one() {
        let replica = container();
        let args = || same(&replica);
        let other_policy = |index| {
            let mut args = args();
            args.policy.as_mut().unwrap().storage_policy_index = index;
            args
        };
        let different = [
            SyncArgs { max_row: 10, ..args() },
            SyncArgs { id: "stranger".into(), ..args() },
            SyncArgs { hash: "2".repeat(32), ..args() },
            SyncArgs { created_at: "2".into(), ..args() },
            SyncArgs { put_timestamp: "2".into(), ..args() },
            SyncArgs { delete_timestamp: "2".into(), ..args() },
            SyncArgs { metadata: r#"{"X-A": ["1", "5"]}"#.into(), ..args() },
            SyncArgs { metadata: "{".into(), ..args() },
            SyncArgs { policy: None, ..args() },
            other_policy(0),
        ];
        for args in different {
            assert!(!replica.is_in_sync_with(&args), "{args:?}");
        }
    }

    #[test]
    fn what_has_shards_is_never_settled_by_comparing() {
        let sharded = |db_state, shard_max_row| {
            let mut info = local_container();
            if let crate::InfoOf::Container(container) = &mut info.of {
                (container.db_state, container.shard_max_row) = (db_state, shard_max_row);
            }
            let replica = replica(&info);
            replica.is_in_sync_with(&same(&replica))
        };
        assert!(sharded(DbState::Unsharded, -1));
        assert!(!sharded(DbState::Unsharded, 0));
        assert!(!sharded(DbState::Sharding, -1));
    }

    #[test]
    fn what_calls_for_a_write_is_not_answered_from_memory() {
        let replica = container();
        let args = || same(&replica);
        let newer_key = r#"{"X-A": ["1", "7"]}"#;
        let writes = [
            SyncArgs { id: "stranger".into(), ..args() },
            SyncArgs { max_row: 10, ..args() },
            SyncArgs { created_at: "0".into(), ..args() },
            SyncArgs { put_timestamp: "0".into(), ..args() },
            SyncArgs { delete_timestamp: "2".into(), ..args() },
            SyncArgs { metadata: newer_key.into(), ..args() },
            SyncArgs { metadata: "{".into(), ..args() },
        ];
        for args in writes {
            assert_eq!(replica.reply_to(&args), None, "{args:?}");
        }
        let other_rows = SyncArgs { hash: "2".repeat(32), max_row: 70, ..args() };
        assert_eq!(
            replica.reply_to(&other_rows).map(|reply| reply.point),
            Some(9),
            "rows are the sender's to send"
        );
        let older_key = SyncArgs { metadata: r#"{"X-A": ["0", "4"]}"#.into(), ..args() };
        assert!(replica.reply_to(&older_key).is_some() && !replica.is_in_sync_with(&older_key));
    }
}
