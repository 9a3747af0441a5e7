//! Object rows into a container database.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use protocol::ObjectRow;
use rusqlite::{Connection, Transaction, params};
use swift_types::{
    RowTimestamps, Timestamp,
    content_type::{append_swift_bytes, extract_swift_bytes},
};

use crate::{
    connection::{integer, text, text_or_null},
    fault::{Fault, Work},
    shape::Shape,
};

/// A row is the same row when name and policy are.
type Ident = (String, i64);

/// Merges rows inside the caller's transaction. Stock: the inner part of `ContainerBroker.merge_items`.
///
/// Stored rows are read before anything is written; deletes go before inserts; inserts keep the order in
/// which names first came, so row ids come out as stock gives them.
pub(crate) fn merge(transaction: &Transaction<'_>, shape: Shape, rows: Vec<ObjectRow>) -> Work<()> {
    let stored = stored_rows(transaction, shape, &rows)?;
    let mut to_delete: HashSet<Ident> = HashSet::new();
    let mut to_add: IndexMap<Ident, ObjectRow> = IndexMap::new();
    for row in rows {
        let ident = (row.name.clone(), row.storage_policy_index);
        let mut candidate = Candidate::new(row)?;
        let existing = stored.get(&ident);
        if !candidate.take_newer_from(existing)? {
            continue;
        }
        if existing.is_some() {
            to_delete.insert(ident.clone());
        }
        if let Some(earlier) = to_add.get(&ident) {
            candidate.take_newer_from(Some(earlier))?;
        }
        to_add.insert(ident, candidate.row);
    }
    delete(transaction, shape, &to_delete)?;
    insert(transaction, to_add.values())?;
    Ok(())
}

fn stored_rows(
    connection: &Connection,
    shape: Shape,
    rows: &[ObjectRow],
) -> rusqlite::Result<HashMap<Ident, ObjectRow>> {
    let sql = format!(
        "SELECT name, created_at, size, content_type, etag, deleted, storage_policy_index
         FROM object WHERE {} name = ?1",
        shape.by_deleted()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut stored = HashMap::new();
    for name in rows.iter().map(|row| &row.name) {
        let mut found = statement.query([name])?;
        while let Some(row) = found.next()? {
            let row = ObjectRow {
                rowid: None,
                name: text(row, 0)?,
                created_at: text(row, 1)?,
                size: integer(row, 2)?,
                content_type: text_or_null(row, 3)?,
                etag: text_or_null(row, 4)?,
                deleted: integer(row, 5)?,
                storage_policy_index: integer(row, 6)?,
                ctype_timestamp: None,
                meta_timestamp: None,
            };
            stored.insert((row.name.clone(), row.storage_policy_index), row);
        }
    }
    Ok(stored)
}

fn delete(transaction: &Transaction<'_>, shape: Shape, idents: &HashSet<Ident>) -> rusqlite::Result<()> {
    let sql =
        format!("DELETE FROM object WHERE {} name = ?1 AND storage_policy_index = ?2", shape.by_deleted());
    let mut statement = transaction.prepare_cached(&sql)?;
    for (name, policy) in idents {
        statement.execute(params![name, policy])?;
    }
    Ok(())
}

fn insert<'a>(
    transaction: &Transaction<'_>,
    rows: impl Iterator<Item = &'a ObjectRow>,
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO object (name, created_at, size, content_type, etag, deleted, storage_policy_index)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for row in rows {
        statement.execute(params![
            row.name,
            row.created_at,
            row.size,
            row.content_type,
            row.etag,
            row.deleted,
            row.storage_policy_index
        ])?;
    }
    Ok(())
}

/// An incoming row, with the timestamps it came with: each comparison starts from those.
struct Candidate {
    row: ObjectRow,
    came_with: RowTimestamps,
}

impl Candidate {
    fn new(row: ObjectRow) -> Work<Self> {
        let mut came_with = decode(&row, &row.created_at)?;
        if let Some(ctype) = explicit(&row, row.ctype_timestamp.as_deref())? {
            came_with.ctype = ctype;
            came_with.meta = ctype;
        }
        if let Some(meta) = explicit(&row, row.meta_timestamp.as_deref())? {
            came_with.meta = meta;
        }
        Ok(Self { row, came_with })
    }

    /// Takes over from an existing row whatever is at least as new there; false if nothing of ours was newer.
    ///
    /// Data, content type and metadata compete apart, by their own timestamps; `swift_bytes` travels inside
    /// the content type but belongs to the data. Stock: `update_new_item_from_existing`.
    fn take_newer_from(&mut self, existing: Option<&ObjectRow>) -> Work<bool> {
        let mut times = self.came_with;
        let Some(existing) = existing else {
            self.row.created_at = times.encode();
            return Ok(true);
        };
        let theirs = decode(existing, &existing.created_at)?;
        let (mut content_type, mut swift_bytes) = split(self.row.content_type.as_deref());
        let (their_content_type, their_swift_bytes) = split(existing.content_type.as_deref());
        let newer_data = theirs.data < times.data;
        let newer_ctype = theirs.ctype < times.ctype;
        let newer_meta = theirs.meta < times.meta;
        if !newer_data {
            self.row.size = existing.size;
            self.row.etag.clone_from(&existing.etag);
            self.row.deleted = existing.deleted;
            swift_bytes = their_swift_bytes;
            times.data = theirs.data;
        }
        if !newer_ctype {
            content_type = their_content_type;
            times.ctype = theirs.ctype;
        }
        if !newer_meta {
            times.meta = theirs.meta;
        }
        append_swift_bytes(&mut content_type, swift_bytes.as_deref());
        self.row.content_type = Some(content_type);
        self.row.created_at = times.encode();
        Ok(newer_data || newer_ctype || newer_meta)
    }
}

fn split(content_type: Option<&str>) -> (String, Option<String>) {
    extract_swift_bytes(content_type.unwrap_or_default())
}

fn decode(row: &ObjectRow, encoded: &str) -> Work<RowTimestamps> {
    RowTimestamps::decode(encoded).map_err(|error| bad_row(row, &error))
}

fn explicit(row: &ObjectRow, text: Option<&str>) -> Work<Option<Timestamp>> {
    let text = text.filter(|text| !text.is_empty());
    text.map(Timestamp::parse).transpose().map_err(|error| bad_row(row, &error))
}

fn bad_row(row: &ObjectRow, error: &swift_types::BadTimestamp) -> Fault {
    Fault::Value(format!("object row {:?}: {error}", row.name))
}
