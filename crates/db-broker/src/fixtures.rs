//! Databases for the unit tests.

use std::path::Path;

use swift_types::{DbName, HashPath, ServerType, Timestamp};

use crate::{Broker, DbLocation, NewDb};

/// An empty account on partition 7 of `device`.
pub(crate) fn account(device: &Path) -> Broker {
    let digest = HashPath::new(vec![], b"x".to_vec()).unwrap().account("a");
    let location = DbLocation::new(ServerType::Account, device, 7, &DbName::unsharded(digest));
    let now = Timestamp::parse("1700000000").unwrap();
    let (account, container) = ("a", None);
    let new = NewDb { account, container, put_timestamp: now, created_at: now, storage_policy_index: 0 };
    Broker::create(location, new).unwrap()
}
