use serde::Serialize;

use crate::{ContainerRow, ObjectRow, SyncPoint};

/// Rows on their way to a peer: JSON as soon as they are read, so that no row is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenRows {
    /// The beginning of the message that they go in.
    json: Vec<u8>,
    count: usize,
    last_rowid: Option<i64>,
}

/// What stands before the rows.
const BEGINNING: &[u8] = br#"["merge_items",["#;

impl Default for WrittenRows {
    fn default() -> Self {
        Self { json: BEGINNING.to_vec(), count: 0, last_rowid: None }
    }
}

impl WrittenRows {
    /// One more row of a container database.
    pub fn push_object(&mut self, row: &ObjectRow<'_>) {
        self.push(row.rowid, row);
    }

    /// One more row of an account database.
    pub fn push_container(&mut self, row: &ContainerRow<'_>) {
        self.push(row.rowid, row);
    }

    fn push(&mut self, rowid: Option<i64>, row: &impl Serialize) {
        if self.count > 0 {
            self.json.push(b',');
        }
        self.write(row);
        self.count += 1;
        self.last_rowid = rowid;
    }

    fn write(&mut self, value: &impl Serialize) {
        serde_json::to_writer(&mut self.json, value).expect("rows and points hold nothing that JSON cannot");
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes they take in a message.
    pub fn bytes(&self) -> usize {
        self.json.len() - BEGINNING.len()
    }

    /// The row id of the last row: where the next batch goes on.
    pub fn last_rowid(&self) -> Option<i64> {
        self.last_rowid
    }

    /// The body of the message that has the peer merge them: of a [`Request::MergeItems`](crate::Request::MergeItems) from the
    /// database with the id `source`, with its incoming points if there are any.
    pub fn into_merge_items(mut self, source: &str, points: &[SyncPoint]) -> Vec<u8> {
        self.json.extend(b"],");
        self.write(&source);
        if !points.is_empty() {
            self.json.push(b',');
            self.write(&points);
        }
        self.json.push(b']');
        self.json
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Request, Rows, ServerType};

    fn object(rowid: i64) -> ObjectRow<'static> {
        ObjectRow {
            rowid: Some(rowid),
            name: "o\"\u{e9}\u{1}".into(),
            created_at: "0000000001.00000".into(),
            size: 7,
            content_type: None,
            etag: Some("e".into()),
            deleted: 0,
            storage_policy_index: 1,
            ctype_timestamp: None,
            meta_timestamp: None,
        }
    }

    #[test]
    fn what_is_written_row_by_row_is_the_message() {
        let point = SyncPoint { remote_id: "other".into(), sync_point: 4 };
        for points in [vec![], vec![point]] {
            for objects in [vec![], vec![object(5)], vec![object(5), object(9)]] {
                let mut rows = WrittenRows::default();
                objects.iter().for_each(|row| rows.push_object(row));
                assert_eq!(
                    (rows.len(), rows.last_rowid()),
                    (objects.len(), objects.last().and(rows.last_rowid()))
                );
                let (rows, source) = (rows.into_merge_items("us", &points), Some("us".to_owned()));
                let request =
                    Request::MergeItems { rows: Rows::Objects(objects), source, points: points.clone() };
                assert_eq!(Request::parse(ServerType::Container, &rows).unwrap(), request);
                assert_eq!(rows, request.to_json());
            }
        }
    }
}
