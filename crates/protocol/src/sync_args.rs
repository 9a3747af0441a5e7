use crate::ReplicationInfo;

/// The arguments of `sync`: 7 from accounts and single-policy containers, 10 with several policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncArgs {
    /// The sender's highest row id, -1 if none.
    pub max_row: i64,
    /// The sender's hash over all rows.
    pub hash: String,
    /// The id of the sender's database.
    pub id: String,
    /// When the sender's replica was made.
    pub created_at: String,
    /// The sender's put timestamp.
    pub put_timestamp: String,
    /// The sender's delete timestamp.
    pub delete_timestamp: String,
    /// The sender's raw metadata text, possibly empty.
    pub metadata: String,
    /// The sender's claim about the policy, when the cluster has several.
    pub policy: Option<PolicyArgs>,
}

/// Arguments 8 to 10 of `sync`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyArgs {
    /// When the sender's status or policy last changed.
    pub status_changed_at: String,
    /// The sender's live rows.
    pub count: i64,
    /// The sender's policy.
    pub storage_policy_index: i64,
}

impl SyncArgs {
    /// What a database whose info this is says to every peer first, in a cluster of so many storage policies.
    /// Stock: `_gather_sync_args`.
    pub fn of<S: AsRef<str>>(info: &ReplicationInfo<S>, policies: usize) -> Self {
        let args = Self::with_policy(info);
        if policies > 1 { args } else { Self { policy: None, ..args } }
    }

    /// The same with a container's policy, however many there are.
    pub fn with_policy<S: AsRef<str>>(info: &ReplicationInfo<S>) -> Self {
        let owned = |text: &S| text.as_ref().to_owned();
        let policy = info.container().map(|container| PolicyArgs {
            status_changed_at: owned(&info.status_changed_at),
            count: info.count,
            storage_policy_index: container.storage_policy_index,
        });
        Self {
            max_row: info.max_row,
            hash: owned(&info.hash),
            id: owned(&info.id),
            created_at: owned(&info.created_at),
            put_timestamp: owned(&info.put_timestamp),
            delete_timestamp: owned(&info.delete_timestamp),
            metadata: owned(&info.metadata),
            policy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Request,
        fixtures::{local_account, local_container},
    };

    #[test]
    fn the_policy_is_told_of_containers_where_there_are_several() {
        let said = |info: &ReplicationInfo, policies| {
            String::from_utf8(Request::Sync(SyncArgs::of(info, policies)).to_json()).unwrap()
        };
        let seven = format!(r#"["sync",7,"{}","local","1","1","0",""]"#, "1".repeat(32));
        assert_eq!(said(&local_container(), 1), seven);
        assert_eq!(said(&local_account(), 2), seven);
        assert_eq!(said(&local_container(), 2), seven.replace(r#","0",""]"#, r#","0","","1",7,1]"#));
    }
}
