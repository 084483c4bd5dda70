//! Binary searches in snapshots whose records are sorted.

use std::cmp::Ordering;

use super::Snapshot;
use crate::store::{binary_search_by, partition_point};
use crate::txn::Row;

impl<R: Row + ?Sized> Snapshot<R> {
    /// The number of the first record for which `is_before` is false; the record count if it is
    /// true for all. The records must be sorted so that those for which it is true come first.
    /// Skips deleted records, and those with a damaged status byte.
    ///
    /// It reads about log₂ n records of n, and beside each the skipped ones up to the next other
    /// record: at worst all skipped ones.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[10, 20, 20, 40])?;
    /// transaction.commit(Durability::Immediate)?;
    /// let snapshot = database.begin_read()?;
    /// let first = snapshot.partition_point(|record| record[0] < 15);
    /// let end = snapshot.partition_point(|record| record[0] < 30);
    /// assert_eq!(snapshot.range(first..end).map(|(id, _)| id).collect::<Vec<_>>(), [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn partition_point(&self, is_before: impl FnMut(&R) -> bool) -> u64 {
        partition_point(self.count(), |id| self.get(id), is_before)
    }

    /// The number of the first record that `compare` calls [`Ordering::Equal`]. If there is no such
    /// record, the error has the number of the first greater one, or the record count. The records
    /// must be sorted in the order of `compare`. Skips records and takes time as
    /// [`Snapshot::partition_point`] does.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[10, 20, 20, 40])?;
    /// transaction.commit(Durability::Immediate)?;
    /// let snapshot = database.begin_read()?;
    /// assert_eq!(snapshot.binary_search_by(|record| record[0].cmp(&20)), Ok(1));
    /// assert_eq!(snapshot.binary_search_by(|record| record[0].cmp(&30)), Err(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// No failure: the place where the record would be.
    pub fn binary_search_by(&self, compare: impl FnMut(&R) -> Ordering) -> Result<u64, u64> {
        binary_search_by(self.count(), |id| self.get(id), compare)
    }

    /// As [`Snapshot::binary_search_by`], for records that are sorted by a key.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[10, 20, 20, 40])?;
    /// transaction.commit(Durability::Immediate)?;
    /// let snapshot = database.begin_read()?;
    /// assert_eq!(snapshot.binary_search_by_key(&40, |record| record[0]), Ok(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
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
