//! The answer as a whole. Its fields are the JSON document: their names stay.

use db_broker::NamedRow;
use serde::Serialize;
use serde_json::Value;
use swift_types::ServerType;

use super::{
    replicas::{Reading, Replica},
    table,
    walk::{Cell, DifferingRow, RowState, Tally, Walked},
};
use crate::{
    subject::{Head, Role, Subject},
    told::Told,
};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) head: Head,
    /// Whether no row differs, and none of the primaries that are looked for here is missing.
    pub(crate) equal: bool,
    /// Rows by name and policy, in any of the replicas that were read.
    pub(crate) rows_compared: u64,
    /// Of these.
    pub(crate) rows_differing: u64,
    pub(crate) replicas: Vec<ReplicaReport>,
    /// Those that differ, in the order of their names, as many as `--limit` says.
    pub(crate) rows: Vec<RowReport>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReplicaReport {
    #[serde(flatten)]
    pub(crate) replica: Replica,
    /// Of its rows; none where it was not read.
    pub(crate) rows: Option<Tally>,
}

#[derive(Debug, Serialize)]
pub(crate) struct RowReport {
    pub(crate) name: String,
    /// None of an account's rows, which are told by their names alone.
    pub(crate) storage_policy_index: Option<i64>,
    /// In the order of those replicas that were read.
    pub(crate) replicas: Vec<CellReport>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CellReport {
    /// As among `replicas`.
    pub(crate) name: String,
    pub(crate) state: RowState,
    /// Whether it is a tombstone.
    pub(crate) deleted: bool,
    /// With the names of its columns; null where there is none.
    pub(crate) row: Value,
}

impl Report {
    pub(crate) fn of(subject: &Subject, replicas: Vec<Replica>, walked: Walked) -> Self {
        let read: Vec<_> = replicas.iter().filter(|replica| replica.status == Reading::Read).collect();
        let names: Vec<_> = read.iter().map(|replica| replica.name.clone()).collect();
        let server_type = subject.server_type();
        let rows = walked.listed.into_iter().map(|row| RowReport::of(row, server_type, &names)).collect();
        let lacks =
            |replica: &Replica| replica.status == Reading::Missing && replica.role == Some(Role::Primary);
        let equal = walked.differing == 0 && !replicas.iter().any(lacks);
        let mut tallies = walked.tallies.into_iter();
        let with_tally = |replica: Replica| {
            let rows = if replica.status == Reading::Read { tallies.next() } else { None };
            ReplicaReport { replica, rows }
        };
        Self {
            head: subject.head(),
            equal,
            rows_compared: walked.compared,
            rows_differing: walked.differing,
            replicas: replicas.into_iter().map(with_tally).collect(),
            rows,
        }
    }
}

impl Told for Report {
    fn is_as_it_should_be(&self) -> bool {
        self.equal
    }

    fn text(&self) -> String {
        table::text(self)
    }
}

impl RowReport {
    fn of(row: DifferingRow, server_type: ServerType, names: &[String]) -> Self {
        let DifferingRow { name, policy, cells } = row;
        let storage_policy_index = match server_type {
            ServerType::Account => None,
            ServerType::Container => Some(policy),
        };
        let replicas = cells.into_iter().zip(names).map(|(cell, name)| CellReport::of(cell, name));
        Self { name, storage_policy_index, replicas: replicas.collect() }
    }
}

impl CellReport {
    fn of(Cell { state, row }: Cell, name: &str) -> Self {
        let deleted = row.as_ref().is_some_and(NamedRow::is_deleted);
        let row = match row {
            Some(NamedRow::Object(row)) => serde_json::to_value(row),
            Some(NamedRow::Container(row)) => serde_json::to_value(row),
            None => Ok(Value::Null),
        };
        // A row of texts and numbers is always JSON.
        Self { name: name.to_owned(), state, deleted, row: row.unwrap_or_default() }
    }
}
