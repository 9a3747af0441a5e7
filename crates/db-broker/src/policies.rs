//! The container's policy, per-policy counts, and how far misplaced rows were looked for.

use std::collections::BTreeMap;

use failpoint::Step;
use rusqlite::{OptionalExtension, params};
use swift_types::{ServerType, Timestamp};

use crate::{Broker, connection::integer, error::Result};

/// Counts of one policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyStat {
    /// Live containers; none in a container database, and in an account from before they were counted.
    pub container_count: Option<i64>,
    /// Live objects.
    pub object_count: i64,
    /// Their bytes.
    pub bytes_used: i64,
}

impl Broker {
    /// Counts by policy index. Stock: `get_policy_stats`.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`].
    pub fn policy_stats(&mut self) -> Result<BTreeMap<i64, PolicyStat>> {
        self.commit_pending()?;
        let server_type = self.server_type();
        self.run(|connection, shape| {
            let containers = match server_type {
                ServerType::Account if has_container_count(connection)? => "container_count",
                _ => "NULL",
            };
            let sql = match (shape.policy_stat, server_type) {
                (true, _) => {
                    format!(
                        "SELECT storage_policy_index, {containers}, object_count, bytes_used FROM policy_stat"
                    )
                }
                (false, ServerType::Container) => {
                    "SELECT 0, NULL, object_count, bytes_used FROM container_stat".to_owned()
                }
                (false, ServerType::Account) => return Ok(BTreeMap::new()),
            };
            let mut statement = connection.prepare_cached(&sql)?;
            let stats = statement.query_map([], |row| {
                let stat = PolicyStat {
                    container_count: row.get(1)?,
                    object_count: integer(row, 2)?,
                    bytes_used: integer(row, 3)?,
                };
                Ok((integer(row, 0)?, stat))
            })?;
            Ok(stats.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Whether rows of more than one policy have ever been in this container. Stock: `has_multiple_policies`.
    ///
    /// # Errors
    /// As any read.
    pub fn has_multiple_policies(&mut self) -> Result<bool> {
        self.run(|connection, shape| {
            if !shape.policy_stat {
                return Ok(false);
            }
            let sql = "SELECT count(storage_policy_index) FROM policy_stat";
            Ok(connection.query_row(sql, [], |row| integer(row, 0))? > 1)
        })
    }

    /// Moves the container to another policy; rows stay where they are. Stock: `set_storage_policy_index`.
    ///
    /// # Errors
    /// As any write.
    pub fn set_storage_policy_index(&mut self, policy: i64, now: Timestamp) -> Result<()> {
        self.migrate_to_policies()?;
        self.write(Step::SetPolicy, |transaction, _| {
            transaction
                .execute("INSERT OR IGNORE INTO policy_stat (storage_policy_index) VALUES (?1)", [policy])?;
            transaction.execute(
                "UPDATE container_stat SET storage_policy_index = ?1,
                     status_changed_at = MAX(?2, status_changed_at) WHERE storage_policy_index <> ?1",
                params![policy, now.normal()],
            )?;
            Ok(())
        })
    }

    /// Up to which row id misplaced rows were handed to the reconciler, -1 if none were.
    /// Stock: `get_reconciler_sync`.
    ///
    /// # Errors
    /// As any read.
    pub fn reconciler_sync(&mut self) -> Result<i64> {
        self.run(|connection, shape| {
            if !shape.reconciler {
                return Ok(-1);
            }
            let sql =
                format!("SELECT reconciler_sync_point FROM {}", shape.stat_source(ServerType::Container));
            Ok(connection.query_row(&sql, [], |row| integer(row, 0)).optional()?.unwrap_or(-1))
        })
    }
}

fn has_container_count(connection: &rusqlite::Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM pragma_table_info('policy_stat') WHERE name = 'container_count'";
    connection.prepare_cached(sql)?.exists([])
}
