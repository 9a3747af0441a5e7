use std::fmt;

use serde::{Deserialize, Serialize};

use crate::lenient;

/// What a database says of itself before replication; the local side of every decision.
///
/// Serialized it has the keys of stock's `get_replication_info`, so it is also the answer to `sync`. `S` is `&str` where it is
/// read from its [packed form](crate::PackedInfo).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplicationInfo<S = String> {
    /// The account's name.
    pub account: S,
    /// When this replica was made.
    pub created_at: S,
    /// When the account or container was last created.
    pub put_timestamp: S,
    /// When it was last deleted, `0` if never.
    pub delete_timestamp: S,
    /// When its status or policy last changed.
    pub status_changed_at: S,
    /// Bytes in it.
    pub bytes_used: i64,
    /// The order-independent hash over all rows: 32 hex digits.
    pub hash: S,
    /// The id of this replica's database.
    pub id: S,
    /// Live rows.
    pub count: i64,
    /// The raw metadata text.
    pub metadata: S,
    /// The highest row id ever given, -1 if none.
    pub max_row: i64,
    /// What only one kind of database has.
    #[serde(flatten)]
    pub of: InfoOf<S>,
}

/// The part of [`ReplicationInfo`] that depends on the kind of database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum InfoOf<S = String> {
    /// Of a container.
    Container(ContainerInfo<S>),
    /// Of an account.
    Account {
        /// Objects in all containers.
        object_count: i64,
    },
}

/// What only a container's [`ReplicationInfo`] has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerInfo<S = String> {
    /// The container's name.
    pub container: S,
    /// Unused by stock since long; empty.
    pub status: S,
    /// `put_timestamp` as the account last heard it.
    pub reported_put_timestamp: S,
    /// `delete_timestamp` as the account last heard it.
    pub reported_delete_timestamp: S,
    /// The object count as the account last heard it.
    pub reported_object_count: i64,
    /// The bytes as the account last heard them.
    pub reported_bytes_used: i64,
    /// Container-sync's first point.
    pub x_container_sync_point1: i64,
    /// Container-sync's second point.
    pub x_container_sync_point2: i64,
    /// The container's policy.
    pub storage_policy_index: i64,
    /// How far sharding has come.
    pub db_state: DbState,
    /// The highest row id of the shard range table, -1 if none.
    pub shard_max_row: i64,
}

/// How far the sharding of a container has come, by its files and ranges. Stock: `get_db_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DbState {
    /// No database file.
    NotFound,
    /// One file, rows in it.
    Unsharded,
    /// A retiring and a fresh file.
    Sharding,
    /// The fresh file alone, rows live in shards.
    Sharded,
    /// The fresh file alone, shards gone again.
    Collapsed,
}

impl DbState {
    /// Whether rows move to shards, or have: the hash does not say then what a replica was sent.
    pub fn moves_rows(self) -> bool {
        matches!(self, Self::Sharding | Self::Sharded)
    }
}

impl fmt::Display for DbState {
    /// As it is on the wire and in stock's log lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not_found",
            Self::Unsharded => "unsharded",
            Self::Sharding => "sharding",
            Self::Sharded => "sharded",
            Self::Collapsed => "collapsed",
        })
    }
}

impl<S> ReplicationInfo<S> {
    /// The container's part; none for an account.
    pub fn container(&self) -> Option<&ContainerInfo<S>> {
        match &self.of {
            InfoOf::Container(info) => Some(info),
            InfoOf::Account { .. } => None,
        }
    }

    /// Whether there is no shard range, and there never was one, so that none has to be exchanged and rows stay where they
    /// are. Always so for an account.
    pub fn has_no_shards(&self) -> bool {
        self.container()
            .is_none_or(|container| container.db_state == DbState::Unsharded && container.shard_max_row < 0)
    }
}

impl ReplicationInfo {
    /// The container's name; none for an account.
    pub fn container_name(&self) -> Option<&str> {
        self.container().map(|info| info.container.as_str())
    }

    /// `account` or `account/container`, for log lines.
    pub fn path(&self) -> String {
        match self.container_name() {
            Some(container) => format!("{}/{container}", self.account),
            None => self.account.clone(),
        }
    }

