//! The object rows that a container already has of the names in a batch.

use std::collections::HashMap;

use protocol::ObjectRow;
use rusqlite::{
    Connection, Row, Statement, params,
    types::{Type, Value, ValueRef},
};

use crate::{
    connection::{integer, text, text_or_null},
    rows::policy_column,
    shape::Shape,
    tally::{Share, digest},
};

/// A row is the same row when name and policy are.
pub(crate) type Ident<'r> = (&'r str, i64);

/// Stored rows by ident; in the order in which stock finds them where an ident has several.
pub(crate) type StoredObjects<'r> = HashMap<Ident<'r>, Vec<StoredObject>>;

/// A row of the `object` table.
#[derive(Clone, Debug)]
pub(crate) struct StoredObject {
    pub(crate) rowid: i64,
    pub(crate) created_at: String,
    /// An integer, or whatever somebody has stored: it stays with the data that it is of.
    pub(crate) size: Value,
    pub(crate) content_type: Option<String>,
    pub(crate) etag: Option<String>,
    pub(crate) deleted: i64,
    pub(crate) policy: i64,
    /// Whether all else that counts is stored as what Swift writes.
    regular: bool,
}

fn columns(shape: Shape) -> String {
    format!("ROWID, created_at, size, content_type, etag, deleted, {}", policy_column(shape))
}

/// The rows' names in their order, each once.
pub(crate) fn names_in_order<'r>(rows: &'r [ObjectRow<'r>]) -> Vec<&'r str> {
    let mut names: Vec<&str> = rows.iter().map(|row| &*row.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Finds what is stored of the [names](names_in_order).
pub(crate) fn stored_objects<'r>(
    connection: &Connection,
    shape: Shape,
    names: &[&'r str],
) -> rusqlite::Result<StoredObjects<'r>> {
    let mut stored = HashMap::new();
    if !shape.deleted_index {
        let sql = format!("SELECT {} FROM object WHERE name = ?1", columns(shape));
        let mut find = connection.prepare_cached(&sql)?;
        for name in names {
            collect(&mut find, params![name], name, &mut stored)?;
        }
        return Ok(stored);
    }
    for deleted in [0, 1] {
        find_in_order(connection, shape, deleted, names, &mut stored)?;
    }
    Ok(stored)
}

/// Goes along the index from one stored name to the next, so that names which follow each other and are not there cost
/// one look-up together.
fn find_in_order<'r>(
    connection: &Connection,
    shape: Shape,
    deleted: i64,
    names: &[&'r str],
    stored: &mut StoredObjects<'r>,
) -> rusqlite::Result<()> {
    // A bare `?1` would let SQLite plan anew once it knows the value.
    let mut next = connection.prepare_cached(
        "SELECT name FROM object WHERE deleted = +?1 AND name >= +?2 ORDER BY name LIMIT 1",
    )?;
    let sql = format!("SELECT {} FROM object WHERE deleted = ?1 AND name = ?2", columns(shape));
    let mut at = 0;
    while let Some(name) = names.get(at) {
        let mut found = next.query(params![deleted, name])?;
        // Behind all text come blobs, which are nobody's name.
        let Some(ValueRef::Text(there)) = found.next()?.map(|row| row.get_ref(0)).transpose()? else { break };
        at += names[at..].partition_point(|name| name.as_bytes() < there);
        if let Some(name) = names.get(at).filter(|name| name.as_bytes() == there) {
            let mut find = connection.prepare_cached(&sql)?;
            collect(&mut find, params![deleted, name], name, stored)?;
            at += 1;
        }
    }
    Ok(())
}

fn collect<'r>(
    find: &mut Statement<'_>,
    params: impl rusqlite::Params,
    name: &'r str,
    stored: &mut StoredObjects<'r>,
) -> rusqlite::Result<()> {
    let mut found = find.query(params)?;
    while let Some(row) = found.next()? {
        // What has no number for its policy is no row of any.
        if row.get_ref(6)?.data_type() == Type::Integer {
            let object = StoredObject::read(row)?;
            stored.entry((name, object.policy)).or_default().push(object);
        }
    }
    Ok(())
}

impl StoredObject {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let is = |column, wanted| row.get_ref(column).map(|value| value.data_type() == wanted);
        Ok(Self {
            rowid: row.get(0)?,
            created_at: text(row, 1)?,
            size: row.get(2)?,
            content_type: text_or_null(row, 3)?,
            etag: text_or_null(row, 4)?,
            deleted: integer(row, 5)?,
            policy: row.get(6)?,
            regular: is(1, Type::Text)? && is(5, Type::Integer)?,
        })
    }

    /// What it counts for, if that can be told from what was read.
    pub(crate) fn share(&self, name: &str) -> Option<Share> {
        let live = 1_i64.checked_sub(self.deleted).filter(|_| self.regular)?;
        let Value::Integer(size) = self.size else { return None };
        let digest = digest(&[name, "-", &self.created_at]);
        Some(Share { policy: self.policy, counts: [0, live, size], digest })
    }
}
