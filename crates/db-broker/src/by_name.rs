//! All rows of a database in the order of their names, of which few are in memory at a time.

use std::{
    cmp::{Ordering, Reverse},
    collections::VecDeque,
    iter::Peekable,
    vec,
};

use rusqlite::{Row, params};
use swift_types::ServerType;

use crate::{
    Broker, NamedRow,
    error::Result,
    rows::{container, object, policy_column},
    shape::Shape,
    waiting::Waiting,
};

/// Rows that are read at once. SQLite's lock is given back after each such page, so that writers do not wait for the end.
const PAGE: u32 = 1000;

/// The rows of a database in the order of their names, then of their policies; those that wait are merged in.
///
/// Pages are read one by one: each is of one moment, and all together are so where nobody writes meanwhile.
pub struct RowsByName {
    broker: Broker,
    waiting: Peekable<vec::IntoIter<NamedRow>>,
    page: VecDeque<NamedRow>,
    /// Name and row id of the last one that was read; none: the first page is still to come.
    after: (String, i64),
    has_more: bool,
    /// Of one name, the last policy first.
    of_a_name: Vec<NamedRow>,
}

impl RowsByName {
    pub(crate) fn new(broker: Broker, waiting: Waiting) -> Self {
        let waiting = waiting.into_rows().peekable();
        let (after, page) = ((String::new(), i64::MIN), VecDeque::new());
        Self { broker, waiting, page, after, has_more: true, of_a_name: Vec::new() }
    }

    /// The next row; none at the end. Blocks on the disk once in a while.
    ///
    /// # Errors
    /// As any read.
    pub fn next_row(&mut self) -> Result<Option<NamedRow>> {
        self.look_ahead()?;
        let order = match (self.of_a_name.last(), self.waiting.peek()) {
            (Some(stored), Some(waiting)) => stored.place().cmp(&waiting.place()),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        Ok(match order {
            Ordering::Less => self.of_a_name.pop(),
            Ordering::Equal => {
                self.of_a_name.pop();
                self.waiting.next()
            }
            Ordering::Greater => self.waiting.next(),
        })
    }

    /// Makes sure that the rows of the next name are at hand, all of them.
    fn look_ahead(&mut self) -> Result<()> {
        if !self.of_a_name.is_empty() {
            return Ok(());
        }
        while let Some(row) = self.next_stored()? {
            if self.of_a_name.first().is_some_and(|first| first.name() != row.name()) {
                self.page.push_front(row);
                break;
            }
            self.of_a_name.push(row);
        }
        // A row is the same row when name and policy are.
        self.of_a_name.sort_by_key(|row| Reverse(row.policy()));
        self.of_a_name.dedup_by_key(|row| row.policy());
        Ok(())
    }

    fn next_stored(&mut self) -> Result<Option<NamedRow>> {
        if self.page.is_empty() && self.has_more {
            self.read_page()?;
        }
        Ok(self.page.pop_front())
    }

    fn read_page(&mut self) -> Result<()> {
        let (server_type, after) = (self.broker.server_type(), &self.after);
        let (page, last) = self.broker.run(|connection, shape| {
            let mut statement = connection.prepare_cached(&statement(server_type, shape))?;
            let mut found = statement.query(params![after.0, after.1, PAGE])?;
            let (mut page, mut last) = (VecDeque::new(), i64::MIN);
            while let Some(row) = found.next()? {
                let (rowid, row) = named(server_type, row)?;
                last = rowid;
                page.push_back(row);
            }
            Ok((page, last))
        })?;
        self.has_more = page.len() == PAGE as usize;
        if let Some(row) = page.back() {
            self.after = (row.name().to_owned(), last);
        }
        self.page = page;
        Ok(())
    }
}

fn named(server_type: ServerType, row: &Row<'_>) -> rusqlite::Result<(i64, NamedRow)> {
    let named = match server_type {
        ServerType::Container => NamedRow::of_object(object(row)?.into_owned()),
        ServerType::Account => NamedRow::of_container(container(row)?.into_owned()),
    };
    Ok((row.get(0)?, named))
}

/// By the index over `(deleted, name)`, live rows and tombstones side by side; by a search through all where there is none.
fn statement(server_type: ServerType, shape: Shape) -> String {
    let table = server_type.contains();
    let columns = match server_type {
        ServerType::Container => "created_at, size, content_type, etag, deleted",
        ServerType::Account => "put_timestamp, delete_timestamp, object_count, bytes_used, deleted",
    };
    let of = |which: &str| {
        format!(
            "SELECT ROWID, name, {columns}, {} FROM {table}
             WHERE {which} (name, ROWID) > (?1, ?2) AND typeof(name) = 'text'",
            policy_column(shape)
        )
    };
    let rows = if shape.deleted_index {
        format!("{} UNION ALL {}", of("deleted = 0 AND"), of("deleted = 1 AND"))
    } else {
        of("")
    };
    format!("{rows} ORDER BY 2, 1 LIMIT ?3")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{account, container};

    #[test]
    fn pages_are_read_along_the_index() {
        let device = tempfile::tempdir().unwrap();
        for mut broker in [account(device.path()), container(device.path())] {
            let server_type = broker.server_type();
            let plan = broker
                .run(|connection, shape| {
                    let sql = format!("EXPLAIN QUERY PLAN {}", statement(server_type, shape));
                    let mut plan = connection.prepare(&sql)?;
                    let steps = plan.query_map(params!["", 0, 10], |row| row.get::<_, String>(3))?;
                    Ok(steps.collect::<rusqlite::Result<Vec<_>>>()?)
                })
                .unwrap();
            assert!(!plan.iter().any(|step| step.contains("B-TREE") || step.starts_with("SCAN")), "{plan:?}");
        }
    }
}
