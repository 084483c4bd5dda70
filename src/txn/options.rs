//! Options for creating and opening stores.

use std::marker::PhantomData;
use std::path::Path;

use super::metadata::NewMetadata;
use crate::array::WriteBack;
use crate::error::{Error, Result};
use crate::format::Schema;
use crate::os::{Advice, Permissions, Sharing};
use crate::shm::Wait;

/// Options for creating and opening a store; [`Store::options`](crate::Store::options) and
/// [`DynStore::options`](crate::DynStore::options) make them.
///
/// ```
/// use std::time::Duration;
/// use flatrec::{DynStore, DataType, Field, Schema, Wait};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let options = DynStore::options()
///     .wait(Wait::AtMost(Duration::from_secs(5)))
///     .metadata("made by the example");
/// options.clone().create(&path, &schema)?.close()?;
/// assert_eq!(options.open_read_only(&path)?.metadata()?, b"made by the example");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Options<S> {
    pub(crate) common: Common,
    /// A schema given by hand, for types that do not carry their own.
    pub(crate) schema: Option<Schema>,
    pub(crate) marker: PhantomData<fn() -> S>,
}

/// The default of [`Options::checkpoint_at`].
const CHECKPOINT_BYTES: u64 = 16 << 20;

/// The options that all handles share.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) write_back: WriteBack,
    pub(crate) advice: Option<Advice>,
    pub(crate) wait: Wait,
    pub(crate) metadata: NewMetadata,
    pub(crate) allow_network: bool,
    pub(crate) accept_interrupted_edit: bool,
    pub(crate) deletes: bool,
    pub(crate) checksums: bool,
    pub(crate) checkpoint_bytes: u64,
    pub(crate) max_log_bytes: Option<u64>,
    /// The permissions of the store that a new one is a copy of.
    pub(crate) copy_of: Option<Permissions>,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            write_back: WriteBack::default(),
            advice: None,
            wait: Wait::default(),
            metadata: NewMetadata::Bytes(Vec::new()),
            allow_network: false,
            accept_interrupted_edit: false,
            deletes: false,
            checksums: false,
            checkpoint_bytes: CHECKPOINT_BYTES,
            max_log_bytes: None,
            copy_of: None,
        }
    }
}

impl Common {
    /// Gives new stores the permissions of the one at `path`, of which they are copies, so that no
    /// other user can read the copy.
    pub(crate) fn set_copy_of(&mut self, path: &Path) -> Result<()> {
        let metadata = std::fs::metadata(path)
            .map_err(|source| Error::io("ask the permissions of", source).path(path))?;
        self.copy_of = Some(Permissions::of(&metadata));
        Ok(())
    }

    /// The permissions of a store that is made at `path`, or `replace`s the one there.
    pub(crate) fn sharing(&self, path: &Path, replace: bool) -> Sharing {
        let replaced = if replace { Sharing::like(path) } else { Sharing::default() };
        Sharing { copy_of: self.copy_of, ..replaced }
    }
}

impl<S> Clone for Options<S> {
    fn clone(&self) -> Self {
        Self { common: self.common.clone(), schema: self.schema.clone(), marker: PhantomData }
    }
}

impl<S> Options<S> {
    pub(crate) fn new() -> Self {
        Self { common: Common::default(), schema: None, marker: PhantomData }
    }

    /// How records are written back. The default is [`WriteBack::Auto`].
    pub fn write_back(mut self, write_back: WriteBack) -> Self {
        self.common.write_back = write_back;
        self
    }

    /// Tells the operating system how the mapping will be used: [`Advice::Random`] for point reads
    /// on a file larger than memory. By default flatrec tells it nothing.
    pub fn advice(mut self, advice: Advice) -> Self {
        self.common.advice = Some(advice);
        self
    }

    /// How long to wait for a lock that another handle holds. The default is [`Wait::No`].
    pub fn wait(mut self, wait: Wait) -> Self {
        self.common.wait = wait;
        self
    }

    /// The user's own bytes to store in the file when it is created, such as a source or a version.
    pub fn metadata(mut self, metadata: impl Into<Vec<u8>>) -> Self {
        self.common.metadata = NewMetadata::Bytes(metadata.into());
        self
    }

    /// Creates a store whose records can be deleted, and their places used again. Each record takes
    /// one more byte, its status, rounded up to a multiple of its alignment. Only creating a store
    /// decides this; opening reads it from the file.
    ///
    /// Records of such a store must have at least 8 bytes, otherwise creating it fails with
    /// [`ErrorKind::InvalidSchema`](crate::ErrorKind::InvalidSchema).
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let mut store = DynStore::options().deletes().temporary(&schema)?;
    /// store.append(&7u64.to_le_bytes())?;
    /// let info = store.info()?;
    /// assert!(info.deletes);
    /// assert_eq!((info.record_size, info.stride), (8, 9));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn deletes(mut self) -> Self {
        self.common.deletes = true;
        self
    }

    /// The schema to create a store with and to expect in an opened one, for record types without
    /// field names ([`PodRecord`](crate::PodRecord)). It must be as large as the record.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Creates a store with checksums of its records, in a file beside it: `X-sum` for a store `X`.
    /// With them [`verify`](crate::verify) finds damage, and [`salvage`](crate::salvage) tells
    /// which records can be trusted. Every later writer keeps them up to date.
    /// [`rebuild_checksums`](crate::rebuild_checksums) adds them to a store without. A temporary
    /// store has no checksums.
    pub fn checksums(mut self) -> Self {
        self.common.checksums = true;
        self
    }

    /// Allows writing to a file on a network file system. Safe only if a single machine has the
    /// file open.
    pub fn allow_network_file_system(mut self) -> Self {
        self.common.allow_network = true;
        self
    }

    /// Opens a store whose exclusive edit was interrupted, with the records that may be half
    /// changed. A handle that writes removes the mark of the interrupted edit, and the checksums,
    /// which do not match the changed records: [`rebuild_checksums`](crate::rebuild_checksums)
    /// makes new ones.
    pub fn accept_interrupted_edit(mut self) -> Self {
        self.common.accept_interrupted_edit = true;
        self
    }

    /// How large the log of a [`Database`](crate::Database) grows before a commit makes a
    /// checkpoint. The default is 16 MiB. A smaller log makes recovery shorter; a larger one saves
    /// writes if the same records change again and again. If a transaction appends more than 1 MiB,
    /// the appended records are not logged, and count towards this size all the same, because the
    /// checkpoint updates header and checksums for them.
    pub fn checkpoint_at(mut self, log_bytes: u64) -> Self {
        self.common.checkpoint_bytes = log_bytes;
        self
    }

    /// How large the log of a [`Database`](crate::Database) may grow while a reader holds
    /// checkpoints back, or checkpoints fail. At this size commits fail: with
    /// [`ErrorKind::LogFull`](crate::ErrorKind::LogFull), which names the reader, or with the error
    /// of the checkpoint. By default the log grows as far as the disk allows, and
    /// [`Database::checkpoint_failure`](crate::Database::checkpoint_failure) tells why checkpoints
    /// fail.
    pub fn max_log(mut self, log_bytes: u64) -> Self {
        self.common.max_log_bytes = Some(log_bytes);
        self
    }
}
