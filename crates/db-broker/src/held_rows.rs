//! Rows that a copy of a container holds already, so that merging them there would change nothing.

use protocol::{ObjectRow, Rows};
use rusqlite::{CachedStatement, params, types::ValueRef};
use swift_types::RowTimestamps;

use crate::{Broker, error::Result};

/// `deleted IN (0, 1)` would have SQLite make a table of the two for every name.
const STORED_OF_A_NAME: &str =
    "SELECT created_at, storage_policy_index FROM object WHERE deleted = 0 AND name = ?1
     UNION ALL SELECT created_at, storage_policy_index FROM object WHERE deleted = 1 AND name = ?1";

impl Broker {
    /// Leaves out of another replica's stored rows those that are here with the same timestamps, and once: of these
    /// [`merge_items`](Self::merge_items) would take nothing, and finds that out at twice the cost.
    ///
    /// Of an account's rows, where the same timestamps may come with other counts, all stay.
    ///
    /// # Errors
    /// As any read.
    pub(crate) fn without_held<'r>(&mut self, rows: Rows<'r>) -> Result<Rows<'r>> {
        let Rows::Objects(rows) = rows else { return Ok(rows) };
        self.run(|connection, shape| {
            if !shape.row_policy || !shape.deleted_index {
                return Ok(Rows::Objects(rows));
            }
            let reading = connection.transaction()?;
            let mut find = reading.prepare_cached(STORED_OF_A_NAME)?;
            let mut left = Vec::new();
            for row in rows {
                if !is_held(&mut find, &row)? {
                    left.push(row);
                }
            }
            Ok(Rows::Objects(left))
        })
    }
}

/// A timestamp that nobody can read is left for the merge to complain about.
fn is_held(find: &mut CachedStatement<'_>, row: &ObjectRow) -> rusqlite::Result<bool> {
    let (mut stored, mut same) = (0, 0);
    let mut found = find.query(params![row.name])?;
    while let Some(there) = found.next()? {
        if matches!(there.get_ref(1)?, ValueRef::Integer(policy) if policy == row.storage_policy_index) {
            stored += 1;
            let created_at = there.get_ref(0)?;
            same +=
                usize::from(matches!(created_at, ValueRef::Text(text) if text == row.created_at.as_bytes()));
        }
    }
    Ok((stored, same) == (1, 1) && RowTimestamps::decode(&row.created_at).is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{fixtures::container, merge::Source};

    fn object(name: u8, time: u8, deleted: i64, storage_policy_index: i64, size: i64) -> ObjectRow<'static> {
        ObjectRow {
            rowid: None,
            name: format!("o{name}").into(),
            created_at: format!("170000000{time}.00000").into(),
            size,
            content_type: Some("text/plain".into()),
            etag: Some(format!("{size}").into()),
            deleted,
            storage_policy_index,
            ctype_timestamp: None,
            meta_timestamp: None,
        }
    }

    fn objects() -> impl Strategy<Value = Vec<ObjectRow<'static>>> {
        let any = (0..4_u8, 0..3_u8, 0..2_i64, 0..2_i64, 0..3_i64);
        let any =
            any.prop_map(|(name, time, deleted, policy, size)| object(name, time, deleted, policy, size));
        prop::collection::vec(any, 0..12)
    }

    fn holding(device: &std::path::Path, rows: &[ObjectRow<'_>]) -> Broker {
        let mut broker = container(device);
        broker.merge_items(Rows::Objects(rows.to_vec()), Source::Local).unwrap();
        broker
    }

    #[test]
    fn only_what_is_there_by_name_policy_and_time_is_left_out() {
        let device = tempfile::tempdir().unwrap();
        let row = object(0, 1, 0, 0, 0);
        let mut broker = holding(device.path(), std::slice::from_ref(&row));
        let others = [object(0, 2, 0, 0, 0), object(0, 1, 0, 1, 0), object(1, 1, 0, 0, 0)];
        let asked = [&others[..], &[row]].concat();
        assert_eq!(broker.without_held(Rows::Objects(asked)).unwrap(), Rows::Objects(others.to_vec()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn merging_what_is_left_comes_to_the_same(theirs in objects(), ours in objects()) {
            let devices = [(); 3].map(|()| tempfile::tempdir().unwrap());
            let rows = holding(devices[0].path(), &ours).rows_since(-1, 100).unwrap();
            let [mut whole, mut left] = [1, 2].map(|at| holding(devices[at].path(), &theirs));
            let lacking = left.without_held(rows.clone()).unwrap();
            whole.merge_items(rows, Source::Local).unwrap();
            left.merge_items(lacking, Source::Local).unwrap();
            prop_assert_eq!(left.rows_since(-1, 100).unwrap(), whole.rows_since(-1, 100).unwrap());
            prop_assert_eq!(left.hash().unwrap(), whole.hash().unwrap());
        }
    }
}
