//! The calls of a store that read its records.

use std::ops::RangeBounds;

use super::copies::{CHUNK_BYTES, Copies, CopySource};
use super::handle::Store;
use super::records::{Records, TryRecords};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::number::ids_within;
use crate::txn::Row;

impl<R: Row + ?Sized> Store<R> {
    /// Record `id`, in place: one comparison, one multiplication, one addition, and in a store with
    /// deletes a look at the status byte. `None` past the last record, for a deleted record, and
    /// for one with a damaged status byte. [`Store::try_get`] says which.
    #[inline]
    pub fn get(&self, id: u64) -> Option<&R> {
        self.file.record(id)
    }

    /// Record `id`, in place, or why it is not there. As fast as [`Store::get`] for a record that
    /// is there.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, ErrorKind, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append(&[7])?;
    /// assert_eq!(store.try_get(0)?, [7]);
    /// assert_eq!(store.try_get(1).unwrap_err().kind(), ErrorKind::OutOfRange);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record; [`ErrorKind::Deleted`] if the record was
    /// deleted; [`ErrorKind::Corrupt`] if its status byte is damaged: neither live nor deleted.
    #[inline]
    pub fn try_get(&self, id: u64) -> Result<&R> {
        self.get(id).ok_or_else(|| self.file.not_there(id))
    }

    /// A copy of record `id`; `None` past the last record and for a deleted one. Once
    /// [`install_fault_guard`](crate::install_fault_guard) was called, an unreadable page is an
    /// error here, while [`Store::get`] raises a signal.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append(&[7])?;
    /// assert_eq!((store.copy(0)?, store.copy(1)?), (Some(vec![7]), None));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the record's status byte is damaged; [`ErrorKind::Truncated`] if
    /// another program has truncated the file; [`ErrorKind::Io`] if the operating system cannot
    /// read a page and the guard is installed.
    pub fn copy(&self, id: u64) -> Result<Option<R::Owned>> {
        self.file.copy_one::<R>(id)
    }

    /// Copies of the records of a range with their numbers, in order, made chunk by chunk. Skips
    /// deleted records. Once [`install_fault_guard`](crate::install_fault_guard) was called, this
    /// is the safe way to read a file that another program may truncate, or one on a disk that may
    /// fail.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 2, 3])?;
    /// let mut copies = store.copies(1..);
    /// assert_eq!(copies.next_record()?, Some((1, &[2][..]))); // lent by `copies`
    /// assert_eq!(copies.next().transpose()?, Some((2, vec![3]))); // owned
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn copies(&self, ids: impl RangeBounds<u64>) -> Copies<'_, R> {
        Copies::new(&self.file, ids_within(ids, self.count()), CHUNK_BYTES)
    }

    /// All records in place and in order, each with its number. Skips deleted records, and those
    /// with a damaged status byte, which [`Store::try_iter`] reports. `for (id, record) in &store`
    /// does the same.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 2, 3])?;
    /// assert_eq!(store.iter().map(|(_, record)| record[0]).max(), Some(3));
    /// for (id, record) in &store {
    ///     assert_eq!(u64::from(record[0]), id + 1);
    /// }
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn iter(&self) -> Records<'_, R> {
        self.range(..)
    }

    /// The existing records of a range, in place and in order, each with its number. Skips records
    /// as [`Store::iter`] does.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 2, 3])?;
    /// assert_eq!(store.range(1..).collect::<Vec<_>>(), [(1, &[2][..]), (2, &[3])]);
    /// assert_eq!(store.range(..=1).next_back(), Some((1, &[2][..])));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn range(&self, ids: impl RangeBounds<u64>) -> Records<'_, R> {
        Records::new(&self.file, ids_within(ids, self.count()))
    }

    /// As [`Store::iter`], but gives an [`ErrorKind::Corrupt`] for a record with a damaged status
    /// byte, and continues after it.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let mut store = DynStore::create_options().deletes(true).temporary(&schema)?;
    /// store.append(&7u64.to_le_bytes())?;
    /// for found in store.try_iter() {
    ///     let (id, record) = found?;
    ///     assert_eq!((id, record[0]), (0, 7));
    /// }
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn try_iter(&self) -> TryRecords<'_, R> {
        self.try_range(..)
    }

    /// As [`Store::range`], with errors as [`Store::try_iter`] gives them.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 2, 3])?;
    /// let found: Result<Vec<_>, _> = store.try_range(1..).rev().collect();
    /// assert_eq!(found?, [(2, &[3][..]), (1, &[2])]);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn try_range(&self, ids: impl RangeBounds<u64>) -> TryRecords<'_, R> {
        TryRecords::new(&self.file, ids_within(ids, self.count()))
    }
}

/// The records of [`Store::iter`].
impl<'a, R: Row + ?Sized> IntoIterator for &'a Store<R> {
    type Item = (u64, &'a R);
    type IntoIter = Records<'a, R>;

    fn into_iter(self) -> Records<'a, R> {
        self.iter()
    }
}
