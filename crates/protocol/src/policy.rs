use std::cmp::Ordering;

use swift_types::Timestamp;

use crate::{RemoteInfo, ReplicationInfo, SyncArgs, info::is_deleted};

/// What one replica claims about its container's storage policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyClaim<'a> {
    /// The policy the replica believes in.
    pub storage_policy_index: i64,
    /// Its put timestamp.
    pub put_timestamp: &'a str,
    /// Its delete timestamp.
    pub delete_timestamp: &'a str,
    /// When its status or policy last changed.
    pub status_changed_at: &'a str,
    /// Its live rows.
    pub count: i64,
}

impl<'a> PolicyClaim<'a> {
    /// Of a local container; none for an account.
    pub fn of_local<S: AsRef<str>>(info: &'a ReplicationInfo<S>) -> Option<Self> {
        Some(Self {
            storage_policy_index: info.container()?.storage_policy_index,
            put_timestamp: info.put_timestamp.as_ref(),
            delete_timestamp: info.delete_timestamp.as_ref(),
            status_changed_at: info.status_changed_at.as_ref(),
            count: info.count,
        })
    }

    /// Of a peer's sync reply; none if the peer claims no policy.
    pub fn of_reply(remote: &'a RemoteInfo) -> Option<Self> {
        Some(Self {
            storage_policy_index: remote.storage_policy_index?,
            put_timestamp: &remote.put_timestamp,
            delete_timestamp: &remote.delete_timestamp,
            status_changed_at: &remote.status_changed_at,
            count: remote.count,
        })
    }

    /// Of a sender's sync message; none from a sender that has one policy only.
    pub fn of_sync(args: &'a SyncArgs) -> Option<Self> {
        let policy = args.policy.as_ref()?;
        Some(Self {
            storage_policy_index: policy.storage_policy_index,
            put_timestamp: &args.put_timestamp,
            delete_timestamp: &args.delete_timestamp,
            status_changed_at: &policy.status_changed_at,
            count: policy.count,
        })
    }

    fn is_deleted(&self) -> bool {
        is_deleted(self.put_timestamp, self.delete_timestamp, self.count)
    }

    /// Deleted once, and put again since. A text that is no moment counts as never.
    fn has_been_recreated(&self) -> bool {
        self.put_timestamp > self.delete_timestamp
            && Timestamp::parse(self.delete_timestamp).is_ok_and(|deleted| deleted > Timestamp::ZERO)
    }

    /// Less means that `self` is right. Stock: `cmp_policy_info`.
    fn compare(&self, remote: &Self) -> Ordering {
        match (self.is_deleted(), remote.is_deleted()) {
            (false, true) => return Ordering::Less,
            (true, false) => return Ordering::Greater,
            (true, true) => return remote.status_changed_at.cmp(self.status_changed_at),
            (false, false) => {}
        }
        match (self.has_been_recreated(), remote.has_been_recreated()) {
            (false, true) => return Ordering::Greater,
            (true, false) => return Ordering::Less,
            (false, false) => {}
            (true, true) => {
                let last_delete = self.delete_timestamp.max(remote.delete_timestamp);
                if self.put_timestamp < last_delete {
                    return Ordering::Greater;
                }
                if remote.put_timestamp < last_delete {
                    return Ordering::Less;
                }
            }
        }
        self.status_changed_at.cmp(remote.status_changed_at)
    }
}

/// Whether the remote's policy is the right one and must be taken over. Stock: `incorrect_policy_index`.
///
/// The least recent PUT wins, unless one side was deleted or re-created since.
pub fn adopts_remote_policy(local: &PolicyClaim<'_>, remote: &PolicyClaim<'_>) -> bool {
    local.storage_policy_index != remote.storage_policy_index && local.compare(remote) == Ordering::Greater
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim<'a>(
        policy: i64,
        put: &'a str,
        delete: &'a str,
        changed: &'a str,
        count: i64,
    ) -> PolicyClaim<'a> {
        PolicyClaim {
            storage_policy_index: policy,
            put_timestamp: put,
            delete_timestamp: delete,
            status_changed_at: changed,
            count,
        }
    }

    #[test]
    fn the_least_recent_put_wins() {
        let (old, new) = (claim(0, "5", "0", "5", 0), claim(1, "6", "0", "6", 0));
        assert!(adopts_remote_policy(&new, &old));
        assert!(!adopts_remote_policy(&old, &new));
        assert!(!adopts_remote_policy(&old, &claim(0, "1", "0", "1", 0)), "same policy");
    }

    #[test]
    fn a_live_container_beats_a_deleted_one() {
        let (live, deleted) = (claim(0, "9", "0", "9", 1), claim(1, "1", "2", "2", 0));
        assert!(adopts_remote_policy(&deleted, &live));
        assert!(!adopts_remote_policy(&live, &deleted));
    }

    #[test]
    fn a_recreated_container_beats_one_that_was_never_deleted() {
        for never in ["0", "0000000000.00000"] {
            let (recreated, once) = (claim(0, "7", "3", "7", 0), claim(1, "5", never, "5", 0));
            assert!(adopts_remote_policy(&once, &recreated), "{never}");
            assert!(!adopts_remote_policy(&recreated, &once), "{never}");
        }
    }
}
