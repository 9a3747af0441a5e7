use serde::Serialize;

use crate::{Capabilities, Capability, ContainerRow, ObjectRow, SyncPoint};

/// How a row is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowForm {
    /// With the name of each column, as stock writes and reads it.
    Object,
    /// Its values alone, in the order of [`ObjectRow`] or [`ContainerRow`], for a peer that says [`Capability::RowLists`].
    List,
}

impl RowForm {
    /// For a peer that can do this.
    pub fn of(peer: Capabilities) -> Self {
        if peer.has(Capability::RowLists) { Self::List } else { Self::Object }
    }
}

/// Rows on their way to a peer: JSON as soon as they are read, so that no row is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenRows {
    form: RowForm,
    /// The beginning of the message that they go in.
    json: Vec<u8>,
    count: usize,
    last_rowid: Option<i64>,
}

/// What stands before the rows.
const BEGINNING: &[u8] = br#"["merge_items",["#;

impl WrittenRows {
    /// None yet.
    pub fn new(form: RowForm) -> Self {
        Self { form, json: BEGINNING.to_vec(), count: 0, last_rowid: None }
    }

    /// One more row of a container database.
    pub fn push_object(&mut self, row: &ObjectRow<'_>) {
        match self.form {
            RowForm::Object => self.push(row.rowid, row),
            RowForm::List => self.push(row.rowid, &row.values()),
        }
    }

    /// One more row of an account database.
    pub fn push_container(&mut self, row: &ContainerRow<'_>) {
        match self.form {
            RowForm::Object => self.push(row.rowid, row),
            RowForm::List => self.push(row.rowid, &row.values()),
        }
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

    fn container(rowid: i64) -> ContainerRow<'static> {
        ContainerRow {
            rowid: Some(rowid),
            name: "c".into(),
            put_timestamp: Some("0000000001.00000".into()),
            delete_timestamp: None,
            object_count: Some(2),
            bytes_used: None,
            deleted: 1,
            storage_policy_index: 3,
        }
    }

    /// The message that is written row by row, and the one that is meant.
    fn both(form: RowForm, rows: Rows<'static>, points: &[SyncPoint]) -> (Vec<u8>, Request<'static>) {
        let mut written = WrittenRows::new(form);
        match &rows {
            Rows::Objects(rows) => rows.iter().for_each(|row| written.push_object(row)),
            Rows::Containers(rows) => rows.iter().for_each(|row| written.push_container(row)),
        }
        assert_eq!((written.len(), written.last_rowid()), (rows.len(), rows.last_rowid()));
        assert_eq!(written.bytes() == 0, rows.is_empty());
        let meant = Request::MergeItems { rows, source: Some("us".to_owned()), points: points.to_vec() };
        (written.into_merge_items("us", points), meant)
    }

    #[test]
    fn what_is_written_row_by_row_is_the_message() {
        let point = SyncPoint { remote_id: "other".into(), sync_point: 4 };
        for points in [vec![], vec![point]] {
            for rowids in [&[][..], &[5], &[5, 9]] {
                let objects = Rows::Objects(rowids.iter().copied().map(object).collect());
                let containers = Rows::Containers(rowids.iter().copied().map(container).collect());
                for (server_type, rows) in
                    [(ServerType::Container, objects), (ServerType::Account, containers)]
                {
                    let (list, meant) = both(RowForm::List, rows.clone(), &points);
                    assert_eq!(Request::parse(server_type, &list).unwrap(), meant);
                    let (object, meant) = both(RowForm::Object, rows, &points);
                    assert_eq!(object, meant.to_json());
                }
            }
        }
    }

    #[test]
    fn values_go_alone_only_where_that_is_understood() {
        assert_eq!(RowForm::of(Capabilities::default()), RowForm::Object);
        assert_eq!(RowForm::of(Capabilities::from_header("row-batches")), RowForm::Object);
        assert_eq!(RowForm::of(Capabilities::from_header("row-batches, row-lists")), RowForm::List);
        let (list, _) = both(RowForm::List, Rows::Containers(vec![container(5)]), &[]);
        let values = r#"[5,"c","0000000001.00000",null,2,null,1,3]"#;
        assert_eq!(String::from_utf8(list).unwrap(), format!(r#"["merge_items",[{values}],"us"]"#));
    }
}
