//! What every replica must hold in the end: a naive merge of everything that was written anywhere.

use std::collections::BTreeMap;

use protocol::{ContainerRow, Metadata, ObjectRow, Rows, ServerType};
use swift_types::Timestamp;

use super::plan::{Database, Times, Write};

/// The one right outcome for a database.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Every row, tombstones included, by name and without row ids.
    pub(crate) rows: Rows<'static>,
    /// The oldest creation, the newest put and delete.
    pub(crate) times: Times,
    /// The newest value of each key.
    pub(crate) metadata: Metadata,
    /// Live rows.
    pub(crate) count: i64,
    /// Bytes in live rows.
    pub(crate) bytes: i64,
}

impl Expected {
    /// Merges all replicas of the plan.
    pub(crate) fn of(database: &Database) -> Self {
        let contents: Vec<_> = database.replicas.iter().map(|replica| &replica.contents).collect();
        let mut newest: BTreeMap<&str, Write> = BTreeMap::new();
        let mut metadata = Metadata::default();
        for contents in &contents {
            metadata.merge(contents.metadata.clone());
            for write in contents.writes.iter().chain(&contents.pending) {
                let known = newest.entry(&write.name).or_insert_with(|| write.clone());
                *known = later(database.server_type, known, write);
            }
        }
        let times = contents.iter().map(|contents| contents.times).reduce(|a, b| Times {
            created: a.created.min(b.created),
            put: a.put.max(b.put),
            delete: a.delete.max(b.delete),
        });
        let live = || newest.values().filter(|write| !is_deleted(write));
        Self {
            count: i64::try_from(live().count()).expect("a demo of fewer rows"),
            bytes: live().map(|write| write.size).sum(),
            rows: rows(database.server_type, newest.values()),
            times: times.expect("every database has a replica"),
            metadata,
        }
    }
}

/// In a container the latest change wins; an account keeps the latest put and the latest delete.
fn later(server_type: ServerType, one: &Write, other: &Write) -> Write {
    match server_type {
        ServerType::Container if moment(one) >= moment(other) => one.clone(),
        ServerType::Container => other.clone(),
        ServerType::Account => {
            Write { put: one.put.max(other.put), deleted: one.deleted.max(other.deleted), ..one.clone() }
        }
    }
}

fn moment(write: &Write) -> Timestamp {
    write.deleted.unwrap_or(write.put)
}

fn is_deleted(write: &Write) -> bool {
    write.deleted.is_some_and(|deleted| deleted > write.put)
}

/// Changes as the rows that a server would have stored for them.
pub(crate) fn rows<'a>(
    server_type: ServerType,
    writes: impl IntoIterator<Item = &'a Write>,
) -> Rows<'static> {
    match server_type {
        ServerType::Container => Rows::Objects(writes.into_iter().map(object).collect()),
        ServerType::Account => Rows::Containers(writes.into_iter().map(container).collect()),
    }
}

fn object(write: &Write) -> ObjectRow<'static> {
    let deleted = is_deleted(write);
    let (content_type, etag) = if deleted {
        ("application/deleted", "noetag".to_owned())
    } else {
        ("text/plain", format!("{:032x}", write.size))
    };
    ObjectRow {
        rowid: None,
        name: write.name.clone().into(),
        created_at: moment(write).internal().into(),
        size: write.size,
        content_type: Some(content_type.into()),
        etag: Some(etag.into()),
        deleted: i64::from(deleted),
        storage_policy_index: 0,
        ctype_timestamp: None,
        meta_timestamp: None,
    }
}

fn container(write: &Write) -> ContainerRow<'static> {
    ContainerRow {
        rowid: None,
        name: write.name.clone().into(),
        put_timestamp: Some(write.put.internal().into()),
        delete_timestamp: Some(write.deleted.unwrap_or_default().internal().into()),
        object_count: Some(write.size.min(1000)),
        bytes_used: Some(write.size),
        deleted: i64::from(is_deleted(write)),
        storage_policy_index: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(put: &str, deleted: Option<&str>, size: i64) -> Write {
        let parse = |text| Timestamp::parse(text).unwrap();
        Write { name: "n".to_owned(), put: parse(put), deleted: deleted.map(parse), size }
    }

    #[test]
    fn in_a_container_the_latest_change_wins_whatever_the_order() {
        let (old, gone, new) = (write("1", None, 5), write("1", Some("2"), 0), write("3", None, 7));
        let later = |one: &Write, other: &Write| super::later(ServerType::Container, one, other);
        assert_eq!(later(&old, &gone), gone);
        assert_eq!(later(&gone, &old), gone);
        assert_eq!(later(&gone, &new), new);
        assert_eq!(later(&new, &gone), new);
    }

    #[test]
    fn an_account_keeps_the_newest_put_and_the_newest_delete() {
        let (gone, new) = (write("1", Some("2"), 0), write("3", None, 0));
        let both = later(ServerType::Account, &gone, &new);
        assert_eq!(both, write("3", Some("2"), 0));
        assert!(!is_deleted(&both));
        assert_eq!(later(ServerType::Account, &new, &gone), both);
    }

    #[test]
    fn a_tombstone_is_stored_as_servers_store_it() {
        let Rows::Objects(rows) = rows(ServerType::Container, [&write("1", Some("2"), 0)]) else {
            unreachable!("rows of a container are objects")
        };
        assert_eq!((rows[0].deleted, &*rows[0].created_at), (1, "0000000002.00000"));
        assert_eq!(rows[0].etag.as_deref(), Some("noetag"));
    }
}
