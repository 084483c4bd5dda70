//! Write transactions: changes that no snapshot shows until they are committed.

mod ownership;
mod records;

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::ops::{Range, RangeBounds};

pub use self::ownership::{BorrowedWriter, OwnedWriter, WriterOwnership};
pub use self::records::TransactionRecords;
use crate::error::{Error, ErrorKind, Result};
use crate::number::ids_within;
use crate::store::{Lends, TryRecords};
use crate::txn::{Changes, Durability, Engine, Receipt, Row, Source, Token, Writer, slots};

/// Changes to a store that happen together, or not at all.
/// [`Database::begin_write`](crate::Database::begin_write) makes one at a time, and
/// [`Database::begin_write_owned`](crate::Database::begin_write_owned) an
/// [owned one](OwnedWriteTransaction).
///
/// The transaction sees its own changes; snapshots see them only after the commit. A transaction
/// that is dropped without [`WriteTransaction::commit`] changes nothing.
///
/// The transaction keeps changed records in its own memory, and up to about 1 MiB of appended ones.
/// It writes further appended records directly to their places in the file, behind every record
/// that a commit counts. So a large load needs little memory and little log.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Database, Durability, Record};
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Account { cents: i64 }
/// let directory = tempfile::tempdir().unwrap();
/// let accounts = Database::<Account>::create(directory.path().join("accounts.rec")).unwrap();
/// let mut opening = accounts.begin_write().unwrap();
/// opening.append_slice(&[Account { cents: 100 }, Account { cents: 0 }]).unwrap();
/// opening.commit(Durability::Immediate).unwrap();
///
/// let mut transfer = accounts.begin_write().unwrap();
/// transfer.get_mut(0).unwrap().unwrap().cents -= 30;
/// transfer.get_mut(1).unwrap().unwrap().cents += 30;
/// assert_eq!(transfer.get(1).unwrap().cents, 30); // the transaction sees its changes
/// assert_eq!(accounts.begin_read().unwrap().get(1).unwrap().cents, 0); // a snapshot does not
/// transfer.commit(Durability::Immediate).unwrap();
/// assert_eq!(accounts.begin_read().unwrap().get(1).unwrap().cents, 30);
/// # }
/// ```
#[must_use = "a transaction that is dropped changes nothing"]
pub struct WriteTransaction<'a, R: Row + ?Sized, O: WriterOwnership = BorrowedWriter<'a>> {
    writer: Token<O, Writer>,
    changes: Changes,
    database: PhantomData<&'a ()>,
    records: PhantomData<fn() -> Box<R>>,
}

/// A [`WriteTransaction`] that does not borrow its database, and is `Send` and `'static`.
/// [`Database::begin_write_owned`](crate::Database::begin_write_owned) makes one.
///
/// ```
/// use flatrec::{DataType, Durability, DynDatabase, Field, OwnedWriteTransaction, Schema};
/// let directory = tempfile::tempdir()?;
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
/// let mut transaction: OwnedWriteTransaction<[u8]> = database.begin_write_owned()?;
/// std::thread::spawn(move || {
///     transaction.append(&[7])?;
///     transaction.commit(Durability::Immediate)
/// })
/// .join()
/// .unwrap()?;
/// assert_eq!(database.begin_read()?.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type OwnedWriteTransaction<R> = WriteTransaction<'static, R, OwnedWriter>;

