//! Container rows into an account database.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use protocol::ContainerRow;
use rusqlite::{
    CachedStatement, Connection, Row, Transaction,
    types::{Type, ValueRef},
};
use swift_types::{ServerType, Timestamp};

use crate::{
    bulk_insert::{Inserted, insert},
    fault::{Fault, Work},
    ledger::Ledger,
    rows::{container, policy_column},
    shape::Shape,
    tally::{Share, Tally, digest},
    triggers::TriggersOff,
    waiting::Foreseen,
};

/// Merges rows in their order inside the caller's transaction. Stock: the inner part of
/// `AccountBroker.merge_items`; like there a row is always written anew, so its row id rises.
///
/// Hash and counts are kept by the triggers, row by row, or where these are known, once for all rows.
pub(crate) fn merge(transaction: &Transaction<'_>, shape: Shape, rows: Vec<ContainerRow<'_>>) -> Work<()> {
    let mut rest = rows;
    while !rest.is_empty() {
        let behind = rest.split_off(before_repetition(&rest));
        merge_distinct(transaction, shape, rest)?;
        rest = behind;
    }
    Ok(())
}

/// What [`merge`] would write, without writing it.
pub(crate) fn foresee(
    connection: &Connection,
    shape: Shape,
    rows: Vec<ContainerRow<'static>>,
) -> Work<Foreseen<ContainerRow<'static>>> {
    let mut find = look_up(connection, shape)?;
    let mut tally = Some(Tally::default());
    let mut coming = BTreeMap::<String, ContainerRow<'static>>::new();
    let written = rows.len();
    for mut row in rows {
        if let Some(earlier) = coming.get(&*row.name) {
            merge_row(&mut row, earlier)?;
            note(&mut tally, share(earlier), Tally::take);
        } else {
            let change = Change::decide(&mut find, row)?;
            for stored in change.replaced() {
                note(&mut tally, share(&stored.row).filter(|_| stored.regular), Tally::take);
            }
            row = change.row;
        }
        note(&mut tally, share(&row), Tally::add);
        coming.insert(row.name.to_string(), row);
    }
    Ok(Foreseen { rows: coming.into_values().collect(), written, tally })
}

/// A row that comes or goes; none where what it counts for is not known, and the sum is not from there on.
fn note(tally: &mut Option<Tally>, share: Option<Share>, note: fn(&mut Tally, &Share)) {
    match (tally.as_mut(), share) {
        (Some(tally), Some(share)) => note(tally, &share),
        _ => *tally = None,
    }
}

/// What a stored row becomes by another one of its name.
pub(crate) fn replaced_by(
    stored: &ContainerRow<'static>,
    coming: &ContainerRow<'static>,
) -> Work<ContainerRow<'static>> {
    let mut row = coming.clone();
    merge_row(&mut row, stored)?;
    Ok(row)
}

/// How many rows there are before a name comes again: it meets the row that came before it as a stored one.
fn before_repetition(rows: &[ContainerRow<'_>]) -> usize {
    let mut names = HashSet::with_capacity(rows.len());
    rows.iter().position(|row| !names.insert(&*row.name)).unwrap_or(rows.len())
}

fn merge_distinct(transaction: &Transaction<'_>, shape: Shape, rows: Vec<ContainerRow<'_>>) -> Work<()> {
    let mut find = look_up(transaction, shape)?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        changes.push(Change::decide(&mut find, row)?);
    }
    drop(find);
    let ledger = match tally(&changes) {
        Some(tally) => Ledger::of(transaction, ServerType::Account, &tally)?,
        None => None,
    };
    let Some(ledger) = ledger else { return write_in_turn(transaction, &changes) };
    let _off = TriggersOff::begin(transaction)?;
    delete(transaction, &changes)?;
    insert(transaction, &changes)?;
    Ok(ledger.write(transaction)?)
}

fn look_up(connection: &Connection, shape: Shape) -> rusqlite::Result<CachedStatement<'_>> {
    connection.prepare_cached(&format!(
        "SELECT ROWID, name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted,
             {}
         FROM container WHERE name = ?1 {}",
        policy_column(shape),
        if shape.deleted_index { "AND deleted IN (0, 1)" } else { "" }
    ))
}

/// What goes and what comes; none if it does not all have the form in which Swift writes it.
fn tally(changes: &[Change<'_>]) -> Option<Tally> {
    let mut tally = Tally::default();
    for change in changes {
        for stored in change.replaced() {
            tally.take(&share(&stored.row).filter(|_| stored.regular)?);
        }
        tally.add(&share(&change.row)?);
    }
    Some(tally)
}

fn write_in_turn(transaction: &Transaction<'_>, changes: &[Change<'_>]) -> Work<()> {
    for change in changes.chunks(1) {
        delete(transaction, change)?;
        insert(transaction, change)?;
    }
    Ok(())
}

