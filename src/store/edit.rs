//! Exclusive edit: changes records in place, for bulk transformations.
//!
//! There is no log: a crash during the edit leaves some records changed and others not, and a mark
//! in the header that says so. Transactions change all records or none; an edit is faster for a
//! change of every record.

use std::ops::Range;

use super::exclusive_file::ExclusiveFile;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Field, Found, Value};
use crate::txn::Row;
use crate::txn::slots::{misfit, not_there, past_the_last};

/// An exclusive edit of a [`Store`](crate::Store): while it lives, no other handle can open the
/// store. For a store from [`Store::open_private`](crate::Store::open_private), it changes only
/// this handle's memory, and other handles can stay open.
///
/// The edit sees its changes at once. [`Edit::flush`] and [`Edit::finish`] make them durable.
/// Dropping the edit finishes it too, but cannot report errors.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Record, Store, zerocopy::*};
/// #[derive(Clone, Copy, Record, FromBytes, IntoBytes, Immutable, KnownLayout)]
/// #[zerocopy(crate = "flatrec::zerocopy")]
/// #[repr(C)]
/// struct Account { id: u32, cents: u32 }
///
/// let mut store = Store::<Account>::temporary().unwrap();
/// for id in 0..1000 { store.append(&Account { id, cents: 100 }).unwrap(); }
/// let mut edit = store.edit().unwrap();
/// for id in 0..1000 { edit.get_mut(id).unwrap().unwrap().cents += 5; }
/// edit.finish().unwrap();
/// assert!(store.iter().all(|(_, account)| account.cents == 105));
/// # }
/// ```
#[must_use = "an edit keeps every other handle out while it lives"]
pub struct Edit<'a, R: Row + ?Sized> {
    file: &'a mut ExclusiveFile<R>,
    finished: bool,
}

/// An [`Edit`] of a [`DynStore`](crate::DynStore): records are bytes, and fields go by name.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema, Value};
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let mut store = DynStore::temporary(&schema)?;
/// store.append(&1u32.to_le_bytes())?;
/// let mut edit = store.edit()?;
/// edit.set_field(0, "n", &Value::UInt(7))?;
/// edit.finish()?;
/// assert_eq!(store.get(0), Some(&7u32.to_le_bytes()[..]));
/// # Ok::<(), flatrec::Error>(())
/// ```
pub type DynEdit<'a> = Edit<'a, [u8]>;

impl<'a, R: Row + ?Sized> Edit<'a, R> {
    pub(crate) fn begin(file: &'a mut ExclusiveFile<R>) -> Result<Self> {
        file.begin_edit()?;
        Ok(Self { file, finished: false })
    }

    /// The number of records, deleted ones included. Record numbers are below it.
    pub fn count(&self) -> u64 {
        self.file.array.count()
    }

    /// The number of records that are not deleted.
    pub fn live_count(&self) -> u64 {
        self.file.live_count()
    }

    /// Whether the store has no records, or only deleted ones.
    pub fn is_empty(&self) -> bool {
        self.live_count() == 0
    }

    /// Record `id`, with the changes of this edit; `None` past the last record and for a deleted
    /// one. [`Edit::try_get`] says which.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the record's status byte is damaged; [`ErrorKind::Io`] if the
    /// operating system reports an error, also while the window of an edit writes earlier changes
    /// before it moves; [`ErrorKind::Poisoned`] after such a failure.
    #[inline]
    pub fn get(&mut self, id: u64) -> Result<Option<&R>> {
        match self.is_below_count("read for editing", id)? {
            true => unless_deleted(self.try_get(id)),
            false => Ok(None),
        }
    }

    /// Record `id`, with the changes of this edit, or why it is not there.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, ErrorKind, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append(&[7])?;
    /// let mut edit = store.edit()?;
    /// assert_eq!(edit.try_get(0)?, [7]);
    /// assert_eq!(edit.try_get(1).unwrap_err().kind(), ErrorKind::OutOfRange);
    /// assert_eq!(edit.get(1)?, None);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record; [`ErrorKind::Deleted`] if the record was
    /// deleted; as [`Edit::get`].
    #[inline]
    pub fn try_get(&mut self, id: u64) -> Result<&R> {
        R::of_bytes(self.bytes(id)?).ok_or_else(|| misfit(id))
    }

    /// Record `id`, to change in place; `None` past the last record and for a deleted one.
    ///
    /// # Errors
    /// As [`Edit::get`]; [`ErrorKind::Corrupt`] also if a block of the record does not match its
    /// checksum.
    #[inline]
    pub fn get_mut(&mut self, id: u64) -> Result<Option<&mut R>> {
        match self.is_below_count("edit", id)? {
            true => unless_deleted(self.try_get_mut(id)),
            false => Ok(None),
        }
    }

    #[inline]
    fn try_get_mut(&mut self, id: u64) -> Result<&mut R> {
        R::of_bytes_mut(self.bytes_mut(id)?).ok_or_else(|| misfit(id))
    }

