use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use swift_types::ServerType;

use crate::lenient;

/// One row of a container database's `object` table, as it travels and as it is merged. Its texts
/// are borrowed from where they were read, if they stand there as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRow<'a> {
    /// The sender's row id; absent in rows that come from a `.pending` file.
    #[serde(rename = "ROWID", default, skip_serializing_if = "Option::is_none")]
    pub rowid: Option<i64>,
    /// The object's name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Up to three timestamps in stock's encoding (`swift_types::RowTimestamps`).
    #[serde(borrow, deserialize_with = "lenient::text")]
    pub created_at: Cow<'a, str>,
    /// Bytes.
    #[serde(deserialize_with = "lenient::integer")]
    pub size: i64,
    /// The content type, possibly with `;swift_bytes=N`.
    #[serde(borrow, deserialize_with = "lenient::text_or_null")]
    pub content_type: Option<Cow<'a, str>>,
    /// The MD5 of the object, or `noetag` in a tombstone.
    #[serde(borrow, deserialize_with = "lenient::text_or_null")]
    pub etag: Option<Cow<'a, str>>,
    /// 1 in a tombstone, else 0.
    #[serde(deserialize_with = "lenient::integer")]
    pub deleted: i64,
    /// The policy the object is stored in; absent from senders older than storage policies.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub storage_policy_index: i64,
    /// The content type's own timestamp, when not encoded in `created_at` (pending rows).
    #[serde(
        borrow,
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text_or_null"
    )]
    pub ctype_timestamp: Option<Cow<'a, str>>,
    /// The metadata's own timestamp, when not encoded in `created_at` (pending rows).
    #[serde(
        borrow,
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text_or_null"
    )]
    pub meta_timestamp: Option<Cow<'a, str>>,
}

/// One row of an account database's `container` table.
///
/// Its texts are borrowed as those of an [`ObjectRow`]. A null leaves the receiver's value in place when the row exists there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerRow<'a> {
    /// The sender's row id; absent in rows that come from a `.pending` file.
    #[serde(rename = "ROWID", default, skip_serializing_if = "Option::is_none")]
    pub rowid: Option<i64>,
    /// The container's name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// When the container was last created.
    #[serde(borrow, deserialize_with = "lenient::text_or_null")]
    pub put_timestamp: Option<Cow<'a, str>>,
    /// When the container was last deleted, `0` if never.
    #[serde(borrow, deserialize_with = "lenient::text_or_null")]
    pub delete_timestamp: Option<Cow<'a, str>>,
    /// Objects in the container.
    #[serde(deserialize_with = "lenient::integer_or_null")]
    pub object_count: Option<i64>,
    /// Bytes in the container.
    #[serde(deserialize_with = "lenient::integer_or_null")]
    pub bytes_used: Option<i64>,
    /// 1 in a tombstone, else 0.
    #[serde(deserialize_with = "lenient::integer")]
    pub deleted: i64,
    /// The container's policy; absent from senders older than storage policies.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub storage_policy_index: i64,
}

impl ObjectRow<'_> {
    /// What a stored row has, in the order in which it is read from a list.
    pub(crate) fn values(&self) -> impl Serialize {
        let Self { rowid, name, created_at, size, content_type, etag, deleted, .. } = self;
        (rowid, name, created_at, size, content_type, etag, deleted, self.storage_policy_index)
    }

    /// The same with texts of its own.
    pub fn into_owned(self) -> ObjectRow<'static> {
        ObjectRow {
            name: owned(self.name),
            created_at: owned(self.created_at),
            content_type: self.content_type.map(owned),
            etag: self.etag.map(owned),
            ctype_timestamp: self.ctype_timestamp.map(owned),
            meta_timestamp: self.meta_timestamp.map(owned),
            ..self
        }
    }
}

impl ContainerRow<'_> {
    /// All of it, in the order in which it is read from a list.
    pub(crate) fn values(&self) -> impl Serialize {
        let Self { rowid, name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted, .. } =
            self;
        let policy = self.storage_policy_index;
        (rowid, name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted, policy)
    }

    /// The same with texts of its own.
    pub fn into_owned(self) -> ContainerRow<'static> {
        ContainerRow {
            name: owned(self.name),
            put_timestamp: self.put_timestamp.map(owned),
            delete_timestamp: self.delete_timestamp.map(owned),
            ..self
        }
    }
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

/// A batch of rows of one database, in the order of their row ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Rows<'a> {
    /// Rows of a container database.
    Objects(Vec<ObjectRow<'a>>),
    /// Rows of an account database.
    Containers(Vec<ContainerRow<'a>>),
}

impl Rows<'_> {
    /// A batch without rows, for the given kind of database.
    pub fn empty(server_type: ServerType) -> Self {
        match server_type {
            ServerType::Account => Self::Containers(Vec::new()),
            ServerType::Container => Self::Objects(Vec::new()),
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Objects(rows) => rows.len(),
            Self::Containers(rows) => rows.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row id of the last row: where the next batch goes on.
    pub fn last_rowid(&self) -> Option<i64> {
        match self {
            Self::Objects(rows) => rows.last()?.rowid,
            Self::Containers(rows) => rows.last()?.rowid,
        }
    }

    /// Whether every row carries its sender's row id, as a batch with a source must.
    pub fn all_have_rowid(&self) -> bool {
        match self {
            Self::Objects(rows) => rows.iter().all(|row| row.rowid.is_some()),
            Self::Containers(rows) => rows.iter().all(|row| row.rowid.is_some()),
        }
    }
}

/// How far one replica has received from, or sent to, another: a row of `incoming_sync` or `outgoing_sync`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncPoint {
    /// The other replica's database id.
    pub remote_id: String,
    /// The highest row id of the sender that the receiver has, without gaps below it.
    #[serde(deserialize_with = "lenient::integer")]
    pub sync_point: i64,
}
