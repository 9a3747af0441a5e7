use std::io::Read;

use serde::Deserialize;

use crate::error::{MAX_REPLICAS, MAX_TABLE_BYTES, Reason};

pub(crate) const ASSIGNMENTS: &str = "assignments";
const CHUNK_BYTES: u64 = 64 << 10;

/// The order of the bytes of one device id.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// The order of this machine, which stock assumes of v1 files that name none.
    pub(crate) const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };
}

/// Device ids by replica and partition: whole rows behind one another, only the last may be shorter.
pub(crate) struct Table {
    partitions: u64,
    ids: Ids,
}

enum Ids {
    Two(Vec<u16>),
    Four(Vec<u32>),
}

impl Table {
    /// An empty table for ids of `id_bytes` bytes.
    pub(crate) fn new(part_shift: u32, id_bytes: u64) -> Result<Self, Reason> {
        if part_shift > 32 {
            let detail = format!("part_shift is {part_shift}, 0 to 32 is possible");
            return Err(Reason::corrupted("metadata", detail));
        }
        let ids = match id_bytes {
            2 => Ids::Two(Vec::new()),
            4 => Ids::Four(Vec::new()),
            _ => {
                let detail = format!("dev_id_bytes is {id_bytes}, 2 or 4 is possible");
                return Err(Reason::corrupted("metadata", detail));
            }
        };
        Ok(Self { partitions: 1 << (32 - part_shift), ids })
    }

    /// How many bytes `replicas` whole rows take in the file, if that is within the limits.
    pub(crate) fn byte_length(&self, replicas: u64) -> Result<u64, Reason> {
        if replicas > MAX_REPLICAS {
            return Err(Reason::TooManyReplicas(replicas));
        }
        let bytes = replicas * self.row_bytes();
        Reason::check_limit(ASSIGNMENTS, bytes, MAX_TABLE_BYTES)?;
        Ok(bytes)
    }

    pub(crate) fn row_bytes(&self) -> u64 {
        match self.ids {
            Ids::Two(_) => 2 * self.partitions,
            Ids::Four(_) => 4 * self.partitions,
        }
    }

    /// Appends everything that `stream` still gives and returns the number of bytes. The caller limits it.
    pub(crate) fn fill(&mut self, stream: &mut impl Read, order: ByteOrder) -> Result<u64, Reason> {
        let mut total = 0;
        let mut chunk = Vec::new();
        loop {
            chunk.clear();
            let read = stream.take(CHUNK_BYTES).read_to_end(&mut chunk);
            total += read.map_err(|error| Reason::of_stream(ASSIGNMENTS, error))? as u64;
            if chunk.is_empty() {
                return Ok(total);
            }
            self.append(&chunk, order)?;
        }
    }

    fn append(&mut self, chunk: &[u8], order: ByteOrder) -> Result<(), Reason> {
        let rest = match &mut self.ids {
            Ids::Two(ids) => {
                let (items, rest) = chunk.as_chunks();
                ids.extend(items.iter().map(|item| match order {
                    ByteOrder::Little => u16::from_le_bytes(*item),
                    ByteOrder::Big => u16::from_be_bytes(*item),
                }));
                rest
            }
            Ids::Four(ids) => {
                let (items, rest) = chunk.as_chunks();
                ids.extend(items.iter().map(|item| match order {
                    ByteOrder::Little => u32::from_le_bytes(*item),
                    ByteOrder::Big => u32::from_be_bytes(*item),
                }));
                rest
            }
        };
        if rest.is_empty() {
            return Ok(());
        }
        Err(Reason::corrupted(ASSIGNMENTS, "the table ends in the middle of a device id"))
    }

    pub(crate) fn partitions(&self) -> u64 {
        self.partitions
    }

    /// The number of rows, a short last one included.
    pub(crate) fn rows(&self) -> u64 {
        self.len().div_ceil(self.partitions)
    }

    /// Replicas with the fraction of a short last row. Stock: `calc_replica_count`.
    pub(crate) fn replica_count(&self) -> f64 {
        let exact = |count: u64| f64::from(u32::try_from(count).expect("the table's limit is below 2^32"));
        match self.len() % self.partitions {
            0 => exact(self.len() / self.partitions),
            short => exact(self.len() / self.partitions) + exact(short) / exact(self.partitions),
        }
    }

    /// The device id of one replica; `None` where the row does not reach.
    pub(crate) fn get(&self, row: u64, partition: u64) -> Option<u32> {
        if partition >= self.partitions {
            return None;
        }
        let index = usize::try_from(row * self.partitions + partition).ok()?;
        match &self.ids {
            Ids::Two(ids) => ids.get(index).copied().map(u32::from),
            Ids::Four(ids) => ids.get(index).copied(),
        }
    }

    /// The row, partition and id of the first assignment that `wanted` is true of.
    pub(crate) fn find(&self, mut wanted: impl FnMut(u32) -> bool) -> Option<(u64, u64, u32)> {
        let index = match &self.ids {
            Ids::Two(ids) => ids.iter().position(|id| wanted(u32::from(*id))),
            Ids::Four(ids) => ids.iter().position(|id| wanted(*id)),
        };
        let index = index? as u64;
        let (row, partition) = (index / self.partitions, index % self.partitions);
        Some((row, partition, self.get(row, partition)?))
    }

    fn len(&self) -> u64 {
        match &self.ids {
            Ids::Two(ids) => ids.len() as u64,
            Ids::Four(ids) => ids.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_last_row_is_a_fraction() {
        let mut table = Table::new(30, 2).unwrap();
        table.fill(&mut [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6].as_slice(), ByteOrder::Big).unwrap();
        assert!((table.replica_count() - 1.5).abs() < f64::EPSILON);
        assert_eq!(table.rows(), 2);
        assert_eq!((table.get(0, 3), table.get(1, 1), table.get(1, 2)), (Some(4), Some(6), None));
        assert_eq!(table.get(0, 4), None, "the next row is not an overflow of this one");
    }

    #[test]
    fn both_byte_orders_and_widths() {
        for (order, expected) in [(ByteOrder::Big, 0x0102), (ByteOrder::Little, 0x0201)] {
            let mut table = Table::new(32, 2).unwrap();
            table.fill(&mut [1, 2].as_slice(), order).unwrap();
            assert_eq!(table.get(0, 0), Some(expected));
        }
        for (order, expected) in [(ByteOrder::Big, 0x0102_0304), (ByteOrder::Little, 0x0403_0201)] {
            let mut table = Table::new(32, 4).unwrap();
            table.fill(&mut [1, 2, 3, 4].as_slice(), order).unwrap();
            assert_eq!(table.get(0, 0), Some(expected));
        }
    }

    #[test]
    fn half_an_id_is_a_corruption() {
        let mut table = Table::new(32, 2).unwrap();
        assert!(matches!(table.fill(&mut [1].as_slice(), ByteOrder::Big), Err(Reason::Corrupted { .. })));
    }

    #[test]
    fn impossible_shapes_are_refused() {
        assert!(Table::new(33, 2).is_err());
        assert!(Table::new(0, 1).is_err());
        assert!(Table::new(32, 2).unwrap().byte_length(MAX_REPLICAS + 1).is_err());
        let largest = Table::new(0, 2).unwrap();
        assert!(matches!(largest.byte_length(1), Err(Reason::TooLarge { .. })));
    }
}
