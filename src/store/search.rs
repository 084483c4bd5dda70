//! Binary searches among sorted records, some of which may be deleted.

use std::cmp::Ordering;

use super::handle::Store;
use crate::txn::Row;

impl<R: Row + ?Sized> Store<R> {
    /// The number of the first record for which `is_before` is false; the record count if it is
    /// true for all. The records must be sorted so that those for which it is true come first.
    /// Skips deleted records, and those with a damaged status byte.
    ///
    /// It reads about log₂ n records of n, and beside each the skipped ones up to the next other
    /// record: at worst all skipped ones.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[10, 20, 20, 40])?;
    /// let first = store.partition_point(|record| record[0] < 15);
    /// let end = store.partition_point(|record| record[0] < 30);
    /// assert_eq!(store.range(first..end).map(|(id, _)| id).collect::<Vec<_>>(), [1, 2]);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn partition_point(&self, is_before: impl FnMut(&R) -> bool) -> u64 {
        partition_point(self.count(), |id| self.get(id), is_before)
    }

    /// The number of the first record that `compare` calls [`Ordering::Equal`]. If there is no such
    /// record, the error has the number of the first greater one, or the record count. The records
    /// must be sorted in the order of `compare`. Skips records and takes time as
    /// [`Store::partition_point`] does.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[10, 20, 20, 40])?;
    /// assert_eq!(store.binary_search_by(|record| record[0].cmp(&20)), Ok(1));
    /// assert_eq!(store.binary_search_by(|record| record[0].cmp(&30)), Err(3));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// No failure: the place where the record would be.
    pub fn binary_search_by(&self, compare: impl FnMut(&R) -> Ordering) -> Result<u64, u64> {
        binary_search_by(self.count(), |id| self.get(id), compare)
    }

    /// As [`Store::binary_search_by`], for records that are sorted by a key.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[10, 20, 20, 40])?;
    /// assert_eq!(store.binary_search_by_key(&40, |record| record[0]), Ok(3));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// No failure: the place where the record would be.
    pub fn binary_search_by_key<K: Ord>(
        &self,
        key: &K,
        mut key_of: impl FnMut(&R) -> K,
    ) -> Result<u64, u64> {
        self.binary_search_by(|record| key_of(record).cmp(key))
    }
}

/// The number of the first record that `is_before` refuses; `count` if it accepts all. `get` gives
/// the records below `count`, and `None` for those to skip.
pub(crate) fn partition_point<'a, R: ?Sized + 'a>(
    count: u64,
    get: impl Fn(u64) -> Option<&'a R>,
    mut is_before: impl FnMut(&'a R) -> bool,
) -> u64 {
    // All records below `start` are accepted. `point` is the first refused one of those from `end`
    // on, or `count`.
    let (mut start, mut end, mut point) = (0, count, count);
    while start < end {
        let middle = start + (end - start) / 2;
        let found = (middle..end).find_map(|id| Some((id, get(id)?)));
        match found {
            None => end = middle,
            Some((id, record)) if is_before(record) => start = id + 1,
            Some((id, _)) => (end, point) = (middle, id),
        }
    }
    point
}

/// The number of the first record that `compare` calls equal, or, as an error, of the first that is
/// greater; `count` if no record is.
pub(crate) fn binary_search_by<'a, R: ?Sized + 'a>(
    count: u64,
    get: impl Fn(u64) -> Option<&'a R>,
    mut compare: impl FnMut(&'a R) -> Ordering,
) -> Result<u64, u64> {
    let point = partition_point(count, &get, |record| compare(record) == Ordering::Less);
    match get(point) {
        Some(record) if compare(record) == Ordering::Equal => Ok(point),
        _ => Err(point),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds a search that depends on where the skipped records lie.
    #[test]
    fn searches_agree_with_a_scan_for_every_set_of_skipped_records() {
        // Two records of each value: 0, 0, 1, 1 and so on.
        const COUNT: u64 = 9;
        let values: Vec<u64> = (0..COUNT).map(|id| id / 2).collect();
        for skipped in 0..1 << COUNT {
            let get = |id: u64| match skipped >> id & 1 {
                0 => values.get(usize::try_from(id).unwrap()),
                _ => None,
            };
            for sought in 0..6 {
                let scan = |is_found: &dyn Fn(u64) -> bool| {
                    (0..COUNT).find(|&id| get(id).is_some_and(|&value| is_found(value)))
                };
                let expected = scan(&|value| value >= sought).unwrap_or(COUNT);
                assert_eq!(partition_point(COUNT, get, |&value| value < sought), expected);
                let equal = scan(&|value| value == sought).ok_or(expected);
                assert_eq!(binary_search_by(COUNT, get, |value| value.cmp(&sought)), equal);
            }
        }
    }

    /// Finds a search that reads every record.
    #[test]
    fn a_search_reads_few_records() {
        let reads = std::cell::Cell::new(0);
        let get = |id: u64| {
            reads.set(reads.get() + 1);
            (id % 10 != 3).then_some(&())
        };
        for point in [0, 1, 500_000, 999_999, 1_000_000] {
            let places = std::cell::Cell::new(0u64);
            let counted = |id: u64| {
                places.set(id);
                get(id)
            };
            reads.set(0);
            assert_eq!(partition_point(1_000_000, counted, |()| places.get() < point), point);
            assert!(reads.get() < 50, "{} reads", reads.get());
        }
    }
}
