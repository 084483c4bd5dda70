//! The two ways in which a transaction has the writer: borrowed in one thread, or owned.

use std::marker::PhantomData;
use std::sync::{Arc, MutexGuard};

use crate::db::closing::CloseAtEnd;
use crate::txn::{Engine, EngineHandle, Holder};

/// How a [`WriteTransaction`](super::WriteTransaction) has the writer of its database:
/// [`BorrowedWriter`] or [`OwnedWriter`].
///
/// Only these implement it. A function that is generic over it changes a store through either kind
/// of transaction.
///
/// ```
/// use flatrec::{DataType, DynDatabase, Field, Result, Schema, WriteTransaction, WriterOwnership};
/// fn add<O: WriterOwnership>(to: &mut WriteTransaction<'_, [u8], O>, n: u8) -> Result<u64> {
///     to.append(&[n])
/// }
///
/// let directory = tempfile::tempdir()?;
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
/// assert_eq!(add(&mut database.begin_write()?, 5)?, 0);
/// assert_eq!(add(&mut database.begin_write_owned()?, 5)?, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[allow(private_bounds, reason = "sealed: other crates cannot reach an engine")]
pub trait WriterOwnership: EngineHandle {}

impl WriterOwnership for BorrowedWriter<'_> {}
impl WriterOwnership for OwnedWriter {}

/// The transaction borrows the database and stays in the thread that began it, as those of
/// [`Database::begin_write`](crate::Database::begin_write) do. So flatrec can refuse a call of that
/// thread that would wait for itself.
#[derive(Clone, Copy)]
pub struct BorrowedWriter<'a> {
    engine: &'a Engine,
    /// As a guard, this must not be `Send`.
    stays: PhantomData<MutexGuard<'static, ()>>,
}

impl<'a> BorrowedWriter<'a> {
    #[inline]
    pub(in crate::db) fn new(engine: &'a Engine) -> Self {
        Self { engine, stays: PhantomData }
    }
}

impl EngineHandle for BorrowedWriter<'_> {
    #[inline]
    fn engine(&self) -> &Engine {
        self.engine
    }

    #[inline]
    fn holder() -> Holder {
        Holder::in_this_thread()
    }
}

/// The transaction owns what it needs, as those of
/// [`Database::begin_write_owned`](crate::Database::begin_write_owned) do.
#[derive(Clone)]
pub struct OwnedWriter(Arc<CloseAtEnd>);

impl OwnedWriter {
    pub(in crate::db) fn new(closing: Arc<CloseAtEnd>) -> Self {
        Self(closing)
    }
}

impl EngineHandle for OwnedWriter {
    #[inline]
    fn engine(&self) -> &Engine {
        self.0.engine()
    }

    fn holder() -> Holder {
        Holder::InAnyThread
    }
}
