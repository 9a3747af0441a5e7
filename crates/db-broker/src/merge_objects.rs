//! Object rows into a container database.

use std::{borrow::Cow, collections::HashMap};

use protocol::ObjectRow;
use rusqlite::{Connection, Transaction, types::Value};
use swift_types::{
    RowTimestamps, ServerType, Timestamp,
    content_type::{append_swift_bytes, extract_swift_bytes},
};

use crate::{
    bulk_insert::{Inserted, insert},
    fault::{Fault, Work},
    ledger::Ledger,
    shape::Shape,
    stored_objects::{Ident, StoredObject, StoredObjects, names_in_order, stored_objects},
    tally::{Share, Tally, digest},
    triggers::TriggersOff,
    waiting::Foreseen,
};

/// Merges rows inside the caller's transaction. Stock: the inner part of `ContainerBroker.merge_items`.
///
/// Stored rows are read before anything is written; deletes go before inserts; inserts keep the order in
/// which names first came, so row ids come out as stock gives them. Hash and counts are kept by the triggers, or
/// where these are known, once for all rows.
pub(crate) fn merge(transaction: &Transaction<'_>, shape: Shape, rows: &[ObjectRow<'_>]) -> Work<()> {
    let names = names_in_order(rows);
    let stored = stored_objects(transaction, shape, &names)?;
    let changes = Changes::decide(rows, &names, &stored)?;
    if changes.add.is_empty() {
        return Ok(());
    }
    let ledger = match changes.tally() {
        Some(tally) => Ledger::of(transaction, ServerType::Container, &tally)?,
        None => None,
    };
    let Some(ledger) = ledger else { return Ok(changes.write(transaction)?) };
    let _off = TriggersOff::begin(transaction)?;
    changes.write(transaction)?;
    Ok(ledger.write(transaction)?)
}

/// What [`merge`] would write, without writing it.
pub(crate) fn foresee(
    connection: &Connection,
    shape: Shape,
    rows: &[ObjectRow<'_>],
) -> Work<Foreseen<ObjectRow<'static>>> {
    let names = names_in_order(rows);
    let stored = stored_objects(connection, shape, &names)?;
    let changes = Changes::decide(rows, &names, &stored)?;
    let rows = changes.add.iter().map(Candidate::to_row).collect::<Vec<_>>();
    Ok(Foreseen { written: rows.len(), tally: changes.tally(), rows })
}

/// What a stored row becomes by another one of its name and policy; none: it stays.
pub(crate) fn replaced_by(
    stored: &ObjectRow<'_>,
    coming: &ObjectRow<'_>,
) -> Work<Option<ObjectRow<'static>>> {
    let size = stored.size.into();
    let state = State {
        created_at: &stored.created_at,
        size: &size,
        content_type: stored.content_type.as_deref(),
        etag: stored.etag.as_deref(),
        deleted: stored.deleted,
    };
    let mut candidate = Candidate::new(coming)?;
    Ok(candidate.take_newer_from(Some(state))?.then(|| candidate.to_row()))
}

/// What becomes of a batch.
struct Changes<'r> {
    delete: Vec<(&'r str, &'r StoredObject)>,
    add: Vec<Candidate<'r>>,
}

impl<'r> Changes<'r> {
    fn decide(rows: &'r [ObjectRow<'r>], names: &[&str], stored: &'r StoredObjects<'r>) -> Work<Self> {
        let mut changes = Self { delete: Vec::new(), add: Vec::with_capacity(rows.len()) };
        // Where no name comes twice, no row has an earlier one to be looked up.
        let mut places = (names.len() < rows.len()).then(HashMap::<Ident<'r>, usize>::new);
        for row in rows {
            let ident = (&*row.name, row.storage_policy_index);
            let existing = stored.get(&ident).map(Vec::as_slice).unwrap_or_default();
            let mut candidate = Candidate::new(row)?;
            if !candidate.take_newer_from(existing.last().map(State::from))? {
                continue;
            }
            let next = changes.add.len();
            let place = places.as_mut().map_or(next, |places| *places.entry(ident).or_insert(next));
            match changes.add.get_mut(place) {
                None => {
                    changes.add.push(candidate);
                    changes.delete.extend(existing.iter().map(|stored| (ident.0, stored)));
                }
                Some(earlier) => {
                    candidate.take_newer_from(Some(State::from(&*earlier)))?;
                    *earlier = candidate;
                }
            }
        }
        Ok(changes)
    }

    /// What it all counts for; none if a stored row that goes, or whose data stays, is not as Swift writes it.
    fn tally(&self) -> Option<Tally> {
        let mut tally = Tally::default();
        for (name, stored) in &self.delete {
            tally.take(&stored.share(name)?);
        }
        for candidate in &self.add {
            tally.add(&candidate.share()?);
        }
        Some(tally)
    }

    fn write(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        if !self.delete.is_empty() {
            let mut statement = transaction.prepare_cached("DELETE FROM object WHERE ROWID = ?1")?;
            for (_, stored) in &self.delete {
                statement.execute([stored.rowid])?;
            }
        }
        insert(transaction, &self.add)
    }
}

/// An incoming row as it will be stored, and the timestamps it came with: each comparison starts from those.
struct Candidate<'r> {
    row: &'r ObjectRow<'r>,
    created_at: Cow<'r, str>,
    size: Value,
    content_type: Option<Cow<'r, str>>,
    etag: Option<Cow<'r, str>>,
    deleted: i64,
    came_with: RowTimestamps,
}