impl<R: Row + ?Sized, O: WriterOwnership> WriteTransaction<'_, R, O> {
    #[inline]
    pub(super) fn new(writer: Token<O, Writer>) -> Self {
        let layout = *writer.origin().engine().layout();
        let changes = Changes::new(layout, writer.newest());
        Self { writer, changes, database: PhantomData, records: PhantomData }
    }

    #[inline]
    fn engine(&self) -> &Engine {
        self.writer.origin().engine()
    }

    /// The number of records, deleted ones and those appended by this transaction included.
    pub fn count(&self) -> u64 {
        self.changes.count()
    }

    /// The number of records that are not deleted.
    pub fn live_count(&self) -> u64 {
        self.changes.live_count()
    }

    /// Whether the transaction sees no records, or only deleted ones.
    pub fn is_empty(&self) -> bool {
        self.live_count() == 0
    }

    /// Whether record `id` exists: it is not past the last record, and not deleted.
    pub fn contains(&self, id: u64) -> bool {
        self.get(id).is_some()
    }

    /// Record `id` with the changes of this transaction; `None` past the last record, for a deleted
    /// one, and for one with a damaged status byte. [`WriteTransaction::try_get`] says which.
    pub fn get(&self, id: u64) -> Option<&R> {
        R::of_bytes(self.changes.get(&self.writer, id)?)
    }

    /// Record `id` with the changes of this transaction, or why it is not there.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, ErrorKind, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let options = DynDatabase::create_options().deletes(true);
    /// let database = options.create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append(&[7; 8])?;
    /// assert_eq!(transaction.try_get(0)?, [7; 8]);
    /// transaction.delete(0)?;
    /// assert_eq!(transaction.try_get(0).unwrap_err().kind(), ErrorKind::Deleted);
    /// assert_eq!(transaction.try_get(1).unwrap_err().kind(), ErrorKind::OutOfRange);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record; [`ErrorKind::Deleted`] if the record was
    /// deleted; [`ErrorKind::Corrupt`] if its status byte is damaged: neither live nor deleted.
    pub fn try_get(&self, id: u64) -> Result<&R> {
        let bytes = self.named(self.changes.try_get(&self.writer, id))?;
        R::of_bytes(bytes).ok_or_else(|| self.engine().name(slots::misfit(id)))
    }

    /// All records in order, each with its number, with the changes of this transaction. Skips
    /// deleted records, and those with a damaged status byte.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_all([[5u8], [6], [7]])?;
    /// transaction.set(1, &[60])?;
    /// let numbers: Vec<u8> = transaction.iter().map(|(_, number)| number[0]).collect();
    /// assert_eq!(numbers, [5, 60, 7]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&self) -> TransactionRecords<'_, R> {
        self.range(..)
    }

    /// The existing records of a range in order, each with its number, with the changes of this
    /// transaction. Skips records as [`WriteTransaction::iter`] does.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[5, 6, 7])?;
    /// assert_eq!(transaction.range(1..).collect::<Vec<_>>(), [(1, &[6][..]), (2, &[7])]);
    /// assert_eq!(transaction.range(..=1).next_back(), Some((1, &[6][..])));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn range(&self, ids: impl RangeBounds<u64>) -> TransactionRecords<'_, R> {
        TransactionRecords::new(&self.changes, &self.writer, ids)
    }

    /// As [`WriteTransaction::iter`], but gives an [`ErrorKind::Corrupt`] for a record with a
    /// damaged status byte, and continues after it.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::temporary(&schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[5, 6, 7])?;
    /// let found: Result<Vec<_>, _> = transaction.try_iter().collect();
    /// assert_eq!(found?[2], (2, &[7][..]));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn try_iter(&self) -> TryRecords<'_, R> {
        self.try_range(..)
    }

    /// As [`WriteTransaction::range`], with errors as [`WriteTransaction::try_iter`] gives them.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::temporary(&schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[5, 6, 7])?;
    /// for found in transaction.try_range(1..) {
    ///     let (id, record) = found?;
    ///     assert_eq!(u64::from(record[0]), id + 5);
    /// }
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn try_range(&self, ids: impl RangeBounds<u64>) -> TryRecords<'_, R> {
        TryRecords::new(self, ids_within(ids, self.count()))
    }

    /// Record `id`, to change; `None` past the last record and for a deleted one.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the record's status byte is damaged; [`ErrorKind::OutOfRange`] if
    /// the transaction changes more than 2³² - 1 records.
    pub fn get_mut(&mut self, id: u64) -> Result<Option<&mut R>> {
        let Self { writer, changes, .. } = self;
        let bytes = changes.get_mut(writer, id);
        let engine = writer.origin().engine();
        Ok(bytes.map_err(|error| engine.name(error))?.and_then(R::of_bytes_mut))
    }

    /// Replaces record `id`.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record; [`ErrorKind::Deleted`] if the record is
    /// deleted; [`ErrorKind::Corrupt`] if its status byte is damaged;
    /// [`ErrorKind::InvalidArgument`] if `record` does not have the length of a record.
    pub fn set(&mut self, id: u64, record: &R) -> Result<()> {
        let set = record
            .bytes(self.engine().layout().record_size)
            .and_then(|bytes| self.changes.set(&self.writer, id, bytes));
        self.named(set)
    }

    /// Appends a record, and returns its number.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] if the disk is full, with nothing appended;
    /// [`ErrorKind::InvalidArgument`] if `record` does not have the length of a record;
    /// [`ErrorKind::Io`] if the operating system reports another error.
    pub fn append(&mut self, record: &R) -> Result<u64> {
        let bytes = record.bytes(self.engine().layout().record_size);
        let appended = bytes.and_then(|bytes| self.changes.append(&mut self.writer, bytes));
        self.named(appended)
    }

    /// Appends all records of an iterator, and returns their numbers.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt16)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// assert_eq!(transaction.append_all((0..1000u16).map(u16::to_le_bytes))?, 0..1000);
    /// assert_eq!(transaction.get(999), Some(&999u16.to_le_bytes()[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`WriteTransaction::append`]. The records before the failed one stay appended:
    /// [`WriteTransaction::count`] says how many.
    pub fn append_all(
        &mut self,
        records: impl IntoIterator<Item = impl Borrow<R>>,
    ) -> Result<Range<u64>> {
        let first = self.count();
        for record in records {
            self.append(record.borrow())?;
        }
        Ok(first..self.count())
    }

    /// Puts a record into the place of a deleted one, or appends it if no record is deleted.
    /// Returns its number.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let database = DynDatabase::create_options().deletes(true).create(&path, &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[0; 3 * 8])?;
    /// assert!(transaction.delete(1)?);
    /// assert_eq!(transaction.get(1), None);
    /// assert_eq!(transaction.insert(&4u64.to_le_bytes())?, 1);
    /// transaction.commit(Durability::Immediate)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`WriteTransaction::append`].
    pub fn insert(&mut self, record: &R) -> Result<u64> {
        let bytes = record.bytes(self.engine().layout().record_size);
        let inserted = bytes.and_then(|bytes| self.changes.insert(&mut self.writer, bytes));
        self.named(inserted)
    }

    /// Deletes record `id`; `false` past the last record and if it is deleted already. A later
    /// [`WriteTransaction::insert`] uses its number again.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] in a store that was created without
    /// [`CreateOptions::deletes`](crate::CreateOptions::deletes); [`ErrorKind::Corrupt`] if the
    /// record's status byte is damaged.
    pub fn delete(&mut self, id: u64) -> Result<bool> {
        let deleted = self.changes.delete(&self.writer, id);
        self.named(deleted)
    }

    /// Deletes all records for which `keep` is false, and returns their number.
    ///
    /// # Errors
    /// As [`WriteTransaction::delete`], also for a damaged record that `keep` never sees. The
    /// records before the failed one stay deleted.
    pub fn retain(&mut self, mut keep: impl FnMut(u64, &R) -> bool) -> Result<u64> {
        let mut deleted = 0;
        for id in 0..self.count() {
            if self.lend(id)?.is_some_and(|record| !keep(id, record)) {
                deleted += u64::from(self.delete(id)?);
            }
        }
        Ok(deleted)
    }

    /// Calls `change` for each record for which `is_wanted` is true, and returns their number.
    /// Other records are only read.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let database = DynDatabase::create_options().deletes(true).create(&path, &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_all((0..10u64).map(u64::to_le_bytes))?;
    /// assert_eq!(transaction.update_where(|id, _| id < 3, |_, record| record[0] = 20)?, 3);
    /// assert_eq!(transaction.retain(|_, record| record[0] < 9)?, 4);
    /// assert_eq!(transaction.iter().map(|(id, _)| id).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`WriteTransaction::get_mut`], also for a damaged record that `is_wanted` never sees. The
    /// records before the failed one stay changed.
    pub fn update_where(
        &mut self,
        mut is_wanted: impl FnMut(u64, &R) -> bool,
        mut change: impl FnMut(u64, &mut R),
    ) -> Result<u64> {
        let mut changed = 0;
        for id in 0..self.count() {
            if self.lend(id)?.is_some_and(|record| is_wanted(id, record)) {
                if let Some(record) = self.get_mut(id)? {
                    change(id, record);
                    changed += 1;
                }
            }
        }
        Ok(changed)
    }

    /// Commits all changes, and returns the number of the commit and what it survives. A
    /// transaction without changes makes no new commit: the receipt is that of the newest one.
    ///
    /// # Errors
    /// - [`ErrorKind::NoSpace`] if the disk is full;
    /// - [`ErrorKind::LogFull`] if the log has the size of
    ///   [`OpenOptions::max_log`](crate::OpenOptions::max_log) and a reader holds checkpoints back;
    /// - [`ErrorKind::NotFound`] if the store was moved or replaced while it was open;
    /// - the error of a checkpoint, if the log has no room and that checkpoint fails;
    /// - [`ErrorKind::Poisoned`] after a failed write or sync, of this commit or an earlier one.
    ///
    /// After the first three nothing has changed, and the handle stays usable. After any other
    /// error the handle may be [poisoned](ErrorKind::Poisoned). If so, it is unknown until the
    /// store is reopened whether the commit happened.
    pub fn commit(self, durability: Durability) -> Result<Receipt> {
        Engine::commit(self.writer, self.changes, durability)
    }

    /// Discards all changes, as dropping the transaction does.
    pub fn rollback(self) {}

    fn named<V>(&self, result: Result<V>) -> Result<V> {
        result.map_err(|error| self.engine().name(error))
    }
}

