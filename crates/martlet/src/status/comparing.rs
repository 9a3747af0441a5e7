//! In what replicas differ, by the rules by which replication makes them equal.

use protocol::{Metadata, RemoteInfo};

use super::forecast::Seen;
use crate::subject::{Role, Subject};

/// What all will have in the end.
pub(crate) struct Merged {
    created_at: String,
    put_timestamp: String,
    delete_timestamp: String,
    metadata: Metadata,
}

impl Merged {
    /// None where there is no replica. Stock: `merge_timestamps`, `update_metadata`.
    pub(crate) fn of<'a>(infos: impl Iterator<Item = &'a RemoteInfo>) -> Option<Self> {
        infos.fold(None, |merged: Option<Self>, info| {
            let Some(mut merged) = merged else { return Some(Self::from_one(info)) };
            merged.created_at = merged.created_at.min(info.created_at.clone());
            merged.put_timestamp = merged.put_timestamp.max(info.put_timestamp.clone());
            merged.delete_timestamp = merged.delete_timestamp.max(info.delete_timestamp.clone());
            merged.metadata.merge(Metadata::readable(&info.metadata));
            Some(merged)
        })
    }

    fn from_one(info: &RemoteInfo) -> Self {
        Self {
            created_at: info.created_at.clone(),
            put_timestamp: info.put_timestamp.clone(),
            delete_timestamp: info.delete_timestamp.clone(),
            metadata: Metadata::readable(&info.metadata),
        }
    }

    /// The timestamps in which a replica is behind.
    pub(crate) fn timestamps_not_in(&self, info: &RemoteInfo) -> Vec<&'static str> {
        let all = [
            ("created_at", self.created_at == info.created_at),
            ("put_timestamp", self.put_timestamp == info.put_timestamp),
            ("delete_timestamp", self.delete_timestamp == info.delete_timestamp),
        ];
        all.iter().filter(|(_, equal)| !equal).map(|(name, _)| *name).collect()
    }

    /// The keys of metadata in which a replica is behind.
    pub(crate) fn keys_not_in(&self, info: &RemoteInfo) -> Vec<String> {
        let theirs = Metadata::readable(&info.metadata);
        let behind = |key: &&str| theirs.get(key) != self.metadata.get(key);
        self.metadata.keys().filter(behind).map(str::to_owned).collect()
    }
}

/// The hash that more primaries have than any other; none if there is no such.
pub(crate) fn majority_hash<'a>(seen: &'a [Seen<'_>]) -> Option<&'a str> {
    let hashes: Vec<_> =
        primaries(seen).filter_map(|primary| Some(primary.answer.here()?.hash.as_str())).collect();
    let count = |hash: &str| hashes.iter().filter(|other| **other == hash).count();
    let best = *hashes.iter().max_by_key(|hash| count(hash))?;
    let is_alone = hashes.iter().all(|other| *other == best || count(other) < count(best));
    is_alone.then_some(best)
}

/// Whether all primaries have a replica, and all of these are equal in whatever replication makes equal.
pub(crate) fn agree(seen: &[Seen<'_>]) -> bool {
    let Some(infos) = primaries(seen).map(|primary| primary.answer.here()).collect::<Option<Vec<_>>>() else {
        return false;
    };
    infos.windows(2).all(|pair| equal(pair[0], pair[1]))
}

fn equal(one: &RemoteInfo, other: &RemoteInfo) -> bool {
    one.hash == other.hash
        && one.created_at == other.created_at
        && one.put_timestamp == other.put_timestamp
        && one.delete_timestamp == other.delete_timestamp
        && one.storage_policy_index == other.storage_policy_index
        && Metadata::readable(&one.metadata) == Metadata::readable(&other.metadata)
}

fn primaries<'a, 'b>(seen: &'a [Seen<'b>]) -> impl Iterator<Item = &'a Seen<'b>> {
    seen.iter().filter(|seen| seen.place.role == Role::Primary)
}

/// How far one replica has each other's rows, in the order of the places; none for those that cannot be said.
pub(crate) fn rows_behind(subject: &Subject, seen: &[Seen<'_>], own: usize) -> Vec<Option<u64>> {
    let behind = |other: usize| {
        let (own_info, other_info) = (seen[own].answer.here()?, seen[other].answer.here()?);
        Some(super::forecast::rows_behind(subject, other_info, own_info, seen[own].points[other]?))
    };
    (0..seen.len()).map(behind).collect()
}
