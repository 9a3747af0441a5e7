//! One entry of a `.pending` file: base64 of a pickled tuple, protocol 2.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use protocol::{ContainerRow, ObjectRow, Rows};
use serde_pickle::{DeOptions, SerOptions, Value};

use crate::flat_pickle;

/// Reads an entry into the rows of its kind; the error says what is wrong with it.
///
/// Takes the tuples of every Swift so far: objects of 6 to 9 fields, containers of 6 or 7; strings of
/// Python 2 count as UTF-8. Answers to stock's `_commit_puts_load`.
pub(crate) fn read_entry(entry: &[u8], rows: &mut Rows<'static>) -> Result<(), String> {
    let pickle = STANDARD.decode(entry).map_err(|error| format!("not base64: {error}"))?;
    flat_pickle::check(&pickle).map_err(|reason| format!("not the pickle of an entry: {reason}"))?;
    let value = serde_pickle::value_from_slice(&pickle, DeOptions::new().decode_strings())
        .map_err(|error| format!("not a pickle: {error}"))?;
    let (Value::Tuple(fields) | Value::List(fields)) = value else {
        return Err("not a tuple".to_owned());
    };
    match rows {
        Rows::Objects(rows) => rows.push(object_row(&fields)?),
        Rows::Containers(rows) => rows.push(container_row(&fields)?),
    }
    Ok(())
}

fn object_row(fields: &[Value]) -> Result<ObjectRow<'static>, String> {
    Ok(ObjectRow {
        rowid: None,
        name: text(fields, 0)?,
        created_at: text(fields, 1)?,
        size: integer(fields, 2)?.ok_or("no size")?,
        content_type: text_or_null(fields, 3)?,
        etag: text_or_null(fields, 4)?,
        deleted: integer(fields, 5)?.ok_or("deleted is neither 0 nor 1")?,
        storage_policy_index: optional(fields, 6, integer)?.unwrap_or(0),
        ctype_timestamp: optional(fields, 7, text_or_null)?,
        meta_timestamp: optional(fields, 8, text_or_null)?,
    })
}

fn container_row(fields: &[Value]) -> Result<ContainerRow<'static>, String> {
    Ok(ContainerRow {
        rowid: None,
        name: text(fields, 0)?,
        put_timestamp: text_or_null(fields, 1)?,
        delete_timestamp: text_or_null(fields, 2)?,
        object_count: integer(fields, 3)?,
        bytes_used: integer(fields, 4)?,
        deleted: integer(fields, 5)?.ok_or("deleted is neither 0 nor 1")?,
        storage_policy_index: optional(fields, 6, integer)?.unwrap_or(0),
    })
}

type Reader<T> = fn(&[Value], usize) -> Result<Option<T>, String>;

fn optional<T>(fields: &[Value], index: usize, read: Reader<T>) -> Result<Option<T>, String> {
    if index < fields.len() { read(fields, index) } else { Ok(None) }
}

fn text(fields: &[Value], index: usize) -> Result<Cow<'static, str>, String> {
    text_or_null(fields, index)?.ok_or_else(|| format!("field {index} is null"))
}

fn text_or_null(fields: &[Value], index: usize) -> Result<Option<Cow<'static, str>>, String> {
    match fields.get(index) {
        None => Err(format!("field {index} is missing")),
        Some(Value::None) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone().into())),
        Some(Value::Bytes(bytes)) => match String::from_utf8(bytes.clone()) {
            Ok(text) => Ok(Some(text.into())),
            Err(_) => Err(format!("field {index} is not UTF-8")),
        },
        Some(Value::I64(number)) => Ok(Some(number.to_string().into())),
        Some(Value::F64(number)) => Ok(Some(format!("{number:?}").into())),
        Some(_) => Err(format!("field {index} is not text")),
    }
}

/// Numbers; also decimal text, as account servers put the headers of a container's report there unparsed.
#[expect(clippy::cast_possible_truncation, reason = "only integral values below 2^53 are cast")]
fn integer(fields: &[Value], index: usize) -> Result<Option<i64>, String> {
    let not_integer = || format!("field {index} is not an integer");
    match fields.get(index) {
        None => Err(format!("field {index} is missing")),
        Some(Value::None) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(i64::from(*value))),
        Some(Value::I64(value)) => Ok(Some(*value)),
        Some(Value::Int(value)) => value.to_string().parse().map(Some).map_err(|_| not_integer()),
        Some(Value::F64(value)) if value.fract() == 0.0 && value.abs() < 9e15 => Ok(Some(*value as i64)),
        Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| not_integer()),
        Some(_) => Err(not_integer()),
    }
}

