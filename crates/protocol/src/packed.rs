//! What a database says of itself in one piece of memory, for those that remember many.
//!
//! Texts are their length and their bytes, numbers take as many bytes as they need, one after the other in the order of
//! the fields.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::{ContainerInfo, DbState, InfoOf, ReplicationInfo, SyncPoint};

/// A [`ReplicationInfo`] that takes little memory, some 200 bytes and the metadata, and gives back the same; cloning shares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedInfo(Arc<[u8]>);

impl PackedInfo {
    /// Of this one.
    pub fn new(info: &ReplicationInfo) -> Self {
        let mut packer = Packer::default();
        packer.info(info);
        Self(packer.into())
    }

    /// What was packed.
    pub fn info(&self) -> ReplicationInfo<&str> {
        Unpacker::new(&self.0).info()
    }
}

impl AsRef<[u8]> for PackedInfo {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Set in a byte of a number that more follow; the other seven bits are the next of the number, lowest first.
const MORE: u8 = 0x80;
/// By the numbers that stand for them.
const STATES: [DbState; 5] =
    [DbState::NotFound, DbState::Unsharded, DbState::Sharding, DbState::Sharded, DbState::Collapsed];

/// Writes the packed form.
#[derive(Default)]
pub(crate) struct Packer(Vec<u8>);

impl From<Packer> for Arc<[u8]> {
    fn from(packer: Packer) -> Self {
        packer.0.into()
    }
}

impl Packer {
    /// Packs behind what is there already.
    pub(crate) fn behind(start: &[u8]) -> Self {
        Self(start.to_vec())
    }

    pub(crate) fn info(&mut self, info: &ReplicationInfo) {
        let ReplicationInfo {
            account,
            created_at,
            put_timestamp,
            delete_timestamp,
            status_changed_at,
            bytes_used,
            hash,
            id,
            count,
            metadata,
            max_row,
            of,
        } = info;
        self.texts([account, created_at, put_timestamp, delete_timestamp, status_changed_at]);
        self.texts([hash, id, metadata]);
        self.numbers([*bytes_used, *count, *max_row]);
        match of {
            InfoOf::Account { object_count } => self.numbers([0, *object_count]),
            InfoOf::Container(container) => {
                self.numbers([1]);
                self.container(container);
            }
        }
    }

    fn container(&mut self, info: &ContainerInfo) {
        let ContainerInfo {
            container,
            status,
            reported_put_timestamp,
            reported_delete_timestamp,
            reported_object_count,
            reported_bytes_used,
            x_container_sync_point1,
            x_container_sync_point2,
            storage_policy_index,
            db_state,
            shard_max_row,
        } = info;
        self.texts([container, status, reported_put_timestamp, reported_delete_timestamp]);
        self.numbers([*reported_object_count, *reported_bytes_used, *x_container_sync_point1]);
        self.numbers([*x_container_sync_point2, *storage_policy_index, *db_state as i64, *shard_max_row]);
    }

    /// To be packed last.
    pub(crate) fn points(&mut self, points: &[SyncPoint]) {
        for point in points {
            self.texts([&point.remote_id]);
            self.numbers([point.sync_point]);
        }
    }

    fn texts<const N: usize>(&mut self, texts: [&String; N]) {
        for text in texts {
            self.unsigned(text.len() as u64);
            self.0.extend(text.as_bytes());
        }
    }

    /// Small ones of either sign are short.
    fn numbers<const N: usize>(&mut self, numbers: [i64; N]) {
        for number in numbers {
            self.unsigned((number << 1 ^ number >> 63).cast_unsigned());
        }
    }

    fn unsigned(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                return self.0.push(low & !MORE);
            }
            self.0.push(low | MORE);
        }
    }
}

/// Reads the packed form.
pub(crate) struct Unpacker<'a>(&'a [u8]);

impl<'a> Unpacker<'a> {
    pub(crate) fn new(packed: &'a [u8]) -> Self {
        Self(packed)
    }

    pub(crate) fn info(&mut self) -> ReplicationInfo<&'a str> {
        // Read in the order in which they are written here, which is that of the packer.
        ReplicationInfo {
            account: self.text(),
            created_at: self.text(),
            put_timestamp: self.text(),
            delete_timestamp: self.text(),
            status_changed_at: self.text(),
            hash: self.text(),
            id: self.text(),
            metadata: self.text(),
            bytes_used: self.number(),
            count: self.number(),
            max_row: self.number(),
            of: match self.number() {
                0 => InfoOf::Account { object_count: self.number() },
                _ => InfoOf::Container(self.container()),
            },
        }
    }

    fn container(&mut self) -> ContainerInfo<&'a str> {
        ContainerInfo {
            container: self.text(),
            status: self.text(),
            reported_put_timestamp: self.text(),
            reported_delete_timestamp: self.text(),
            reported_object_count: self.number(),
            reported_bytes_used: self.number(),
            x_container_sync_point1: self.number(),
            x_container_sync_point2: self.number(),
            storage_policy_index: self.number(),
            db_state: self.db_state(),
            shard_max_row: self.number(),
        }
    }

    /// All that is left.
    pub(crate) fn points(mut self) -> impl Iterator<Item = (&'a str, i64)> {
        std::iter::from_fn(move || (!self.0.is_empty()).then(|| (self.text(), self.number())))
    }

    fn db_state(&mut self) -> DbState {
        let number = self.number();
        STATES.into_iter().find(|state| *state as i64 == number).expect("a state was packed")
    }

    fn text(&mut self) -> &'a str {
        let length = usize::try_from(self.unsigned()).expect("it was the length of a text");
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        str::from_utf8(text).expect("a text was packed")
    }

    fn number(&mut self) -> i64 {
        let unsigned = self.unsigned();
        (unsigned >> 1).cast_signed() ^ -(unsigned & 1).cast_signed()
    }

    fn unsigned(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        while let Some((byte, rest)) = self.0.split_first() {
            self.0 = rest;
            number |= u64::from(byte & !MORE) << shift;
            shift += 7;
            if byte & MORE == 0 {
                break;
            }
        }
        number
    }
}
