//! Rows that wait in a pending file, and what a database will be once they are merged.

use std::vec;

use protocol::{InfoOf, ReplicationInfo, Rows};

use crate::{Broker, NamedRow, error::Result, merge_containers, merge_objects, tally::Tally};

/// What a merge would write.
pub(crate) struct Foreseen<R> {
    /// As they will be stored.
    pub(crate) rows: Vec<R>,
    /// How many row ids that takes.
    pub(crate) written: usize,
    /// What hash and counts change by; none if only the triggers can tell.
    pub(crate) tally: Option<Tally>,
}

/// Rows that wait, merged in memory with what is stored of their names.
pub(crate) struct Waiting {
    /// In the order of their names.
    rows: Vec<NamedRow>,
    written: i64,
    tally: Option<Tally>,
}

impl Waiting {
    /// Blocks on the disk for a look-up of each name.
    pub(crate) fn over(broker: &mut Broker, rows: Rows<'static>) -> Result<Self> {
        match rows {
            Rows::Objects(rows) => {
                let foreseen =
                    broker.run(|connection, shape| merge_objects::foresee(connection, shape, &rows))?;
                Ok(Self::of(foreseen, NamedRow::Object))
            }
            Rows::Containers(rows) => {
                let foreseen =
                    broker.run(|connection, shape| merge_containers::foresee(connection, shape, rows))?;
                Ok(Self::of(foreseen, NamedRow::Container))
            }
        }
    }

    /// Nothing waits.
    pub(crate) fn nothing() -> Self {
        Self { rows: Vec::new(), written: 0, tally: Some(Tally::default()) }
    }

    fn of<R>(foreseen: Foreseen<R>, named: fn(R) -> NamedRow) -> Self {
        let mut rows: Vec<_> = foreseen.rows.into_iter().map(named).collect();
        rows.sort_unstable_by(|one, other| one.place().cmp(&other.place()));
        let written = i64::try_from(foreseen.written).unwrap_or(i64::MAX);
        Self { rows, written, tally: foreseen.tally }
    }

    /// How many row ids they will take.
    pub(crate) fn count(&self) -> i64 {
        self.written
    }

    /// In the order of their names.
    pub(crate) fn into_rows(self) -> vec::IntoIter<NamedRow> {
        self.rows.into_iter()
    }

    /// What the database will say of itself.
    pub(crate) fn add_to(&self, info: &mut ReplicationInfo) {
        if self.written == 0 {
            return;
        }
        info.max_row = info.max_row.max(0).saturating_add(self.written);
        info.hash = self.hash_after(&info.hash).unwrap_or_default();
        let Some(tally) = &self.tally else { return };
        let counted = match &info.of {
            InfoOf::Account { object_count } => {
                tally.total().apply([Some(info.count), Some(*object_count), Some(info.bytes_used)])
            }
            // Their counts are told by their shards.
            InfoOf::Container(container) if container.db_state.moves_rows() => return,
            InfoOf::Container(container) => {
                let own = tally.policies.iter().find(|own| own.policy == container.storage_policy_index);
                own.and_then(|own| {
                    own.change.apply([Some(info.count), Some(info.count), Some(info.bytes_used)])
                })
            }
        };
        let Some([containers, objects, bytes]) = counted else { return };
        match &mut info.of {
            InfoOf::Account { object_count } => {
                info.count = containers.unwrap_or(info.count);
                *object_count = objects.unwrap_or(*object_count);
            }
            InfoOf::Container(_) => info.count = objects.unwrap_or(info.count),
        }
        info.bytes_used = bytes.unwrap_or(info.bytes_used);
    }

    fn hash_after(&self, hash: &str) -> Option<String> {
        let hash = u128::from_str_radix(hash, 16).ok()?;
        Some(format!("{:032x}", hash ^ self.tally.as_ref()?.digest))
    }
}
