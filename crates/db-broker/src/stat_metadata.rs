//! The metadata column of the stat row.

use failpoint::Step;
use protocol::{Metadata, MetadataLimits};
use rusqlite::{Connection, OptionalExtension};

use crate::{
    Broker,
    connection::text,
    error::Result,
    fault::{Fault, Work},
};

/// Whether metadata must keep within limits: clients' must, a peer's is taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataCheck {
    /// From a peer: limits were checked where a client sent it, and refusing it would let replicas drift.
    FromPeer,
    /// From a client.
    FromClient(MetadataLimits),
}

impl Broker {
    /// The stored metadata. Stock: the `metadata` property.
    ///
    /// # Errors
    /// [`crate::BrokerError::BadValue`] if the stored text is not what Swift writes.
    pub fn metadata(&mut self) -> Result<Metadata> {
        let table = self.stat_table();
        self.run(
            |connection, shape| {
                if shape.metadata { stored(connection, table) } else { Ok(Metadata::default()) }
            },
        )
    }

    /// Takes each key that is new or has a newer timestamp; writes nothing if there is none.
    /// Stock: `update_metadata`.
    ///
    /// # Errors
    /// [`crate::BrokerError::BadValue`] over the limits, with stock's words; else as any write.
    pub fn update_metadata(&mut self, updates: Metadata, check: MetadataCheck) -> Result<()> {
        if !self.metadata()?.merge(updates.clone()) {
            return Ok(());
        }
        self.migrate_to_metadata()?;
        let table = self.stat_table();
        self.write(Step::StoreMetadata, |transaction, _| {
            let mut metadata = stored(transaction, table)?;
            metadata.merge(updates);
            if let MetadataCheck::FromClient(limits) = check {
                metadata.check(limits).map_err(|error| Fault::Value(error.to_string()))?;
            }
            store(transaction, table, &metadata)
        })
    }
}

pub(crate) fn stored(connection: &Connection, table: &str) -> Work<Metadata> {
    let sql = format!("SELECT metadata FROM {table}");
    let raw = connection.prepare_cached(&sql)?.query_row([], |row| text::<String>(row, 0)).optional()?;
    parse(&raw.ok_or(Fault::MissingStatRow)?)
}

/// Reads the column's text.
pub(crate) fn parse(raw: &str) -> Work<Metadata> {
    Metadata::parse(raw).map_err(|error| Fault::Value(format!("stored {error}")))
}

pub(crate) fn store(connection: &Connection, table: &str, metadata: &Metadata) -> Work<()> {
    connection.execute(&format!("UPDATE {table} SET metadata = ?1"), [metadata.to_text()])?;
    Ok(())
}
