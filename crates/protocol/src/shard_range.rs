use serde::{Deserialize, Serialize};

use crate::lenient;

/// One row of a container's `shard_range` table, as it travels and as it is merged.
///
/// Answers to the dictionary form of stock's `ShardRange`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRange {
    /// `account/container` of the shard (or of the container itself: its own range).
    pub name: String,
    /// When the range was made.
    #[serde(deserialize_with = "lenient::text")]
    pub timestamp: String,
    /// Exclusive lower bound; empty is the minimum.
    #[serde(deserialize_with = "lenient::text_or_empty")]
    pub lower: String,
    /// Inclusive upper bound; empty is the maximum.
    #[serde(deserialize_with = "lenient::text_or_empty")]
    pub upper: String,
    /// Objects in the shard.
    #[serde(deserialize_with = "lenient::integer")]
    pub object_count: i64,
    /// Bytes in the shard.
    #[serde(deserialize_with = "lenient::integer")]
    pub bytes_used: i64,
    /// When count, bytes and tombstones were set.
    #[serde(deserialize_with = "lenient::text")]
    pub meta_timestamp: String,
    /// 1 when deleted.
    #[serde(deserialize_with = "lenient::integer")]
    pub deleted: i64,
    /// A [`ShardState`] by number.
    #[serde(deserialize_with = "lenient::integer")]
    pub state: i64,
    /// When the state was set.
    #[serde(deserialize_with = "lenient::text")]
    pub state_timestamp: String,
    /// The sharding epoch of an own range.
    #[serde(deserialize_with = "lenient::text_or_null")]
    pub epoch: Option<String>,
    /// 1 when the root has heard of it; absent from older senders.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub reported: i64,
    /// Tombstones in the shard, -1 unknown; absent from older senders.
    #[serde(default = "unknown", deserialize_with = "lenient::integer")]
    pub tombstones: i64,
}

fn unknown() -> i64 {
    -1
}

/// Numbers of the states that decide something for replication.
pub struct ShardState;

impl ShardState {
    /// What a range without a state counts as.
    pub const FOUND: i64 = 10;
    /// The state of an own range that was never sharded.
    pub const ACTIVE: i64 = 40;
    /// Own-range states in which rows are moving, or have moved, to shards.
    pub const CLEAVING: [i64; 4] = [50, 60, 70, 80];
}

impl ShardRange {
    /// Reads the body of a 2xx answer to `get_shard_ranges`.
    ///
    /// # Errors
    /// The JSON error, for the log.
    pub fn parse_list(body: &[u8]) -> serde_json::Result<Vec<Self>> {
        serde_json::from_slice(body)
    }

    /// Folds into `self` what takes precedence in `existing`; true if `self` still has anything newer.
    ///
    /// Answers to stock's `merge_shards`.
    pub fn merge_existing(&mut self, existing: &Self) -> bool {
        if existing.timestamp < self.timestamp {
            self.reported = 0;
            return true;
        }
        if existing.timestamp > self.timestamp {
            return false;
        }
        self.lower.clone_from(&existing.lower);
        self.upper.clone_from(&existing.upper);
        self.deleted = existing.deleted;
        let newer_meta = self.merge_meta(existing);
        let newly_reported = self.merge_reported(existing);
        let newer_state = self.merge_state(existing);
        newer_meta || newly_reported || newer_state
    }

    fn merge_meta(&mut self, existing: &Self) -> bool {
        if existing.meta_timestamp < self.meta_timestamp {
            return true;
        }
        self.object_count = existing.object_count;
        self.bytes_used = existing.bytes_used;
        self.meta_timestamp.clone_from(&existing.meta_timestamp);
        self.tombstones = existing.tombstones;
        false
    }

    fn merge_reported(&mut self, existing: &Self) -> bool {
        let same = existing.object_count == self.object_count
            && existing.bytes_used == self.bytes_used
            && existing.tombstones == self.tombstones
            && existing.state == self.state
            && existing.epoch == self.epoch;
        if existing.reported != 0 && same {
            self.reported = 1;
            return false;
        }
        self.reported != 0 && existing.reported == 0
    }

    fn merge_state(&mut self, existing: &Self) -> bool {
        if existing.state_timestamp == self.state_timestamp && self.state > existing.state {
            return true;
        }
        if existing.state_timestamp < self.state_timestamp {
            return true;
        }
        self.state = existing.state;
        self.state_timestamp.clone_from(&existing.state_timestamp);
        self.epoch.clone_from(&existing.epoch);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(timestamp: &str, meta: &str, state: (i64, &str), epoch: Option<&str>) -> ShardRange {
        ShardRange {
            name: "a/c".into(),
            timestamp: timestamp.into(),
            lower: String::new(),
            upper: String::new(),
            object_count: 1,
            bytes_used: 2,
            meta_timestamp: meta.into(),
            deleted: 0,
            state: state.0,
            state_timestamp: state.1.into(),
            epoch: epoch.map(str::to_owned),
            reported: 0,
            tombstones: -1,
        }
    }

    #[test]
    fn each_part_merges_by_its_own_timestamp() {
        let existing = range("1", "5", (40, "5"), None);
        let mut newer_state = range("1", "4", (50, "6"), Some("6"));
        newer_state.object_count = 9;
        assert!(newer_state.merge_existing(&existing));
        assert_eq!(
            (newer_state.object_count, newer_state.state),
            (1, 50),
            "old meta is replaced, new state stays"
        );
        assert!(!range("0", "9", (80, "9"), None).merge_existing(&existing), "made earlier: nothing counts");
        assert!(range("2", "0", (10, "0"), None).merge_existing(&existing), "made later: everything counts");
        assert!(!existing.clone().merge_existing(&existing));
    }
}
