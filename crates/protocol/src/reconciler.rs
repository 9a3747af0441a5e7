//! The reconciler's queue: objects that lie in another policy than their container's, as rows of containers of
//! the account `.misplaced_objects`, from which `swift-container-reconciler` takes them.

use swift_types::{BadTimestamp, RowTimestamps};

use crate::ObjectRow;

/// The account whose containers are the queue. Stock: `MISPLACED_OBJECTS_ACCOUNT`.
pub const RECONCILER_ACCOUNT: &str = ".misplaced_objects";
/// Each container of the queue is for the rows of an hour. Stock: `MISPLACED_OBJECTS_CONTAINER_DIVISOR`.
const SECONDS_PER_CONTAINER: u64 = 3600;

/// A misplaced row as it is put into the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// The container of [`RECONCILER_ACCOUNT`] that it belongs into: the hour of the row's metadata time.
    pub container: String,
    /// The row to merge there.
    pub row: ObjectRow<'static>,
}

/// The row cannot be queued; stock raises for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotQueueable {
    /// Its `created_at` is not what Swift writes.
    #[error("misplaced row {name:?}: {source}")]
    CreatedAt {
        /// The object's name.
        name: String,
        /// What is wrong.
        source: BadTimestamp,
    },
    /// Its `deleted` is neither 0 nor 1, so that nobody knows what is to be done.
    #[error("misplaced row {name:?}: deleted is {deleted}")]
    Deleted {
        /// The object's name.
        name: String,
        /// What stands there.
        deleted: i64,
    },
}

impl QueueEntry {
    /// What is queued for a misplaced row of a container whose root is `account/container`.
    ///
    /// The entry's name says where the object is and what it is called, its content type what is to be done
    /// with it, and its etag repeats the row's timestamps. Answers to stock's `get_row_to_q_entry_translator`
    /// and `get_reconciler_container_name`.
    ///
    /// # Errors
    /// [`NotQueueable`] where stock raises.
    pub fn of(row: &ObjectRow<'_>, account: &str, container: &str) -> Result<Self, NotQueueable> {
        let times = RowTimestamps::decode(&row.created_at)
            .map_err(|source| NotQueueable::CreatedAt { name: row.name.to_string(), source })?;
        let content_type = match row.deleted {
            0 => "application/x-put",
            1 => "application/x-delete",
            deleted => return Err(NotQueueable::Deleted { name: row.name.to_string(), deleted }),
        };
        let seconds = times.meta.seconds();
        Ok(Self {
            container: (seconds - seconds % SECONDS_PER_CONTAINER).to_string(),
            row: ObjectRow {
                rowid: None,
                name: format!("{}:/{account}/{container}/{}", row.storage_policy_index, row.name).into(),
                created_at: row.created_at.to_string().into(),
                size: 0,
                content_type: Some(content_type.into()),
                etag: Some(row.created_at.to_string().into()),
                deleted: 0,
                storage_policy_index: 0,
                ctype_timestamp: None,
                meta_timestamp: None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(created_at: &str, deleted: i64) -> ObjectRow<'_> {
        ObjectRow {
            rowid: Some(7),
            name: "o/ü".into(),
            created_at: created_at.into(),
            size: 12,
            content_type: Some("text/plain".into()),
            etag: Some("etag".into()),
            deleted,
            storage_policy_index: 2,
            ctype_timestamp: None,
            meta_timestamp: None,
        }
    }

    #[test]
    fn the_hour_is_that_of_the_metadata() {
        // One second before the hour, the metadata 1.5 s later.
        let entry = QueueEntry::of(&row("0000007199.00000+0+249f0", 0), "a", "c").unwrap();
        assert_eq!(entry.container, "7200");
        assert_eq!(entry.row.name, "2:/a/c/o/ü");
        assert_eq!(entry.row.etag.as_deref(), Some("0000007199.00000+0+249f0"));
        assert_eq!(entry.row.created_at, "0000007199.00000+0+249f0");
        assert_eq!(QueueEntry::of(&row("0000000001.00000", 0), "a", "c").unwrap().container, "0");
    }

    #[test]
    fn what_nobody_could_act_on_is_refused() {
        assert!(matches!(QueueEntry::of(&row("x", 0), "a", "c"), Err(NotQueueable::CreatedAt { .. })));
        assert!(matches!(QueueEntry::of(&row("1", 2), "a", "c"), Err(NotQueueable::Deleted { .. })));
    }
}
