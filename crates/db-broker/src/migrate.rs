//! Old schema generations, brought up lazily where a write needs it, as stock does.

use failpoint::Step;
use rusqlite::Transaction;
use swift_types::ServerType;

use crate::{Broker, error::Result, schema, shape::Shape};

impl Broker {
    /// Brings a database from before storage policies up to them; does nothing to any other.
    ///
    /// One transaction: a crash leaves the old generation whole. Stock: `_migrate_add_storage_policy` and
    /// `_migrate_add_storage_policy_index`.
    pub(crate) fn migrate_to_policies(&mut self) -> Result<()> {
        if self.shape.row_policy {
            return Ok(());
        }
        let server_type = self.server_type();
        self.write(Step::Migrate, |transaction, _| {
            // Another process may have been faster.
            let shape = Shape::read(transaction, server_type)?;
            match server_type {
                _ if shape.row_policy => {}
                ServerType::Account => migrate_account(transaction, shape)?,
                ServerType::Container => migrate_container(transaction, shape)?,
            }
            Ok(())
        })
    }

    /// Adds the metadata column to a database older than it.
    pub(crate) fn migrate_to_metadata(&mut self) -> Result<()> {
        if self.shape.metadata {
            return Ok(());
        }
        let server_type = self.server_type();
        self.write(Step::Migrate, |transaction, _| {
            if !Shape::read(transaction, server_type)?.metadata {
                let alter = format!("ALTER TABLE {server_type}_stat ADD COLUMN metadata TEXT DEFAULT ''");
                transaction.execute_batch(&alter)?;
            }
            Ok(())
        })
    }

    /// Makes the shard range table, or adds the columns it lacks.
    pub(crate) fn migrate_to_shard_ranges(&mut self) -> Result<()> {
        let shape = self.shape;
        if shape.shard_range && shape.shard_reported && shape.shard_tombstones {
            return Ok(());
        }
        self.write(Step::Migrate, |transaction, _| {
            let shape = Shape::read(transaction, ServerType::Container)?;
            if shape.shard_range {
                if !shape.shard_reported {
                    transaction
                        .execute_batch("ALTER TABLE shard_range ADD COLUMN reported INTEGER DEFAULT 0")?;
                }
                if !shape.shard_tombstones {
                    transaction
                        .execute_batch("ALTER TABLE shard_range ADD COLUMN tombstones INTEGER DEFAULT -1")?;
                }
            } else {
                transaction.execute_batch(schema::SHARD_RANGE)?;
            }
            Ok(())
        })
    }
}

fn migrate_account(transaction: &Transaction<'_>, shape: Shape) -> rusqlite::Result<()> {
    if !shape.policy_stat {
        transaction.execute_batch(schema::ACCOUNT_POLICY_STAT)?;
    }
    transaction.execute_batch("ALTER TABLE container ADD COLUMN storage_policy_index INTEGER DEFAULT 0")?;
    transaction.execute_batch(schema::ACCOUNT_POLICY_TRIGGERS)
}

fn migrate_container(transaction: &Transaction<'_>, shape: Shape) -> rusqlite::Result<()> {
    if !shape.sync_points {
        transaction.execute_batch(
            "ALTER TABLE container_stat ADD COLUMN x_container_sync_point1 INTEGER DEFAULT -1;
             ALTER TABLE container_stat ADD COLUMN x_container_sync_point2 INTEGER DEFAULT -1;",
        )?;
    }
    if !shape.metadata {
        transaction.execute_batch("ALTER TABLE container_stat ADD COLUMN metadata TEXT DEFAULT ''")?;
    }
    transaction.execute_batch(schema::CONTAINER_POLICY_STAT)?;
    transaction.execute_batch(
        "INSERT INTO policy_stat (storage_policy_index, object_count, bytes_used)
             SELECT 0, object_count, bytes_used FROM container_stat;
         ALTER TABLE object ADD COLUMN storage_policy_index INTEGER DEFAULT 0;
         DROP TRIGGER object_insert;
         DROP TRIGGER object_delete;",
    )?;
    transaction.execute_batch(schema::CONTAINER_POLICY_TRIGGERS)?;
    transaction.execute_batch(schema::CONTAINER_INFO)?;
    // Stock forgets reported_delete_timestamp here, and so the account is told once more; kept alike.
    transaction.execute_batch(
        "INSERT INTO container_info (account, container, created_at, put_timestamp, delete_timestamp,
             reported_put_timestamp, reported_object_count, reported_bytes_used, hash, id, status,
             status_changed_at, metadata, x_container_sync_point1, x_container_sync_point2)
         SELECT account, container, created_at, put_timestamp, delete_timestamp,
             reported_put_timestamp, reported_object_count, reported_bytes_used, hash, id, status,
             status_changed_at, metadata, x_container_sync_point1, x_container_sync_point2
         FROM container_stat;
         DROP TABLE container_stat;",
    )?;
    transaction.execute_batch(schema::CONTAINER_STAT_VIEW)
}
