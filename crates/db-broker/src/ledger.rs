//! Hash and counts of a database as a merge leaves them, written once for all its rows.

use std::{fmt::Write as _, ops::Range};

use rusqlite::{
    Connection, Row, params_from_iter,
    types::{Value, ValueRef},
};
use swift_types::ServerType;

use crate::{
    shape::Shape,
    tally::{PolicyTally, Tally},
};

/// The columns of [`Counts`].
const COLUMNS: [&str; 3] = ["container_count", "object_count", "bytes_used"];

/// As they are stored: null stays null, whatever is added.
type Counts = [Option<i64>; 3];

/// Where today's generation keeps them.
struct Kept {
    stat_table: &'static str,
    stat_columns: Range<usize>,
    policy_columns: Range<usize>,
}

const OF_OBJECTS: Kept = Kept { stat_table: "container_info", stat_columns: 0..0, policy_columns: 1..3 };
const OF_CONTAINERS: Kept = Kept { stat_table: "account_stat", stat_columns: 0..3, policy_columns: 0..3 };

/// What the triggers would have come to.
pub(crate) struct Ledger {
    kept: Kept,
    hash: String,
    stat: Counts,
    policies: Vec<PolicyLine>,
}

struct PolicyLine {
    policy: i64,
    stored: bool,
    counts: Counts,
}

impl Ledger {
    /// What hash and counts will be once the tally's rows are written; none if only the triggers can tell.
    ///
    /// That is so where there are others than today's, where the hash is none, where a count is no integer or might
    /// not stay one, and where rows go whose policy has no line.
    pub(crate) fn of(
        connection: &Connection,
        server_type: ServerType,
        tally: &Tally,
    ) -> rusqlite::Result<Option<Self>> {
        if !Shape::by_definitions(connection, server_type)?.todays_triggers {
            return Ok(None);
        }
        let kept = match server_type {
            ServerType::Account => OF_CONTAINERS,
            ServerType::Container => OF_OBJECTS,
        };
        let Some((hash, stat)) = kept.changed_stat(connection, tally)? else { return Ok(None) };
        let Some(policies) = kept.changed_policies(connection, tally)? else { return Ok(None) };
        Ok(Some(Self { kept, hash, stat, policies }))
    }

    /// Writes it all down. For a caller that has written the rows, with the triggers off.
    pub(crate) fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        let mut sql = format!("UPDATE {} SET hash = ?", self.kept.stat_table);
        let mut values = vec![Value::Text(self.hash)];
        for column in self.kept.stat_columns.clone() {
            let _ = write!(sql, ", {} = ?", COLUMNS[column]);
            values.push(self.stat[column].into());
        }
        connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
        for line in &self.policies {
            line.write(connection, &self.kept)?;
        }
        Ok(())
    }
}

impl PolicyLine {
    fn write(&self, connection: &Connection, kept: &Kept) -> rusqlite::Result<()> {
        let columns = &COLUMNS[kept.policy_columns.clone()];
        let sql = if self.stored {
            let set: Vec<_> = columns.iter().map(|column| format!("{column} = ?")).collect();
            format!("UPDATE policy_stat SET {} WHERE storage_policy_index = ?", set.join(", "))
        } else {
            let marks = vec!["?"; columns.len()];
            format!(
                "INSERT INTO policy_stat ({}, storage_policy_index) VALUES ({}, ?)",
                columns.join(", "),
                marks.join(", ")
            )
        };
        let counts = self.counts[kept.policy_columns.clone()].iter().copied();
        let values = counts.chain([Some(self.policy)]);
        connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
        Ok(())
    }
}

impl Kept {
    fn changed_stat(
        &self,
        connection: &Connection,
        tally: &Tally,
    ) -> rusqlite::Result<Option<(String, Counts)>> {
        let columns = [&["hash"], &COLUMNS[self.stat_columns.clone()]].concat().join(", ");
        let sql = format!("SELECT {columns} FROM {}", self.stat_table);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let hash = match row.get_ref(0)? {
            ValueRef::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        };
        let hash = hash.and_then(|hash| u128::from_str_radix(hash, 16).ok());
        let stat = integers(row, &self.stat_columns)?.and_then(|stat| tally.total().apply(stat));
        let only_row = rows.next()?.is_none();
        let known = hash.zip(stat).filter(|_| only_row);
        Ok(known.map(|(hash, stat)| (format!("{:032x}", hash ^ tally.digest), stat)))
    }

    fn changed_policies(
        &self,
        connection: &Connection,
        tally: &Tally,
    ) -> rusqlite::Result<Option<Vec<PolicyLine>>> {
        let columns = COLUMNS[self.policy_columns.clone()].join(", ");
        let sql = format!("SELECT storage_policy_index, {columns} FROM policy_stat");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            let policy = row.get(0)?;
            let Some(tallied) = tally.policies.iter().find(|tallied| tallied.policy == policy) else {
                continue;
            };
            let stored = integers(row, &self.policy_columns)?;
            let Some(counts) = stored.and_then(|stored| tallied.change.apply(stored)) else {
                return Ok(None);
            };
            lines.push(PolicyLine { policy, stored: true, counts });
        }
        let is_new = |tallied: &&PolicyTally| !lines.iter().any(|line| line.policy == tallied.policy);
        let new: Vec<_> = tally.policies.iter().filter(is_new).map(PolicyTally::first_line).collect();
        let Some(new) = new.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        lines.extend(new);
        Ok(Some(lines))
    }
}

impl PolicyTally {
    /// Of a policy that has none yet: the triggers begin with what comes in, and do not count what goes.
    fn first_line(&self) -> Option<PolicyLine> {
        let counts = self.change.apply([Some(0); 3]).filter(|_| !self.takes)?;
        Some(PolicyLine { policy: self.policy, stored: false, counts })
    }
}

/// The columns behind the first; none if one holds something else than an integer or null.
fn integers(row: &Row<'_>, columns: &Range<usize>) -> rusqlite::Result<Option<Counts>> {
    let mut counts = [None; 3];
    for (at, column) in columns.clone().enumerate() {
        counts[column] = match row.get_ref(at + 1)? {
            ValueRef::Integer(value) => Some(value),
            ValueRef::Null => None,
            _ => return Ok(None),
        };
    }
    Ok(Some(counts))
}
