//! All replicas read side by side, name by name.

use db_broker::{NamedRow, RowsByName};
use serde::Serialize;

use super::DiffError;
use crate::progress::Progress;

/// What the replicas that were read have of one row.
#[derive(Debug)]
pub(crate) struct DifferingRow {
    pub(crate) name: String,
    pub(crate) policy: i64,
    /// In the order of the replicas.
    pub(crate) cells: Vec<Cell>,
}

/// What one replica has of it.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) state: RowState,
    pub(crate) row: Option<NamedRow>,
}

/// Of a row in one replica, beside what replication will make of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RowState {
    /// It is what all will have.
    Newest,
    /// Others have newer data, content type or metadata of it.
    Older,
    /// Others are of the same moments and say something else, and none of them is the newest. Of objects replication does not
    /// see that; of an account's rows the hashes differ, and whatever comes last stays.
    OtherContent,
    /// There is none.
    Missing,
}

/// What came of the walk.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Names with their policies.
    pub(crate) compared: u64,
    /// Of these.
    pub(crate) differing: u64,
    /// The first of those.
    pub(crate) listed: Vec<DifferingRow>,
    /// For each replica.
    pub(crate) tallies: Vec<Tally>,
}

/// How many rows that differ are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    /// It has none.
    pub(crate) missing: u64,
    /// Others have newer ones.
    pub(crate) older: u64,
    /// Of the same moments.
    pub(crate) other_content: u64,
    /// No other has it.
    pub(crate) only_here: u64,
}

/// Holds a page of each replica, and the rows that are listed.
pub(crate) fn walk(
    mut replicas: Vec<RowsByName>,
    limit: usize,
    progress: &Progress,
) -> Result<Walked, DiffError> {
    let mut walked = Walked { tallies: vec![Tally::default(); replicas.len()], ..Walked::default() };
    let mut heads = replicas.iter_mut().map(RowsByName::next_row).collect::<Result<Vec<_>, _>>()?;
    while let Some((name, policy)) = first(&heads) {
        let mut rows = Vec::with_capacity(heads.len());
        for (head, replica) in heads.iter_mut().zip(&mut replicas) {
            let is_it = head.as_ref().is_some_and(|row| row.name() == name && row.policy() == policy);
            rows.push(if is_it { std::mem::replace(head, replica.next_row()?) } else { None });
        }
        walked.compared += 1;
        progress.step();
        if rows.windows(2).all(|pair| pair[0] == pair[1]) {
            continue;
        }
        let row = DifferingRow { name, policy, cells: cells(rows)? };
        walked.note(&row);
        progress.say(format!(", {} differ", walked.differing));
        if walked.listed.len() < limit {
            walked.listed.push(row);
        }
    }
    Ok(walked)
}

/// The name and policy that come first.
fn first(heads: &[Option<NamedRow>]) -> Option<(String, i64)> {
    let first = heads.iter().flatten().min_by_key(|row| (row.name(), row.policy()));
    first.map(|row| (row.name().to_owned(), row.policy()))
}

fn cells(rows: Vec<Option<NamedRow>>) -> Result<Vec<Cell>, DiffError> {
    let newest = NamedRow::merged(rows.iter().flatten()).map_err(DiffError::BadRow)?;
    let contested = match &newest {
        Some(newest) => is_contested(newest, &rows)?,
        None => false,
    };
    let state = |row: &Option<NamedRow>| match (row, &newest) {
        (None, _) => RowState::Missing,
        (Some(row), Some(newest)) if contested && row.has_times_of(newest) => RowState::OtherContent,
        (Some(row), Some(newest)) if row == newest => RowState::Newest,
        (Some(_), _) => RowState::Older,
    };
    Ok(rows.into_iter().map(|row| Cell { state: state(&row), row }).collect())
}

/// Whether another order of the replicas would have made another row the newest: of an account's rows, counts are those of
/// whatever comes last, even if its times are older ones.
fn is_contested(newest: &NamedRow, rows: &[Option<NamedRow>]) -> Result<bool, DiffError> {
    for row in rows.iter().flatten().filter(|row| *row != newest) {
        let after = NamedRow::merged([newest, row]).map_err(DiffError::BadRow)?;
        if row.has_times_of(newest) || after.as_ref() != Some(newest) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Walked {
    fn note(&mut self, row: &DifferingRow) {
        self.differing += 1;
        let there = row.cells.iter().filter(|cell| cell.row.is_some()).count();
        for (tally, cell) in self.tallies.iter_mut().zip(&row.cells) {
            match cell.state {
                RowState::Missing => tally.missing += 1,
                RowState::Older => tally.older += 1,
                RowState::OtherContent => tally.other_content += 1,
                RowState::Newest => tally.only_here += u64::from(there == 1),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ContainerRow, ObjectRow};

    use super::*;

    fn of_account(put: u8, objects: i64) -> NamedRow {
        NamedRow::Container(ContainerRow {
            rowid: None,
            name: "c".into(),
            put_timestamp: Some(format!("170000000{put}.00000").into()),
            delete_timestamp: Some("0".into()),
            object_count: Some(objects),
            bytes_used: Some(0),
            deleted: 0,
            storage_policy_index: 0,
        })
    }

    fn object(time: u8, size: i64) -> NamedRow {
        NamedRow::Object(ObjectRow {
            rowid: None,
            name: "o".into(),
            created_at: format!("170000000{time}.00000").into(),
            size,
            content_type: Some("text/plain".into()),
            etag: Some("e".into()),
            deleted: 0,
            storage_policy_index: 0,
            ctype_timestamp: None,
            meta_timestamp: None,
        })
    }

    /// In every order of the replicas.
    fn are(rows: &[(Option<NamedRow>, RowState); 3]) {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let found = cells(order.map(|at| rows[at].0.clone()).to_vec()).unwrap();
            let states: Vec<_> = found.iter().map(|cell| cell.state).collect();
            assert_eq!(states, order.map(|at| rows[at].1), "{order:?} of {rows:?}");
        }
    }

    #[test]
    fn no_order_of_the_replicas_makes_one_of_two_rows_of_a_time_the_newest() {
        use RowState::{Missing, Newest, Older, OtherContent};
        for of in [of_account, object] {
            are(&[
                (Some(of(2, 5)), OtherContent),
                (Some(of(2, 7)), OtherContent),
                (Some(of(2, 5)), OtherContent),
            ]);
            are(&[(Some(of(2, 5)), OtherContent), (Some(of(2, 7)), OtherContent), (None, Missing)]);
            are(&[(Some(of(2, 5)), Newest), (Some(of(2, 5)), Newest), (None, Missing)]);
        }
        are(&[(Some(object(2, 5)), Newest), (Some(object(1, 7)), Older), (None, Missing)]);
        are(&[(Some(of_account(2, 5)), Newest), (Some(of_account(1, 5)), Older), (None, Missing)]);
        // Its counts come to the other, and the other's to it.
        are(&[(Some(of_account(2, 5)), OtherContent), (Some(of_account(1, 7)), Older), (None, Missing)]);
    }
}