impl<R: crate::format::Record, O: WriterOwnership> WriteTransaction<'_, R, O> {
    /// Appends records in order, and returns their numbers.
    ///
    /// # Errors
    /// As [`WriteTransaction::append`]. The first records may have been appended:
    /// [`WriteTransaction::count`] says how many.
    pub fn append_slice(&mut self, records: &[R]) -> Result<Range<u64>> {
        let bytes = crate::format::bytes_of(records);
        let first = self.changes.append(&mut self.writer, bytes);
        Ok(self.named(first)?..self.count())
    }
}

impl<O: WriterOwnership> WriteTransaction<'_, [u8], O> {
    /// Appends records given as consecutive bytes, and returns their numbers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `records` is not a whole number of records, with nothing
    /// appended. Otherwise as [`WriteTransaction::append`]; the first records may have been
    /// appended then, and [`WriteTransaction::count`] says how many.
    pub fn append_packed(&mut self, records: &[u8]) -> Result<Range<u64>> {
        let size = self.engine().layout().record_size;
        if records.len() % size != 0 {
            return self.named(Err(Error::new(ErrorKind::InvalidArgument, "append").detail(
                format!("{} bytes are not a whole number of records of {size}", records.len()),
            )));
        }
        let first = self.changes.append(&mut self.writer, records);
        Ok(self.named(first)?..self.count())
    }
}