/// What competes with an incoming row: one that is stored, or that came earlier in the batch.
struct State<'s> {
    created_at: &'s str,
    size: &'s Value,
    content_type: Option<&'s str>,
    etag: Option<&'s str>,
    deleted: i64,
}

impl<'s> From<&'s StoredObject> for State<'s> {
    fn from(stored: &'s StoredObject) -> Self {
        Self {
            created_at: &stored.created_at,
            size: &stored.size,
            content_type: stored.content_type.as_deref(),
            etag: stored.etag.as_deref(),
            deleted: stored.deleted,
        }
    }
}

impl<'s> From<&'s Candidate<'_>> for State<'s> {
    fn from(earlier: &'s Candidate<'_>) -> Self {
        Self {
            created_at: &earlier.created_at,
            size: &earlier.size,
            content_type: earlier.content_type.as_deref(),
            etag: earlier.etag.as_deref(),
            deleted: earlier.deleted,
        }
    }
}

impl<'r> Candidate<'r> {
    fn new(row: &'r ObjectRow<'r>) -> Work<Self> {
        let mut came_with = decode(row, &row.created_at)?;
        if let Some(ctype) = explicit(row, row.ctype_timestamp.as_deref())? {
            came_with.ctype = ctype;
            came_with.meta = ctype;
        }
        if let Some(meta) = explicit(row, row.meta_timestamp.as_deref())? {
            came_with.meta = meta;
        }
        Ok(Self {
            row,
            created_at: Cow::Borrowed(&row.created_at),
            size: row.size.into(),
            content_type: row.content_type.as_deref().map(Cow::Borrowed),
            etag: row.etag.as_deref().map(Cow::Borrowed),
            deleted: row.deleted,
            came_with,
        })
    }

    /// Takes over from an existing row whatever is at least as new there; false if nothing of ours was newer.
    ///
    /// Data, content type and metadata compete apart, by their own timestamps; `swift_bytes` travels inside
    /// the content type but belongs to the data. Stock: `update_new_item_from_existing`.
    fn take_newer_from(&mut self, existing: Option<State<'_>>) -> Work<bool> {
        let mut times = self.came_with;
        let Some(existing) = existing else {
            if !times.are_written_as(&self.created_at) {
                self.created_at = times.encode().into();
            }
            return Ok(true);
        };
        let theirs = decode(self.row, existing.created_at)?;
        let (mut content_type, mut swift_bytes) = split(self.content_type.as_deref());
        let (their_content_type, their_swift_bytes) = split(existing.content_type);
        let newer_data = theirs.data < times.data;
        let newer_ctype = theirs.ctype < times.ctype;
        let newer_meta = theirs.meta < times.meta;
        if !newer_data {
            self.size = existing.size.clone();
            self.etag = existing.etag.map(|etag| etag.to_owned().into());
            self.deleted = existing.deleted;
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
        self.content_type = Some(content_type.into());
        self.created_at = times.encode().into();
        Ok(newer_data || newer_ctype || newer_meta)
    }

    /// As it will be read again.
    fn to_row(&self) -> ObjectRow<'static> {
        let of_text = |text: &Option<Cow<'_, str>>| text.as_deref().map(|text| text.to_owned().into());
        ObjectRow {
            rowid: None,
            name: self.row.name.to_string().into(),
            created_at: self.created_at.to_string().into(),
            size: if let Value::Integer(size) = self.size { size } else { self.row.size },
            content_type: of_text(&self.content_type),
            etag: of_text(&self.etag),
            deleted: self.deleted,
            storage_policy_index: self.row.storage_policy_index,
            ctype_timestamp: None,
            meta_timestamp: None,
        }
    }

    fn share(&self) -> Option<Share> {
        let live = 1_i64.checked_sub(self.deleted)?;
        let Value::Integer(size) = self.size else { return None };
        let digest = digest(&[&self.row.name, "-", &self.created_at]);
        Some(Share { policy: self.row.storage_policy_index, counts: [0, live, size], digest })
    }
}

impl Inserted for Candidate<'_> {
    const INTO: &'static str =
        "object (name, created_at, size, content_type, etag, deleted, storage_policy_index)";

    fn values(&self) -> [&dyn rusqlite::ToSql; 7] {
        [
            &self.row.name,
            &self.created_at,
            &self.size,
            &self.content_type,
            &self.etag,
            &self.deleted,
            &self.row.storage_policy_index,
        ]
    }
}

fn split(content_type: Option<&str>) -> (String, Option<String>) {
    extract_swift_bytes(content_type.unwrap_or_default())
}

fn decode(row: &ObjectRow<'_>, encoded: &str) -> Work<RowTimestamps> {
    RowTimestamps::decode(encoded).map_err(|error| bad_row(row, &error))
}

fn explicit(row: &ObjectRow<'_>, text: Option<&str>) -> Work<Option<Timestamp>> {
    let text = text.filter(|text| !text.is_empty());
    text.map(Timestamp::parse).transpose().map_err(|error| bad_row(row, &error))
}

fn bad_row(row: &ObjectRow<'_>, error: &swift_types::BadTimestamp) -> Fault {
    Fault::Value(format!("object row {:?}: {error}", row.name))
}
