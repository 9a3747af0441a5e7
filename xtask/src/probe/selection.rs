//! Which of upstream's tests run.

/// In this variable of the environment is the folder that holds upstream's `test`.
pub(super) const UPSTREAM: &str = "MARTLET_UPSTREAM_TESTS";

/// The modules about accounts and containers.
pub(super) const MODULES: &[&str] = &[
    "test_account_failures",
    "test_container_failures",
    "test_db_replicator",
    "test_container_merge_policy_index",
    "test_empty_device_handoff",
    "test_replication_servers_working",
    "test_orphan_container",
    "test_account_reaper",
    "test_container_sync",
    "test_reserved_name",
    "test_sharder",
];

/// A few that together run both types of replicators and servers, rows, metadata, whole files and shard ranges.
pub(super) const SHORT: &[&str] = &[
    "test_account_failures:",
    "test_db_replicator:",
    "test_container_failures:TestContainerFailures.test_one_node_fails",
    "test_sharder:TestContainerSharding.test_replication_to_sharding_container",
];
