//! The answer as a whole. Its fields are the JSON document: their names stay.

use protocol::{DbState, Metadata, RemoteInfo};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    OnDisk,
    comparing::{Merged, agree, majority_hash, rows_behind},
    forecast::{Seen, next_pass},
    table,
};
use crate::{
    asking::Answer,
    subject::{Head, Role, Subject},
    told::Told,
};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) head: Head,
    /// Whether all primaries are there and equal.
    pub(crate) agree: bool,
    /// Over the rows, if more primaries have it than any other.
    pub(crate) majority_hash: Option<String>,
    /// Primaries first, in the ring's order.
    pub(crate) replicas: Vec<ReplicaReport>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReplicaReport {
    /// `IP/DEVICE`.
    pub(crate) name: String,
    pub(crate) ip: String,
    pub(crate) port: u16,
    pub(crate) device: String,
    pub(crate) role: Role,
    pub(crate) status: Status,
    /// Why it says nothing.
    pub(crate) reason: Option<String>,
    pub(crate) db: Option<DbReport>,
    /// How far it has received from each other replica that is there.
    pub(crate) points: Vec<PointReport>,
    /// In which others are ahead.
    pub(crate) timestamps_behind: Vec<&'static str>,
    /// Of which others have a newer value.
    pub(crate) metadata_keys_behind: Vec<String>,
    /// Seen from its own machine only.
    pub(crate) on_disk: Option<OnDisk>,
    /// What its own next pass does, or what is done to it.
    pub(crate) next_pass: Vec<String>,
}

/// Of a replica, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Nothing is behind.
    InSync,
    /// It has not received all rows of another.
    Behind,
    /// It has all rows of the others, and others lack some of it.
    Ahead,
    /// Rows differ although all were exchanged.
    Differs,
    /// Rows are equal, timestamps or metadata are behind.
    StatBehind,
    /// No database there.
    Missing,
    /// No disk there.
    NotMounted,
    /// The node answers and does not say.
    Refused,
    /// The node does not answer.
    Unreachable,
}

#[derive(Debug, Serialize)]
pub(crate) struct DbReport {
    /// Rows that are no tombstones.
    pub(crate) rows: i64,
    pub(crate) max_row: i64,
    pub(crate) hash: String,
    pub(crate) id: String,
    /// Whether clients see it as gone.
    pub(crate) deleted: bool,
    pub(crate) created_at: String,
    pub(crate) put_timestamp: String,
    pub(crate) delete_timestamp: String,
    pub(crate) status_changed_at: String,
    pub(crate) bytes_used: Option<i64>,
    pub(crate) storage_policy_index: Option<i64>,
    pub(crate) db_state: Option<DbState>,
    /// Key to [value, timestamp].
    pub(crate) metadata: Map<String, Value>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PointReport {
    /// `IP/DEVICE` whose rows it is about.
    pub(crate) peer: String,
    /// The last of its rows that was received, -1 if none was; null if that could not be asked.
    pub(crate) point: Option<i64>,
    /// Its rows after that.
    pub(crate) rows_behind: Option<u64>,
}

impl Report {
    pub(crate) fn of(subject: &Subject, seen: &[Seen<'_>]) -> Self {
        let all = Replicas::of(subject, seen);
        Self {
            head: subject.head(),
            agree: agree(seen),
            majority_hash: majority_hash(seen).map(str::to_owned),
            replicas: (0..seen.len()).map(|own| all.report(own)).collect(),
        }
    }
}

impl Told for Report {
    fn is_as_it_should_be(&self) -> bool {
        self.agree
    }

    fn text(&self) -> String {
        table::text(self)
    }
}

/// What a report about one replica is made of: the others.
struct Replicas<'a> {
    subject: &'a Subject,
    seen: &'a [Seen<'a>],
    /// For each, how many rows of each other it lacks.
    behind: Vec<Vec<Option<u64>>>,
    merged: Option<Merged>,
}

