//! Write transactions: changes that are nobody else's until they are committed.

use std::marker::PhantomData;
use std::sync::MutexGuard;

use crate::error::{Error, ErrorKind, Result};
use crate::txn::{Changes, Durability, Engine, Receipt, Row, Source, Writer};

/// Changes to a store that happen together, or not at all. Made by
/// [`Database::begin_write`](crate::Database::begin_write), one at a time.
///
/// The transaction sees its own changes; everybody else sees them once they are committed. Dropped
/// without [`WriteTransaction::commit`], it leaves nothing behind.
///
/// Changed records are copied into memory of the transaction's own. Appended ones are too, up to
/// about 1 MiB; more are written to their places in the file at once, above every record that
/// anybody counts, so that loading many takes little memory and no log.
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
/// assert_eq!(transfer.get(1).unwrap().cents, 30); // its own changes
/// assert_eq!(accounts.begin_read().get(1).unwrap().cents, 0); // nobody else's yet
/// transfer.commit(Durability::Immediate).unwrap();
/// assert_eq!(accounts.begin_read().get(1).unwrap().cents, 30);
/// # }
/// ```
pub struct WriteTransaction<'a, R: Row + ?Sized> {
    engine: &'a Engine,
    writer: MutexGuard<'a, Writer>,
    changes: Changes,
    marker: PhantomData<fn() -> Box<R>>,
}

impl<'a, R: Row + ?Sized> WriteTransaction<'a, R> {
    pub(crate) fn new(engine: &'a Engine) -> Result<Self> {
        let mut writer = engine.lock("begin a transaction")?;
        writer.show_newest(engine.layout()).map_err(|error| engine.name(error))?;
        let changes = Changes::new(*engine.layout(), writer.newest());
        Ok(Self { engine, writer, changes, marker: PhantomData })
    }

    /// Records, deleted ones included, with those that this transaction has appended.
    pub fn count(&self) -> u64 {
        self.changes.count()
    }

    /// Records that are not deleted.
    pub fn live_count(&self) -> u64 {
        self.changes.live_count()
    }

    /// Record `id` as this transaction has left it; `None` past the last, and for a deleted one.
    pub fn get(&self, id: u64) -> Option<&R> {
        R::of_bytes(self.changes.get(&self.writer, id)?)
    }

    /// Record `id` for changing; `None` past the last, and for a deleted one.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past 2³² - 1 changed records.
    pub fn get_mut(&mut self, id: u64) -> Result<Option<&mut R>> {
        let engine = self.engine;
        let bytes = self.changes.get_mut(&self.writer, id);
        Ok(bytes.map_err(|error| engine.name(error))?.and_then(R::of_bytes_mut))
    }

    /// Gives record `id` another value.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record; [`ErrorKind::Deleted`] for one that was
    /// deleted; [`ErrorKind::InvalidArgument`] for bytes that are no record.
    pub fn set(&mut self, id: u64, record: &R) -> Result<()> {
        let set = record
            .bytes(self.engine.layout().record_size)
            .and_then(|bytes| self.changes.set(&self.writer, id, bytes));
        self.named(set)
    }

    /// Appends a record, and returns its number.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`], with nothing appended; the system's.
    pub fn append(&mut self, record: &R) -> Result<u64> {
        let bytes = record.bytes(self.engine.layout().record_size);
        let appended = bytes.and_then(|bytes| self.changes.append(&mut self.writer, bytes));
        self.named(appended)
    }

    /// Puts a record into the place of one that was deleted, if there is one, and appends it
    /// otherwise. Returns its number.
    ///
    /// # Errors
    /// As [`WriteTransaction::append`].
    pub fn insert(&mut self, record: &R) -> Result<u64> {
        let bytes = record.bytes(self.engine.layout().record_size);
        let inserted = bytes.and_then(|bytes| self.changes.insert(&mut self.writer, bytes));
        self.named(inserted)
    }

    /// Deletes record `id`; `false` if it is not there. Its number is given to another record by
    /// [`WriteTransaction::insert`].
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] in a store that was created without
    /// [`Options::deletes`](crate::Options::deletes).
    pub fn delete(&mut self, id: u64) -> Result<bool> {
        let deleted = self.changes.delete(&self.writer, id);
        self.named(deleted)
    }

    /// Makes all changes happen, and returns what they survive.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] and [`ErrorKind::LogFull`]: nothing has happened, and the store goes
    /// on. Any other: the outcome is unknown until the store is reopened, and this handle is
    /// [poisoned](ErrorKind::Poisoned).
    pub fn commit(self, durability: Durability) -> Result<Receipt> {
        self.engine.commit(self.writer, self.changes, durability)
    }

    /// Forgets all changes, as dropping the transaction does.
    pub fn rollback(self) {}

    fn named<V>(&self, result: Result<V>) -> Result<V> {
        result.map_err(|error| self.engine.name(error))
    }
}

impl<R: crate::format::Record> WriteTransaction<'_, R> {
    /// Appends records in order, and returns their numbers.
    ///
    /// # Errors
    /// As [`WriteTransaction::append`]; some of the records may have been appended then
    /// ([`WriteTransaction::count`] tells).
    pub fn append_slice(&mut self, records: &[R]) -> Result<std::ops::Range<u64>> {
        let bytes = crate::format::bytes_of(records);
        let first = self.changes.append(&mut self.writer, bytes);
        Ok(self.named(first)?..self.count())
    }
}

impl WriteTransaction<'_, [u8]> {
    /// Appends records whose bytes follow one another, and returns their numbers.
    ///
    /// # Errors
    /// As [`WriteTransaction::append`]; some of the records may have been appended then
    /// ([`WriteTransaction::count`] tells). [`ErrorKind::InvalidArgument`] for a part of a record.
    pub fn append_packed(&mut self, records: &[u8]) -> Result<std::ops::Range<u64>> {
        let size = self.engine.layout().record_size;
        if records.len() % size != 0 {
            return self.named(Err(Error::new(ErrorKind::InvalidArgument, "append").detail(
                format!("{} bytes are not a whole number of records of {size}", records.len()),
            )));
        }
        let first = self.changes.append(&mut self.writer, records);
        Ok(self.named(first)?..self.count())
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for WriteTransaction<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteTransaction")
            .field("path", &self.engine.path())
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}
