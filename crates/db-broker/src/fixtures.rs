//! Databases for the unit tests.

use std::path::Path;

use swift_types::{DbName, HashPath, ServerType, Timestamp};

use crate::{Broker, DbLocation, NewDb};

/// An empty account on partition 7 of `device`.
pub(crate) fn account(device: &Path) -> Broker {
    database(device, ServerType::Account, None)
}

/// An empty container on partition 7 of `device`.
pub(crate) fn container(device: &Path) -> Broker {
    database(device, ServerType::Container, Some("c"))
}

fn database(device: &Path, server_type: ServerType, container: Option<&str>) -> Broker {
    let digest = HashPath::new(vec![], b"x".to_vec()).unwrap().of("a", container);
    let location = DbLocation::new(server_type, device, 7, &DbName::unsharded(digest));
    let now = Timestamp::parse("1700000000").unwrap();
    let new = NewDb { account: "a", container, put_timestamp: now, created_at: now, storage_policy_index: 0 };
    Broker::create(location, new).unwrap()
}
