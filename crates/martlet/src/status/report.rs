//! The answer as a whole. Its fields are the JSON document: their names stay.

use std::io::{self, Write};

use protocol::{DbState, RemoteInfo};
use serde::Serialize;
use serde_json::{Map, Value};
use swift_types::ServerType;

use super::{
    Answer, OnDisk,
    comparing::{Merged, agree, majority_hash, metadata_of, rows_behind},
    forecast::{Seen, next_pass},
    subject::{Role, Subject},
    table,
};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `ACCOUNT[/CONTAINER]`.
    pub(crate) path: String,
    #[serde(rename = "type")]
    pub(crate) server_type: ServerType,
    /// That names the directory.
    pub(crate) hash: String,
    pub(crate) partition: u64,
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
    pub(crate) fn of(subject: &Subject, mut seen: Vec<Seen<'_>>) -> Self {
        let merged = Merged::of(seen.iter().filter_map(|seen| seen.answer.here()));
        let majority_hash = majority_hash(&seen).map(str::to_owned);
        let behind: Vec<_> = (0..seen.len()).map(|own| rows_behind(subject, &seen, own)).collect();
        let on_disk: Vec<_> = seen.iter_mut().map(|seen| seen.on_disk.take()).collect();
        let replica = |(own, on_disk)| {
            let mut replica = ReplicaReport::of(&seen, own, &behind);
            replica.on_disk = on_disk;
            if let (Some(merged), Some(info)) = (&merged, seen[own].answer.here()) {
                replica.timestamps_behind = merged.timestamps_not_in(info);
                replica.metadata_keys_behind = merged.keys_not_in(info);
            }
            replica.next_pass = next_pass(subject, &seen, own);
            replica.weigh_stat_row();
            replica
        };
        Self {
            path: subject.path(),
            server_type: subject.server_type(),
            hash: subject.digest.to_string(),
            partition: subject.partition,
            agree: agree(&seen),
            majority_hash,
            replicas: on_disk.into_iter().enumerate().map(replica).collect(),
        }
    }

    /// As tables for people, or as one JSON document.
    pub(crate) fn write(&self, as_json: bool, out: &mut impl Write) -> io::Result<()> {
        if !as_json {
            return out.write_all(table::text(self).as_bytes());
        }
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}

impl ReplicaReport {
    /// Without what depends on all others' stat rows.
    fn of(seen: &[Seen<'_>], own: usize, behind: &[Vec<Option<u64>>]) -> Self {
        let (device, answer) = (&seen[own].place.device, &seen[own].answer);
        Self {
            name: seen[own].name(),
            ip: device.replication_ip.clone(),
            port: device.replication_port,
            device: device.device.clone(),
            role: seen[own].place.role,
            status: status(seen, own, behind),
            reason: match answer {
                Answer::Refused(why) | Answer::Unreachable(why) => Some(why.clone()),
                Answer::Here(_) | Answer::Missing | Answer::NotMounted => None,
            },
            db: answer.here().map(DbReport::of),
            points: points(seen, own, &behind[own]),
            timestamps_behind: Vec::new(),
            metadata_keys_behind: Vec::new(),
            on_disk: None,
            next_pass: Vec::new(),
        }
    }

    fn weigh_stat_row(&mut self) {
        let is_behind = !self.timestamps_behind.is_empty() || !self.metadata_keys_behind.is_empty();
        if self.status == Status::InSync && is_behind {
            self.status = Status::StatBehind;
        }
    }
}

fn points(seen: &[Seen<'_>], own: usize, behind: &[Option<u64>]) -> Vec<PointReport> {
    if seen[own].answer.here().is_none() {
        return Vec::new();
    }
    let others = (0..seen.len()).filter(|other| *other != own && seen[*other].answer.here().is_some());
    let point = |other: usize| PointReport {
        peer: seen[other].name(),
        point: seen[own].points[other],
        rows_behind: behind[other],
    };
    others.map(point).collect()
}

fn status(seen: &[Seen<'_>], own: usize, behind: &[Vec<Option<u64>>]) -> Status {
    let info = match &seen[own].answer {
        Answer::Here(info) => info,
        Answer::Missing => return Status::Missing,
        Answer::NotMounted => return Status::NotMounted,
        Answer::Refused(_) => return Status::Refused,
        Answer::Unreachable(_) => return Status::Unreachable,
    };
    let lacks = |of: &Vec<Option<u64>>, place: usize| of[place].is_some_and(|rows| rows > 0);
    if (0..seen.len()).any(|other| lacks(&behind[own], other)) {
        return Status::Behind;
    }
    if seen.iter().filter_map(|other| other.answer.here()).all(|other| other.hash == info.hash) {
        return Status::InSync;
    }
    if behind.iter().any(|of_other| lacks(of_other, own)) {
        return Status::Ahead;
    }
    // One of the others may be the one that lacks a third one's rows.
    if majority_hash(seen) == Some(&info.hash) { Status::InSync } else { Status::Differs }
}

impl DbReport {
    fn of(info: &RemoteInfo) -> Self {
        let metadata = metadata_of(info);
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
