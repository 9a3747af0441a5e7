//! What a pass would do between one database and one peer.

use db_broker::{BrokerError, Direction, Onlooker};
use protocol::{Course, DbState, Evidence, Metadata, RemoteInfo, ReplicationInfo, rows_between};
use serde::Serialize;

use super::node::Node;
use crate::asking::Answer;

/// A step towards a peer, with what it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Towards {
    /// Nothing about rows.
    NoChange,
    /// Each has all rows of the other by its word, and their hashes differ: that is looked into, and all rows exchanged anew if it
    /// lasts.
    Diverged,
    /// The rows that it lacks.
    Diff(Load),
    /// As many of them as one pass may send.
    DiffCapped(Load),
    /// The whole file, as it has none.
    WholeFile(Load),
    /// The whole file, to be merged there.
    RemoteMerge(Load),
    /// Rows are the sharder's, which is at work.
    Deferred,
    /// Rows are at the shards.
    Sharded,
    /// Its disk is gone: a handoff steps in.
    NotMounted,
    /// It says nothing now.
    Failure,
}

/// What goes over the wire, estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Load {
    pub(crate) rows: u64,
    /// The rows' part of the file, or all of it.
    pub(crate) bytes: u64,
}

/// One peer of one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) towards: Towards,
    /// Timestamps, metadata or the storage policy go one way or the other.
    pub(crate) exchanges_stat: bool,
}

impl Peer {
    /// Whether the pass would call it a success.
    pub(crate) fn succeeds(self) -> bool {
        !matches!(self.towards, Towards::DiffCapped(_) | Towards::NotMounted | Towards::Failure)
    }

    /// Whether the pass would count it as a failure.
    pub(crate) fn fails(self) -> bool {
        matches!(self.towards, Towards::Failure | Towards::NotMounted)
    }

    pub(crate) fn is_in_sync(self) -> bool {
        matches!(self.towards, Towards::NoChange | Towards::Sharded) && !self.exchanges_stat
    }
}

/// By the replicator's own decision, from what the peer has said.
pub(crate) fn of(
    node: &Node,
    onlooker: &mut Onlooker,
    info: &ReplicationInfo,
    file_bytes: u64,
    answer: &Answer,
) -> Result<Peer, BrokerError> {
    let nothing_else = |towards| Ok(Peer { towards, exchanges_stat: false });
    let all = Load { rows: rows_between(-1, info.max_row), bytes: file_bytes };
    let remote = match answer {
        Answer::Here(remote) => remote,
        Answer::Missing => return nothing_else(Towards::WholeFile(all)),
        Answer::NotMounted => return nothing_else(Towards::NotMounted),
        Answer::Refused(_) | Answer::Unreachable(_) => return nothing_else(Towards::Failure),
    };
    let exchanges_stat = exchanges_stat(info, remote);
    if onlooker.sharding_initiated()? {
        let is_over = info.container().is_some_and(|container| container.db_state == DbState::Sharded);
        let towards = if is_over { Towards::Sharded } else { Towards::Deferred };
        return Ok(Peer { towards, exchanges_stat });
    }
    let noted = onlooker.sync_point(Direction::Outgoing, &remote.id)?;
    let per_diff = node.conf.sync.per_diff.get();
    let towards = match Course::decide(info, remote, noted, i64::from(per_diff)) {
        Course::NoChange if has_diverged(onlooker, info, remote)? => Towards::Diverged,
        // A peer with our hash notes our last row as soon as a pass tells it, before it answers.
        Course::NoChange | Course::HashMatch { .. } => Towards::NoChange,
        Course::RemoteMerge { .. } => Towards::RemoteMerge(all),
        Course::Diff { since } => {
            let most = u64::from(per_diff) * u64::from(node.conf.sync.max_diffs.get());
            let lacking = onlooker.count_since(since, most + 1)?;
            let bytes = share(file_bytes, rows_between(since, info.max_row), all.rows);
            let rows = lacking.min(most);
            let load = Load { rows, bytes: share(bytes, rows, lacking) };
            if lacking > most { Towards::DiffCapped(load) } else { Towards::Diff(load) }
        }
    };
    Ok(Peer { towards, exchanges_stat })
}

/// As the replicator's own look at a peer to which nothing is to be sent, but for what it remembers of earlier ones.
fn has_diverged(
    onlooker: &mut Onlooker,
    info: &ReplicationInfo,
    remote: &RemoteInfo,
) -> Result<bool, BrokerError> {
    Ok(info.hash != remote.hash
        && onlooker.sync_point(Direction::Incoming, &remote.id)? >= remote.max_row
        && Evidence::of(info, remote).is_some())
}

fn exchanges_stat(info: &ReplicationInfo, remote: &RemoteInfo) -> bool {
    let policy = info.container().map(|container| container.storage_policy_index);
    remote.timestamps_differ(info)
        || info.metadata != remote.metadata
            && Metadata::readable(&info.metadata) != Metadata::readable(&remote.metadata)
        || policy.is_some() && policy != remote.storage_policy_index
}

/// The part of a file that so many of all its rows take.
fn share(file_bytes: u64, rows: u64, all: u64) -> u64 {
    let part = u128::from(file_bytes) * u128::from(rows) / u128::from(all.max(1));
    u64::try_from(part).unwrap_or(file_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_take_their_part_of_the_file() {
        assert_eq!(share(1000, 10, 40), 250);
        assert_eq!(share(1000, 0, 0), 0);
        assert_eq!(share(u64::MAX, u64::MAX, u64::MAX), u64::MAX);
    }
}
