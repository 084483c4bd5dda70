//! The records of a benchmark: how many, how long, and what is in them.

use flatrec::{DataType, Field, Schema};

/// Where the number of a record lies.
const ID_AT: usize = 0;
/// Where the value lies that follows from it.
const VALUE_AT: usize = 8;
/// Where the turn lies in which the record was last written.
const TURN_AT: usize = 16;
/// What fills the record.
const REST_AT: usize = 20;
/// The least length of a record.
pub(crate) const BYTES_MIN: u32 = 24;

/// How many records, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) records: u64,
    pub(super) bytes: u32,
}

impl Shape {
    pub(super) fn record_len(self) -> usize {
        self.bytes as usize
    }

    pub(super) fn total_bytes(self) -> u64 {
        self.records * u64::from(self.bytes)
    }

    /// The records of about 1 MiB.
    pub(super) fn chunk_records(self) -> usize {
        ((1 << 20) / self.record_len()).max(1)
    }

    pub(super) fn schema(self) -> flatrec::Result<Schema> {
        let rest = self.bytes - REST_AT as u32;
        Schema::packed([
            Field::new("id", DataType::UInt64),
            Field::new("value", DataType::UInt64),
            Field::new("turn", DataType::UInt32),
            Field::new("rest", DataType::Binary(rest)),
        ])
    }

    /// Writes record `id` as it is since `turn`.
    #[inline]
    pub(super) fn fill(self, record: &mut [u8], id: u64, turn: u32) {
        let value = value_of(id);
        record[ID_AT..][..8].copy_from_slice(&id.to_le_bytes());
        record[VALUE_AT..][..8].copy_from_slice(&value.to_le_bytes());
        record[TURN_AT..][..4].copy_from_slice(&turn.to_le_bytes());
        let word = value.rotate_left(31).to_le_bytes();
        let mut words = record[REST_AT..].chunks_exact_mut(8);
        words.by_ref().for_each(|place| place.copy_from_slice(&word));
        words.into_remainder().fill(id as u8);
    }

    /// What [`digest`] makes of record `id`.
    pub(super) fn digest_of(self, id: u64) -> u64 {
        let word = value_of(id).rotate_left(31);
        let rest = self.record_len() - REST_AT;
        let words = word.wrapping_mul((rest / 8) as u64);
        let tail = u64::from(id as u8).wrapping_mul((rest % 8) as u64);
        two_fields_of(id).wrapping_add(words).wrapping_add(tail)
    }

    /// Numbers of records, at random and the same each time for a `seed`.
    pub(super) fn random_ids(self, seed: u64, count: u64) -> Vec<u64> {
        let mut state = seed.wrapping_mul(2).wrapping_add(1);
        let mut next = || {
            // xorshift64*, which is enough to pick records.
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % self.records
        };
        (0..count).map(|_| next()).collect()
    }
}

fn value_of(id: u64) -> u64 {
    id.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// What [`two_fields`] makes of record `id`.
pub(super) fn two_fields_of(id: u64) -> u64 {
    id.wrapping_add(value_of(id))
}

#[inline]
fn word_at(record: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(record[at..at + 8].try_into().expect("8 bytes"))
}

/// A sum that touches every byte but those of the turn.
#[inline]
pub(super) fn digest(record: &[u8]) -> u64 {
    let mut words = record[REST_AT..].chunks_exact(8);
    let sum =
        words.by_ref().fold(two_fields(record), |sum, word| sum.wrapping_add(word_at(word, 0)));
    let tail = words.remainder().iter();
    tail.fold(sum, |sum, &byte| sum.wrapping_add(u64::from(byte)))
}

/// A sum that touches two fields.
#[inline]
pub(super) fn two_fields(record: &[u8]) -> u64 {
    word_at(record, ID_AT).wrapping_add(word_at(record, VALUE_AT))
}

/// The length of the part that [`two_fields`] reads.
pub(super) const TWO_FIELDS_BYTES: usize = 16;

/// The turn in which the record was written.
pub(super) fn turn(record: &[u8]) -> u32 {
    u32::from_le_bytes(record[TURN_AT..][..4].try_into().expect("4 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds a digest that does not see a byte of the record, or that is not the expected one.
    #[test]
    fn a_digest_is_that_of_the_record_and_sees_every_byte() {
        for bytes in [BYTES_MIN, 25, 31, 32, 125, 4096] {
            let shape = Shape { records: 10, bytes };
            let mut record = vec![0; shape.record_len()];
            for (id, at) in (0..10).flat_map(|id| [(id, 0), (id, 20), (id, shape.record_len() - 1)])
            {
                shape.fill(&mut record, id, 7);
                assert_eq!(digest(&record), shape.digest_of(id), "{bytes} bytes, record {id}");
                assert_eq!(two_fields(&record), two_fields_of(id));
                assert_eq!(turn(&record), 7);
                record[at] ^= 1;
                assert_ne!(digest(&record), shape.digest_of(id), "{bytes} bytes, byte {at}");
            }
            assert_eq!(shape.schema().unwrap().record_size(), bytes);
        }
    }
}
