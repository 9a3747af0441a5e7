//! What a replica's next pass does to each peer: the replicator's own decision, from what both have said.

use protocol::{
    ContainerInfo, Course, DbState, InfoOf, Metadata, PolicyClaim, RemoteInfo, ReplicationInfo,
    adopts_remote_policy, rows_between,
};

use super::OnDisk;
use crate::{
    asking::Answer,
    subject::{Place, Role, Subject, name_of},
};

/// `per_diff` where the conf names none.
const PER_DIFF: i64 = 1000;

/// All that was found out about one replica.
pub(crate) struct Seen<'a> {
    pub(crate) place: &'a Place,
    pub(crate) answer: Answer,
    /// How far it has received from each other, in the order of the places.
    pub(crate) points: Vec<Option<i64>>,
    pub(crate) on_disk: Option<OnDisk>,
}

impl Seen<'_> {
    pub(crate) fn name(&self) -> String {
        name_of(&self.place.device)
    }
}

/// What `from` would do about rows towards `to`, which has received so far; the sender's own note of that counts for no
/// less with the replicator, and is seen on its disk only.
pub(crate) fn course(subject: &Subject, from: &RemoteInfo, to: &RemoteInfo, point: i64) -> Course {
    let to = RemoteInfo { point, ..to.clone() };
    Course::decide(&as_local(subject, from), &to, -1, PER_DIFF)
}

/// Rows of `from` that `to` has not received; some of these may be no more by now.
pub(crate) fn rows_behind(subject: &Subject, from: &RemoteInfo, to: &RemoteInfo, point: i64) -> u64 {
    match course(subject, from, to, point) {
        Course::NoChange | Course::HashMatch { .. } => 0,
        Course::RemoteMerge { since } | Course::Diff { since } => rows_between(since, from.max_row),
    }
}

/// What the pass at the place `own` does, in the order of the peers; empty where there is no database.
pub(crate) fn next_pass(subject: &Subject, seen: &[Seen<'_>], own: usize) -> Vec<String> {
    let Some(info) = seen[own].answer.here() else { return of_none(&seen[own], seen) };
    let peers = (0..seen.len()).filter(|peer| *peer != own && seen[*peer].place.role == Role::Primary);
    let mut steps: Vec<_> = peers.flat_map(|peer| towards(subject, info, &seen[peer], own)).collect();
    if seen[own].place.role == Role::Handoff {
        steps.push(if info.db_state == Some(DbState::Sharding) {
            "stays here, as it is sharding".to_owned()
        } else {
            "goes from here when all primaries have acknowledged it (handoff_delete)".to_owned()
        });
    }
    steps
}

/// Of a place that holds nothing, if it should.
fn of_none(own: &Seen<'_>, seen: &[Seen<'_>]) -> Vec<String> {
    let nobody = seen.iter().all(|other| other.answer.here().is_none());
    match own.answer {
        Answer::Missing if own.place.role == Role::Primary && !nobody => {
            vec!["is sent the whole file by whoever passes first".to_owned()]
        }
        _ => Vec::new(),
    }
}

fn towards(subject: &Subject, own: &RemoteInfo, peer: &Seen<'_>, place: usize) -> Vec<String> {
    let name = peer.name();
    let remote = match &peer.answer {
        Answer::Here(remote) => remote,
        Answer::Missing => return vec![format!("sends the whole file to {name}, which has none")],
        Answer::NotMounted => {
            return vec![format!(
                "fails towards {name}, whose disk is not mounted; a handoff takes its place"
            )];
        }
        Answer::Refused(_) | Answer::Unreachable(_) => {
            return vec![format!("fails towards {name}, if it is still as now")];
        }
    };
    let mut steps = Vec::new();
    if remote.timestamps_differ(&as_local(subject, own)) {
        steps.push(format!("exchanges timestamps with {name}"));
    }
    if Metadata::readable(&own.metadata) != Metadata::readable(&remote.metadata) {
        steps.push(format!("exchanges metadata with {name}"));
    }
    if let (Some(ours), Some(theirs)) = (PolicyClaim::of_reply(own), PolicyClaim::of_reply(remote))
        && adopts_remote_policy(&ours, &theirs)
    {
        steps.push(format!("takes storage policy {} from {name}", theirs.storage_policy_index));
    }
    if [own, remote].iter().any(|info| info.shard_max_row.is_some_and(|row| row >= 0)) {
        steps.push(format!("exchanges shard ranges with {name}"));
    }
    if own.db_state.is_some_and(DbState::moves_rows) {
        steps.push(format!("sends no rows to {name}, as they are the sharder's"));
    } else {
        let point = peer.points[place];
        steps.extend(
            point.and_then(|point| about_rows(course(subject, own, remote, point), own, remote, &name)),
        );
    }
    steps
}

fn about_rows(course: Course, own: &RemoteInfo, remote: &RemoteInfo, name: &str) -> Option<String> {
    match course {
        Course::NoChange if own.hash == remote.hash || own.max_row < 0 => None,
        Course::NoChange => Some(format!("sends no rows to {name}, which has acknowledged all of them")),
        Course::HashMatch { .. } => Some(format!("notes that {name} has all rows")),
        Course::Diff { since } => {
            Some(format!("sends the rows after {} up to {} to {name}", since.max(0), own.max_row))
        }
        Course::RemoteMerge { .. } => Some(format!("sends the whole file to {name}, where it is merged")),
    }
}

/// As the sender sees itself.
fn as_local(subject: &Subject, info: &RemoteInfo) -> ReplicationInfo {
    ReplicationInfo {
        account: subject.account.clone(),
        created_at: info.created_at.clone(),
        put_timestamp: info.put_timestamp.clone(),
        delete_timestamp: info.delete_timestamp.clone(),
        status_changed_at: info.status_changed_at.clone(),
        bytes_used: info.bytes_used.unwrap_or(0),
        hash: info.hash.clone(),
        id: info.id.clone(),
        count: info.count,
        metadata: info.metadata.clone(),
        max_row: info.max_row,
        of: match &subject.container {
            None => InfoOf::Account { object_count: 0 },
            Some(container) => InfoOf::Container(container_info(container, info)),
        },
    }
}

/// What the account was told is not in an answer that we read, and decides nothing here.
fn container_info(container: &str, info: &RemoteInfo) -> ContainerInfo {
    ContainerInfo {
        container: container.to_owned(),
        status: String::new(),
        reported_put_timestamp: String::new(),
        reported_delete_timestamp: String::new(),
        reported_object_count: 0,
        reported_bytes_used: 0,
        x_container_sync_point1: -1,
        x_container_sync_point2: -1,
        storage_policy_index: info.storage_policy_index.unwrap_or(0),
        db_state: info.db_state.unwrap_or(DbState::Unsharded),
        shard_max_row: info.shard_max_row.unwrap_or(-1),
    }
}
