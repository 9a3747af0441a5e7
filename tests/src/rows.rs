use protocol::{ContainerRow, ObjectRow};

const MD5_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// The row of an object of one byte, as a container server writes it for a PUT at that time.
pub fn object_row(name: impl Into<String>, created_at: impl Into<String>) -> ObjectRow<'static> {
    ObjectRow {
        rowid: None,
        name: name.into().into(),
        created_at: created_at.into().into(),
        size: 1,
        content_type: Some("text/plain".into()),
        etag: Some(MD5_OF_NOTHING.into()),
        deleted: 0,
        storage_policy_index: 0,
        ctype_timestamp: None,
        meta_timestamp: None,
    }
}

/// The row of an empty container, as an account server writes it for a PUT at that time.
pub fn container_row(name: impl Into<String>, put_timestamp: impl Into<String>) -> ContainerRow<'static> {
    ContainerRow {
        rowid: None,
        name: name.into().into(),
        put_timestamp: Some(put_timestamp.into().into()),
        delete_timestamp: Some("0".into()),
        object_count: Some(0),
        bytes_used: Some(0),
        deleted: 0,
        storage_policy_index: 0,
    }
}
