//! What a database that is open to write and one that is open to read have in common.

use std::path::PathBuf;
use std::time::Duration;

use super::commit_events::CommitEvents;
use super::database::Database;
use super::read_only::ReadOnlyDatabase;
use super::snapshot::Snapshot;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::format::Schema;
use crate::txn::{CommitId, Row, StoreInfo};

/// A handle that gives snapshots: a [`Database`] or a [`ReadOnlyDatabase`]. Code that only reads
/// takes one, and works in the writer's process and in every other.
///
/// Only these two implement it.
///
/// ```
/// use flatrec::{DataType, DynDatabase, Durability, Field, ReadableDatabase, Schema};
///
/// fn sum(database: &impl ReadableDatabase<Row = [u8]>) -> flatrec::Result<u64> {
///     Ok(database.begin_read()?.iter().map(|(_, record)| u64::from(record[0])).sum())
/// }
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let writer = DynDatabase::create(&path, &schema)?;
/// let mut transaction = writer.begin_write()?;
/// transaction.append_packed(&[3, 4])?;
/// transaction.commit(Durability::Immediate)?;
/// let reader = DynDatabase::open_read_only(&path)?;
/// assert_eq!((sum(&writer)?, sum(&reader)?), (7, 7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[allow(private_bounds, reason = "sealed: a later version may ask more of these handles")]
pub trait ReadableDatabase: Sealed + Send + Sync {
    /// The form of a record: a type, or `[u8]`.
    type Row: Row + ?Sized;

    /// A snapshot of the newest commit.
    ///
    /// # Errors
    /// For a [`ReadOnlyDatabase`], those of [`ReadOnlyDatabase::begin_read`]. For a [`Database`],
    /// the call does not fail.
    fn begin_read(&self) -> Result<Snapshot<Self::Row>>;

    /// The number of the newest commit that this handle knows: the one that
    /// [`ReadableDatabase::begin_read`] would read, or an older one.
    fn commit_id(&self) -> CommitId;

    /// Waits for a commit after commit `after`, at most for the given time. Returns whether there
    /// is one.
    ///
    /// # Errors
    /// Those of [`ReadOnlyDatabase::wait`].
    fn wait(&self, after: CommitId, at_most: Duration) -> Result<bool>;

    /// Facts about the store at this moment.
    ///
    /// # Errors
    /// For a [`ReadOnlyDatabase`], those of [`ReadOnlyDatabase::begin_read`]. For a [`Database`],
    /// [`ErrorKind::Io`] if the operating system reports an error.
    fn info(&self) -> Result<StoreInfo>;

    /// Events by which a program waits for commits together with other things.
    ///
    /// # Errors
    /// Those of [`ReadOnlyDatabase::commit_events`].
    fn commit_events(&self) -> Result<CommitEvents>;

    /// The schema in the file.
    fn schema(&self) -> &Schema;

    /// The metadata that the store was created with.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if they do not fit into this process's memory;
    /// [`ErrorKind::Corrupt`] if they have changed since the store was opened; [`ErrorKind::Io`] if
    /// the operating system reports an error.
    fn metadata(&self) -> Result<&[u8]>;

    /// The path of the store; `None` for a backing without a name.
    fn path(&self) -> Option<PathBuf>;
}

trait Sealed {}
impl<R: Row + ?Sized> Sealed for Database<R> {}
impl<R: Row + ?Sized> Sealed for ReadOnlyDatabase<R> {}

macro_rules! readable {
    ($handle:ident) => {
        impl<R: Row + ?Sized> ReadableDatabase for $handle<R> {
            type Row = R;

            fn begin_read(&self) -> Result<Snapshot<R>> {
                $handle::begin_read(self)
            }

            fn commit_id(&self) -> CommitId {
                $handle::commit_id(self)
            }

            fn wait(&self, after: CommitId, at_most: Duration) -> Result<bool> {
                $handle::wait(self, after, at_most)
            }

            fn info(&self) -> Result<StoreInfo> {
                $handle::info(self)
            }

            fn commit_events(&self) -> Result<CommitEvents> {
                $handle::commit_events(self)
            }

            fn schema(&self) -> &Schema {
                $handle::schema(self)
            }

            fn metadata(&self) -> Result<&[u8]> {
                $handle::metadata(self)
            }

            fn path(&self) -> Option<PathBuf> {
                $handle::path(self)
            }
        }
    };
}

readable!(Database);
readable!(ReadOnlyDatabase);