    /// Replaces record `id`.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record; [`ErrorKind::Deleted`] if the record was
    /// deleted; [`ErrorKind::InvalidArgument`] if `record` does not have the length of a record; as
    /// [`Edit::get_mut`].
    pub fn set(&mut self, id: u64, record: &R) -> Result<()> {
        let fits = record.bytes(self.file.slots.record_len());
        fits.map_err(|error| self.file.superblock.name(error.record(id)))?;
        self.try_get_mut(id)?.assign(record);
        Ok(())
    }

    /// Sets one field of record `id`, by its name in the schema. If it fails, the record stays as
    /// it was.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the schema has no such field; [`ErrorKind::InvalidValue`]
    /// if the field cannot hold the value; as [`Edit::set`].
    pub fn set_field(&mut self, id: u64, name: &str, value: &Value<'_>) -> Result<()> {
        let field = self.field(name)?.clone();
        // `Field::write` may fail halfway: it writes to a copy.
        let mut record = self.bytes(id)?.to_vec();
        field.write(&mut record, value).map_err(|error| error.record(id))?;
        self.bytes_mut(id)?.copy_from_slice(&record);
        Ok(())
    }

    /// Makes the changes of `records` durable; the edit continues.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] if `records` ends past the last record or before it starts;
    /// [`ErrorKind::Io`] if the operating system reports an error: then the store is
    /// [poisoned](ErrorKind::Poisoned).
    pub fn flush_range(&mut self, records: Range<u64>) -> Result<()> {
        if records.start > records.end || records.end > self.count() {
            return Err(self.past_the_last("flush", records.end));
        }
        self.file.sync_edits(records)
    }

    /// Makes all changes durable; the edit continues.
    ///
    /// # Errors
    /// As [`Edit::flush_range`].
    pub fn flush(&mut self) -> Result<()> {
        let count = self.count();
        self.flush_range(0..count)
    }

    /// Makes all changes durable and lets other handles in again.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error: then the store is
    /// [poisoned](ErrorKind::Poisoned), and its header still has the mark of the edit.
    pub fn finish(mut self) -> Result<()> {
        self.finished = true;
        self.file.finish_edit()
    }

    #[inline]
    fn bytes(&mut self, id: u64) -> Result<&[u8]> {
        const READ: &str = "read for editing";
        self.check(READ, id)?;
        let count = self.count();
        let ExclusiveFile { superblock, array, slots, .. } = &mut *self.file;
        // An error here is one of writing earlier changes back.
        let slot = superblock.keep(array.read_edited(id))?;
        match slots.found(slot) {
            Ok(Found::Live) => Ok(&slot[..slots.record_len()]),
            other => Err(superblock.name(not_there(READ, id, count, other))),
        }
    }

    #[inline]
    fn bytes_mut(&mut self, id: u64) -> Result<&mut [u8]> {
        self.check("edit", id)?;
        if self.file.mode.sums().is_some() {
            self.file.before_edit(id)?;
        }
        let count = self.count();
        let ExclusiveFile { superblock, array, slots, .. } = &mut *self.file;
        let slot = superblock.keep(array.edit(id))?;
        match slots.found(slot) {
            // Without the status byte behind the record, which a caller must not change.
            Ok(Found::Live) => Ok(&mut slot[..slots.record_len()]),
            other => Err(superblock.name(not_there("edit", id, count, other))),
        }
    }

    #[inline]
    fn check(&self, operation: &'static str, id: u64) -> Result<()> {
        match self.is_below_count(operation, id)? {
            true => Ok(()),
            false => Err(self.past_the_last(operation, id)),
        }
    }

    #[inline]
    fn is_below_count(&self, operation: &'static str, id: u64) -> Result<bool> {
        self.file.superblock.check_healthy(operation)?;
        Ok(id < self.count())
    }

    #[cold]
    fn past_the_last(&self, operation: &'static str, id: u64) -> Error {
        self.file.superblock.name(past_the_last(operation, id, self.count()))
    }

    fn field(&self, name: &str) -> Result<&Field> {
        let schema = self.file.superblock.schema();
        schema.field(name).ok_or_else(|| {
            let names: Vec<&str> = schema.fields().iter().map(Field::name).collect();
            Error::new(ErrorKind::InvalidArgument, "set")
                .detail(format!("no field is named {name:?}; there are: {}", names.join(", ")))
        })
    }
}

impl<R: Row + ?Sized> Drop for Edit<'_, R> {
    fn drop(&mut self) {
        // After a panic the changes may be incomplete: the mark of the edit stays in the header.
        if !self.finished && !std::thread::panicking() {
            // A caller that wants to see errors calls `finish`.
            let _ = self.file.finish_edit();
        }
    }
}

/// `None` for a record that was deleted.
#[inline]
fn unless_deleted<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(record) => Ok(Some(record)),
        Err(error) if error.kind() == ErrorKind::Deleted => Ok(None),
        Err(error) => Err(error),
    }
}

impl<R: Row + ?Sized> std::fmt::Debug for Edit<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Edit").field(&self.file).finish()
    }
}