impl<'a> Replicas<'a> {
    fn of(subject: &'a Subject, seen: &'a [Seen<'a>]) -> Self {
        Self {
            subject,
            seen,
            behind: (0..seen.len()).map(|own| rows_behind(subject, seen, own)).collect(),
            merged: Merged::of(seen.iter().filter_map(|seen| seen.answer.here())),
        }
    }

    fn report(&self, own: usize) -> ReplicaReport {
        let Seen { place, answer, on_disk, .. } = &self.seen[own];
        let stat = self.merged.as_ref().zip(answer.here());
        let timestamps_behind = stat.map_or_else(Vec::new, |(merged, info)| merged.timestamps_not_in(info));
        let metadata_keys_behind = stat.map_or_else(Vec::new, |(merged, info)| merged.keys_not_in(info));
        let is_stat_behind = !timestamps_behind.is_empty() || !metadata_keys_behind.is_empty();
        ReplicaReport {
            name: self.seen[own].name(),
            ip: place.device.replication_ip.clone(),
            port: place.device.replication_port,
            device: place.device.device.clone(),
            role: place.role,
            status: match self.status_of_rows(own) {
                Status::InSync if is_stat_behind => Status::StatBehind,
                status => status,
            },
            reason: match answer {
                Answer::Refused(why) | Answer::Unreachable(why) => Some(why.clone()),
                Answer::Here(_) | Answer::Missing | Answer::NotMounted => None,
            },
            db: answer.here().map(DbReport::of),
            points: self.points(own),
            timestamps_behind,
            metadata_keys_behind,
            on_disk: on_disk.clone(),
            next_pass: next_pass(self.subject, self.seen, own),
        }
    }

    fn points(&self, own: usize) -> Vec<PointReport> {
        if self.seen[own].answer.here().is_none() {
            return Vec::new();
        }
        let is_other = |other: &usize| *other != own && self.seen[*other].answer.here().is_some();
        let point = |other: usize| PointReport {
            peer: self.seen[other].name(),
            point: self.seen[own].points[other],
            rows_behind: self.behind[own][other],
        };
        (0..self.seen.len()).filter(is_other).map(point).collect()
    }

    /// Whatever the stat rows say.
    fn status_of_rows(&self, own: usize) -> Status {
        let info = match &self.seen[own].answer {
            Answer::Here(info) => info,
            Answer::Missing => return Status::Missing,
            Answer::NotMounted => return Status::NotMounted,
            Answer::Refused(_) => return Status::Refused,
            Answer::Unreachable(_) => return Status::Unreachable,
        };
        let lacks = |one: usize, other: usize| self.behind[one][other].is_some_and(|rows| rows > 0);
        let mut all = 0..self.seen.len();
        if all.clone().any(|other| lacks(own, other)) {
            return Status::Behind;
        }
        if self.seen.iter().filter_map(|other| other.answer.here()).all(|other| other.hash == info.hash) {
            return Status::InSync;
        }
        if all.any(|other| lacks(other, own)) {
            return Status::Ahead;
        }
        // One of the others may be the one that lacks a third one's rows.
        if majority_hash(self.seen) == Some(&info.hash) { Status::InSync } else { Status::Differs }
    }
}

impl DbReport {
    fn of(info: &RemoteInfo) -> Self {
        let metadata = Metadata::readable(&info.metadata);
        let pair = |key: &str| {
            let (value, timestamp) = metadata.get(key)?;
            Some((key.to_owned(), Value::from(vec![value, timestamp])))
        };
        Self {
            rows: info.count,
            max_row: info.max_row,
            hash: info.hash.clone(),
            id: info.id.clone(),
            deleted: info.is_deleted(),
            created_at: info.created_at.clone(),
            put_timestamp: info.put_timestamp.clone(),
            delete_timestamp: info.delete_timestamp.clone(),
            status_changed_at: info.status_changed_at.clone(),
            bytes_used: info.bytes_used,
            storage_policy_index: info.storage_policy_index,
            db_state: info.db_state,
            metadata: metadata.keys().filter_map(pair).collect(),
        }
    }
}
