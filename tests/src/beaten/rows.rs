//! Rows of the same name in several databases, and which of them is newest.

use std::collections::BTreeMap;

use serde_json::Value;

/// When a row's object, or container, was last written or deleted.
const ROW_TIMES: &[&str] = &["created_at", "put_timestamp", "delete_timestamp"];

pub(super) type Name<'a> = (Option<&'a str>, Option<i64>);

/// What a row is found by: in an account its policy is a property like others.
fn name_of(row: &Value) -> Name<'_> {
    let policy = row.get("created_at").and_then(|_| row["storage_policy_index"].as_i64());
    (row["name"].as_str(), policy)
}

/// All that a dump has of a database's rows.
pub(super) fn rows(database: &Value) -> impl Iterator<Item = &Value> {
    database["content"]["rows"].as_array().into_iter().flatten()
}

/// Of every name the rows of these databases, at least one each.
pub(super) fn variants<'a>(
    databases: impl Iterator<Item = &'a &'a Value>,
) -> BTreeMap<Name<'a>, Vec<&'a Value>> {
    let mut variants: BTreeMap<_, Vec<&Value>> = BTreeMap::new();
    for row in databases.flat_map(|database| rows(database)) {
        variants.entry(name_of(row)).or_default().push(row);
    }
    variants
}

/// Whether the row has the last times of all its variants.
pub(super) fn is_newest(row: &Value, variants: &[&Value]) -> bool {
    let last = |column| variants.iter().map(|row| seconds(&row[column])).fold(f64::NEG_INFINITY, f64::max);
    ROW_TIMES.iter().all(|column| seconds(&row[*column]) >= last(*column))
}

/// Whether all is equal but the two times of a container, which an account merges each by itself. Of equally old
/// counts it keeps those that it heard of last.
pub(super) fn alike_but_for_times(one: &Value, other: &Value) -> bool {
    let [one, other] = [one, other].map(|row| {
        let mut row = row.clone();
        if let Some(columns) = row.as_object_mut() {
            columns.retain(|column, _| !["put_timestamp", "delete_timestamp"].contains(&column.as_str()));
        }
        row
    });
    one == other
}

/// The seconds of a timestamp, without what may stand behind them.
pub(super) fn seconds(timestamp: &Value) -> f64 {
    let text = timestamp.as_str().unwrap_or_default();
    let digits = text.split(['_', '+', '-']).next().unwrap_or_default();
    digits.parse().unwrap_or(f64::NEG_INFINITY)
}