impl<R: Row + ?Sized, O: WriterOwnership> Lends<R> for WriteTransaction<'_, R, O> {
    #[inline]
    fn lend(&self, id: u64) -> Result<Option<&R>> {
        let Some(bytes) = self.named(self.changes.lend(&self.writer, id))? else {
            return Ok(None);
        };
        R::of_bytes(bytes).map(Some).ok_or_else(|| self.engine().name(slots::misfit(id)))
    }

    fn has_deletes(&self) -> bool {
        self.changes.has_deletes()
    }
}

impl<'t, R: Row + ?Sized, O: WriterOwnership> IntoIterator for &'t WriteTransaction<'_, R, O> {
    type Item = (u64, &'t R);
    type IntoIter = TransactionRecords<'t, R>;

    fn into_iter(self) -> TransactionRecords<'t, R> {
        self.iter()
    }
}

impl<R: Row + ?Sized, O: WriterOwnership> std::fmt::Debug for WriteTransaction<'_, R, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteTransaction")
            .field("path", &self.engine().path())
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

/// Checks that owned transactions can move to other threads, and that threads can share the
/// iterators of a transaction.
const _: () = {
    const fn moves<T: Send + Sync + 'static>() {}
    const fn is_shared<T: Send + Sync>() {}
    const fn of<R: Row + ?Sized>() {
        moves::<OwnedWriteTransaction<R>>();
        is_shared::<TransactionRecords<'_, R>>();
    }
    of::<[u8]>();
};