/// A row that can be written as the tuple today's stock writes.
pub(crate) trait PendingTuple {
    fn to_tuple(&self) -> Vec<Value>;
}

impl PendingTuple for ObjectRow<'_> {
    fn to_tuple(&self) -> Vec<Value> {
        vec![
            Value::String(self.name.to_string()),
            Value::String(self.created_at.to_string()),
            Value::I64(self.size),
            text_value(self.content_type.as_ref()),
            text_value(self.etag.as_ref()),
            Value::I64(self.deleted),
            Value::I64(self.storage_policy_index),
            text_value(self.ctype_timestamp.as_ref()),
            text_value(self.meta_timestamp.as_ref()),
        ]
    }
}

impl PendingTuple for ContainerRow<'_> {
    fn to_tuple(&self) -> Vec<Value> {
        vec![
            Value::String(self.name.to_string()),
            text_value(self.put_timestamp.as_ref()),
            text_value(self.delete_timestamp.as_ref()),
            self.object_count.map_or(Value::None, Value::I64),
            self.bytes_used.map_or(Value::None, Value::I64),
            Value::I64(self.deleted),
            Value::I64(self.storage_policy_index),
        ]
    }
}

fn text_value(text: Option<&Cow<'_, str>>) -> Value {
    text.map_or(Value::None, |text| Value::String(text.to_string()))
}

/// Appends one entry. Stock: `make_tuple_for_pickle` and the end of `put_record`.
pub(crate) fn write_entry(bytes: &mut Vec<u8>, row: &impl PendingTuple) {
    let pickle = serde_pickle::value_to_vec(&Value::Tuple(row.to_tuple()), SerOptions::new().proto_v2())
        .expect("a tuple of strings and numbers pickles");
    bytes.push(b':');
    bytes.extend_from_slice(STANDARD.encode(pickle).as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn objects(entry: &str) -> Result<ObjectRow<'static>, String> {
        let mut rows = Rows::Objects(Vec::new());
        read_entry(entry.as_bytes(), &mut rows)?;
        let Rows::Objects(mut rows) = rows else { unreachable!() };
        Ok(rows.remove(0))
    }

    #[test]
    fn reads_what_python_wrote() {
        // base64(pickle.dumps(('o', '0000000001.00000', 5, 'a/b', 'etag', 0), protocol=2)) and with 9 fields
        let six = "gAIoWAEAAABvcQBYEAAAADAwMDAwMDAwMDEuMDAwMDBxAUsFWAMAAABhL2JxAlgEAAAAZXRhZ3EDSwB0cQQu";
        let row = objects(six).unwrap();
        assert_eq!((&*row.name, row.size, row.storage_policy_index), ("o", 5, 0));
        assert_eq!(row.ctype_timestamp, None);
        // Python 2 wrote byte strings: U (SHORT_BINSTRING) holding UTF-8
        let python2 = b"\x80\x02(U\x03o\xc3\xa9U\x011K\x05U\x01tU\x01eK\x00t.";
        assert_eq!(objects(&STANDARD.encode(python2)).unwrap().name, "oé");
    }

    #[test]
    fn what_is_not_an_entry_is_an_error() {
        for bad in ["", "!", "AAAA", "gAJLAS4=", "gAIpLg=="] {
            assert!(objects(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(name in ".*", size in any::<i64>(), etag in proptest::option::of(".*")) {
            let row = ObjectRow {
                rowid: None, name: name.into(), created_at: "1".into(), size,
                content_type: Some("t".into()), etag: etag.map(Cow::Owned),
                deleted: 1, storage_policy_index: 3, ctype_timestamp: None, meta_timestamp: Some("2".into()),
            };
            let mut bytes = Vec::new();
            write_entry(&mut bytes, &row);
            prop_assert_eq!(objects(std::str::from_utf8(&bytes[1..]).unwrap()).unwrap(), row);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = objects(&STANDARD.encode(&bytes));
            let _ = read_entry(&bytes, &mut Rows::Containers(Vec::new()));
        }
    }
}
