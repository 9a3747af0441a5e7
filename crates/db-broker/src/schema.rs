//! The tables of today's schema generation, as stock makes them; a test holds them against stock's.

pub(crate) const SYNC_TABLES: &str = include_str!("sql/sync_tables.sql");
pub(crate) const ACCOUNT_TABLES: &str = include_str!("sql/account_tables.sql");
pub(crate) const ACCOUNT_POLICY_STAT: &str = include_str!("sql/account_policy_stat.sql");
pub(crate) const ACCOUNT_POLICY_TRIGGERS: &str = include_str!("sql/account_policy_triggers.sql");
pub(crate) const CONTAINER_OBJECT: &str = include_str!("sql/container_object.sql");
pub(crate) const CONTAINER_POLICY_STAT: &str = include_str!("sql/container_policy_stat.sql");
pub(crate) const CONTAINER_POLICY_TRIGGERS: &str = include_str!("sql/container_policy_triggers.sql");
pub(crate) const CONTAINER_INFO: &str = include_str!("sql/container_info.sql");
pub(crate) const CONTAINER_STAT_VIEW: &str = include_str!("sql/container_stat_view.sql");
pub(crate) const SHARD_RANGE: &str = include_str!("sql/shard_range.sql");