    /// Whether the account has heard this container's latest numbers, so that it may be removed.
    ///
    /// Always so for an account. Stock: `report_up_to_date`.
    pub fn report_up_to_date(&self) -> bool {
        self.container().is_none_or(|info| {
            info.reported_put_timestamp == self.put_timestamp
                && info.reported_delete_timestamp == self.delete_timestamp
                && info.reported_bytes_used == self.bytes_used
                && info.reported_object_count == self.count
        })
    }
}

/// The answer to `sync`: the receiver's info, and how far it has received from the sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SyncReply<S = String> {
    /// The receiver's info as it was before the sync message was applied.
    #[serde(flatten)]
    pub info: ReplicationInfo<S>,
    /// The receiver's incoming sync point for the sender, -1 if none.
    pub point: i64,
}

/// What the sender reads out of a `sync` reply; keys it does not need are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RemoteInfo {
    /// The id of the peer's database.
    pub id: String,
    /// The peer's hash over all rows.
    pub hash: String,
    /// The peer's highest row id, -1 if none.
    #[serde(deserialize_with = "lenient::integer")]
    pub max_row: i64,
    /// How far the peer has received from us, -1 if nothing.
    #[serde(deserialize_with = "lenient::integer")]
    pub point: i64,
    /// When the peer's replica was made.
    #[serde(deserialize_with = "lenient::text")]
    pub created_at: String,
    /// The peer's put timestamp.
    #[serde(deserialize_with = "lenient::text")]
    pub put_timestamp: String,
    /// The peer's delete timestamp.
    #[serde(deserialize_with = "lenient::text")]
    pub delete_timestamp: String,
    /// When the peer's status or policy last changed.
    #[serde(default, deserialize_with = "lenient::text_or_empty")]
    pub status_changed_at: String,
    /// The peer's live rows.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub count: i64,
    /// The bytes that the peer counts.
    #[serde(default, deserialize_with = "lenient::integer_or_null")]
    pub bytes_used: Option<i64>,
    /// The peer's raw metadata text.
    #[serde(default, deserialize_with = "lenient::text_or_empty")]
    pub metadata: String,
    /// The peer's policy; absent for accounts and from peers older than policies.
    #[serde(default, deserialize_with = "lenient::integer_or_null")]
    pub storage_policy_index: Option<i64>,
    /// The peer's highest shard range row id; absent from peers older than shard ranges.
    #[serde(default, deserialize_with = "lenient::integer_or_null")]
    pub shard_max_row: Option<i64>,
    /// How far the peer's sharding has come; absent from peers older than shard ranges, or in words of a later one.
    #[serde(default, deserialize_with = "lenient::known_or_none")]
    pub db_state: Option<DbState>,
}

impl RemoteInfo {
    /// Reads the body of a 2xx answer to `sync`.
    ///
    /// # Errors
    /// The JSON error, for the log: the peer answered something that is not a sync reply.
    pub fn parse(body: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(body)
    }

    /// Whether any of the three timestamps differs from ours.
    pub fn timestamps_differ<S: AsRef<str>>(&self, local: &ReplicationInfo<S>) -> bool {
        self.created_at != local.created_at.as_ref()
            || self.put_timestamp != local.put_timestamp.as_ref()
            || self.delete_timestamp != local.delete_timestamp.as_ref()
    }

    /// Whether clients see it as gone. Stock: `_is_deleted`, without the word that account servers write into the status.
    pub fn is_deleted(&self) -> bool {
        is_deleted(&self.put_timestamp, &self.delete_timestamp, self.count)
    }
}

/// Of any replica.
pub(crate) fn is_deleted(put_timestamp: &str, delete_timestamp: &str, count: i64) -> bool {
    delete_timestamp > put_timestamp && count == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::remote;

    #[test]
    fn a_peers_sharding_is_known_by_stocks_words_and_unknown_by_others() {
        let of = |further: &str| remote(7, 7, "hash", further).db_state;
        assert_eq!(of(r#", "db_state": "sharding""#), Some(DbState::Sharding));
        assert_eq!(of(r#", "db_state": "not_found""#), Some(DbState::NotFound));
        for unknown in ["", r#", "db_state": null"#, r#", "db_state": "resharding""#, r#", "db_state": 7"#] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn rows_move_once_sharding_has_begun_and_until_the_shards_are_gone() {
        use DbState::{Collapsed, NotFound, Sharded, Sharding, Unsharded};
        let moving = [NotFound, Unsharded, Sharding, Sharded, Collapsed].map(DbState::moves_rows);
        assert_eq!(moving, [false, false, true, true, false]);
    }
}
