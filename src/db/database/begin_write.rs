//! Beginning transactions: borrowed or owned, with or without waiting for another one.

use std::sync::Arc;
use std::time::Duration;

use super::Database;
use crate::db::transaction::{
    BorrowedWriter, OwnedWriteTransaction, OwnedWriter, WriteTransaction, WriterOwnership,
};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::txn::{Engine, Patience, Row};

impl<R: Row + ?Sized> Database<R> {
    /// Begins a transaction. Waits until the current one has ended. Of several waiting threads the
    /// first gets its turn after at most 16 transactions of other threads.
    ///
    /// # Errors
    /// [`ErrorKind::TransactionInProgress`] if this thread already has a transaction of the
    /// database, for which it would wait for ever. For an
    /// [owned transaction](Database::begin_write_owned) it waits, because another thread may end
    /// it. [`ErrorKind::Poisoned`] after a failed write or sync; [`ErrorKind::Io`] if the operating
    /// system reports an error.
    pub fn begin_write(&self) -> Result<WriteTransaction<'_, R>> {
        self.begin(BorrowedWriter::new(&self.engine))
    }

    /// Begins a transaction if no other is running; `None` if one is, or if a waiting thread has
    /// its turn.
    ///
    /// ```
    /// use flatrec::{DataType, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let first = database.try_begin_write()?.expect("no other is running");
    /// assert!(database.try_begin_write()?.is_none());
    /// drop(first);
    /// assert!(database.try_begin_write()?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Poisoned`] after a failed write or sync; [`ErrorKind::Io`] if the operating
    /// system reports an error.
    pub fn try_begin_write(&self) -> Result<Option<WriteTransaction<'_, R>>> {
        Self::try_begin(BorrowedWriter::new(&self.engine))
    }

    /// As [`Database::begin_write`], but waits at most for the given time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use flatrec::{DataType, DynDatabase, ErrorKind, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let running = database.begin_write_owned()?;
    /// let late = database.begin_write_timeout(Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(late.kind(), ErrorKind::TransactionInProgress);
    /// drop(running);
    /// database.begin_write_timeout(Duration::from_millis(1))?.rollback();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::TransactionInProgress`] if another transaction is still running then;
    /// otherwise as [`Database::begin_write`].
    pub fn begin_write_timeout(&self, at_most: Duration) -> Result<WriteTransaction<'_, R>> {
        self.begin_within(BorrowedWriter::new(&self.engine), at_most)
    }

    /// As [`Database::begin_write`], but the transaction does not borrow the database. It is `Send`
    /// and `'static`, so a struct, another thread or an `async` task can keep it, also across an
    /// `await`.
    ///
    /// The call blocks its thread while another transaction is running. In a task of an executor
    /// that must not block, try again with [`Database::try_begin_write_owned`].
    ///
    /// An owned transaction can outlive its database. It keeps the store open and locked, and the
    /// store is closed when it ends.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, OwnedWriteTransaction, Schema};
    /// struct Import { transaction: OwnedWriteTransaction<[u8]>, lines: u64 }
    ///
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut import = Import { transaction: database.begin_write_owned()?, lines: 0 };
    /// import.transaction.append(&[7])?;
    /// import.lines += 1;
    /// let thread = std::thread::spawn(move || import.transaction.commit(Durability::Immediate));
    /// thread.join().unwrap()?;
    /// assert_eq!(database.begin_read()?.get(0), Some(&[7][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Database::begin_write`].
    pub fn begin_write_owned(&self) -> Result<OwnedWriteTransaction<R>> {
        self.begin(self.owned())
    }

    /// As [`Database::try_begin_write`], for an [owned transaction](Database::begin_write_owned).
    ///
    /// # Errors
    /// As [`Database::try_begin_write`].
    pub fn try_begin_write_owned(&self) -> Result<Option<OwnedWriteTransaction<R>>> {
        Self::try_begin(self.owned())
    }

    /// As [`Database::begin_write_timeout`], for an
    /// [owned transaction](Database::begin_write_owned).
    ///
    /// # Errors
    /// As [`Database::begin_write_timeout`].
    pub fn begin_write_owned_timeout(&self, at_most: Duration) -> Result<OwnedWriteTransaction<R>> {
        self.begin_within(self.owned(), at_most)
    }

    fn owned(&self) -> OwnedWriter {
        OwnedWriter::new(Arc::clone(&self.closing))
    }

    fn try_begin<'t, O: WriterOwnership>(owner: O) -> Result<Option<WriteTransaction<'t, R, O>>> {
        Ok(Engine::begin(owner, Patience::None)?.map(WriteTransaction::new))
    }

    fn begin<'t, O: WriterOwnership>(&self, owner: O) -> Result<WriteTransaction<'t, R, O>> {
        // A transaction is large: this makes it in its place, and does not move it.
        match Engine::begin(owner, Patience::FOREVER)? {
            Some(writer) => Ok(WriteTransaction::new(writer)),
            None => Err(self.late("it has not ended")),
        }
    }

    fn begin_within<'t, O: WriterOwnership>(
        &self,
        owner: O,
        at_most: Duration,
    ) -> Result<WriteTransaction<'t, R, O>> {
        match Engine::begin(owner, Patience::at_most(at_most))? {
            Some(writer) => Ok(WriteTransaction::new(writer)),
            None => Err(self.late(format!("it did not end within {at_most:?}"))),
        }
    }

    #[cold]
    fn late(&self, detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        let error = self.engine.in_progress("begin a transaction", detail);
        error.advice("end it, or wait longer")
    }
}