fn delete(transaction: &Transaction<'_>, changes: &[Change<'_>]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("DELETE FROM container WHERE ROWID = ?1")?;
    for stored in changes.iter().flat_map(Change::replaced) {
        statement.execute([stored.rowid])?;
    }
    Ok(())
}

/// One row as it will be, and what is stored by its name.
struct Change<'r> {
    row: ContainerRow<'r>,
    stored: Vec<Stored>,
}

impl<'r> Change<'r> {
    fn decide(find: &mut CachedStatement<'_>, mut row: ContainerRow<'r>) -> Work<Self> {
        let stored = find.query_map([&row.name], Stored::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        if let Some(first) = stored.first() {
            merge_row(&mut row, &first.row)?;
        }
        Ok(Self { row, stored })
    }

    fn replaced(&self) -> impl Iterator<Item = &Stored> {
        self.stored.iter().filter(|stored| stored.replaced)
    }
}

impl Inserted for Change<'_> {
    const INTO: &'static str = "container (name, put_timestamp, delete_timestamp, object_count, bytes_used,
         deleted, storage_policy_index)";

    fn values(&self) -> [&dyn rusqlite::ToSql; 7] {
        let row = &self.row;
        [
            &row.name,
            &row.put_timestamp,
            &row.delete_timestamp,
            &row.object_count,
            &row.bytes_used,
            &row.deleted,
            &row.storage_policy_index,
        ]
    }
}

/// A row of the `container` table.
struct Stored {
    rowid: i64,
    row: ContainerRow<'static>,
    /// Whether what counts is stored as what Swift writes.
    regular: bool,
    /// Whether it goes when its name comes in: stock deletes what is marked 0 or 1, and nothing else.
    replaced: bool,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let columns = [Type::Text, Type::Text, Type::Integer, Type::Integer, Type::Integer, Type::Integer];
        let mut regular = true;
        for (column, wanted) in (2..).zip(columns) {
            regular &= row.get_ref(column)?.data_type() == wanted;
        }
        Ok(Self {
            rowid: row.get(0)?,
            row: container(row)?.into_owned(),
            regular,
            replaced: matches!(row.get_ref(6)?, ValueRef::Integer(0 | 1)),
        })
    }
}

/// What a row counts for; none where something is null, and the triggers' sums with it.
fn share(row: &ContainerRow<'_>) -> Option<Share> {
    let (objects, bytes) = (row.object_count?, row.bytes_used?);
    let numbers = format!("-{objects}-{bytes}");
    let (put, delete) = (row.put_timestamp.as_deref()?, row.delete_timestamp.as_deref()?);
    Some(Share {
        policy: row.storage_policy_index,
        counts: [1_i64.checked_sub(row.deleted)?, objects, bytes],
        digest: digest(&[&row.name, "-", put, "-", delete, &numbers]),
    })
}

/// The newest timestamps win, nulls take the stored value, `deleted` follows from both.
fn merge_row(row: &mut ContainerRow<'_>, stored: &ContainerRow<'static>) -> Work<()> {
    let put = newest(&row.name, &mut row.put_timestamp, stored.put_timestamp.as_ref())?;
    let delete = newest(&row.name, &mut row.delete_timestamp, stored.delete_timestamp.as_ref())?;
    row.object_count = row.object_count.or(stored.object_count);
    row.bytes_used = row.bytes_used.or(stored.bytes_used);
    row.deleted = i64::from(delete > put && row.object_count.unwrap_or(0) == 0);
    Ok(())
}

/// Puts the newer of two timestamps into `ours` and returns it.
fn newest<'r>(name: &str, ours: &mut Option<Cow<'r, str>>, theirs: Option<&Cow<'r, str>>) -> Work<Timestamp> {
    let parse = |text: Option<&Cow<'_, str>>| {
        let text = text.map_or("null", |text| text);
        Timestamp::parse(text).map_err(|error| Fault::Value(format!("container row {name:?}: {error}")))
    };
    if ours.is_none() {
        *ours = theirs.cloned();
    }
    let our_time = parse(ours.as_ref())?;
    if theirs.is_none() {
        return Ok(our_time);
    }
    let their_time = parse(theirs)?;
    if their_time > our_time {
        *ours = theirs.cloned();
    }
    Ok(our_time.max(their_time))
}
