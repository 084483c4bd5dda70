//! Options for opening and for creating, of each kind of handle.
//!
//! [`OpenOptions`] (to write), [`ReadOptions`] and [`CreateOptions`] name the handle that they
//! make. A setting that counts for every handle is here; one that counts for some is in an `impl`
//! block for these handles, beside the functions that open or create them. So a setting that would
//! do nothing does not compile.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use super::metadata::NewMetadata;
use crate::array::{Reading, WriteBack};
use crate::error::{Error, Result};
use crate::format::Schema;
use crate::os::{Advice, Permissions, Sharing};
use crate::shm::Wait;

/// Options for opening a store to read and write, as a handle of type `H`:
/// [`Database`](crate::Database), [`Store`](crate::Store) or
/// [`WindowedStore`](crate::WindowedStore). The function `options` of each handle makes them, and
/// they open it with [`OpenOptions::open`]. [`ReadOptions`] open a store to read.
///
/// ```
/// use std::time::Duration;
/// use flatrec::{DynDatabase, DataType, Field, Schema, Wait};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// DynDatabase::create(&path, &schema)?.close()?;
///
/// let options = DynDatabase::options()
///     .wait(Wait::AtMost(Duration::from_secs(5)))
///     .checkpoint_at(64 << 20);
/// let database = options.open(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// They have only the settings that count for the handle. The others do not compile: what belongs
/// to the file is decided when it is created, and only a database has a log.
///
/// ```compile_fail,E0599
/// flatrec::DynDatabase::options().deletes(true); // a setting of `create_options`
/// ```
#[must_use = "options do nothing until they open a store"]
pub struct OpenOptions<H> {
    pub(crate) common: Common,
    /// The schema that the file must have. A type without field names has no other.
    pub(crate) schema: Option<Schema>,
    handle: PhantomData<fn() -> H>,
}

/// Options for opening a store without changing it, as a handle of type `H`:
/// [`ReadOnlyDatabase`](crate::ReadOnlyDatabase), [`Store`](crate::Store) or
/// [`WindowedStore`](crate::WindowedStore). [`ReadOnlyDatabase::options`],
/// [`Store::read_options`] and [`WindowedStore::read_options`] make them.
///
/// [`ReadOnlyDatabase::options`]: crate::ReadOnlyDatabase::options
/// [`Store::read_options`]: crate::Store::read_options
/// [`WindowedStore::read_options`]: crate::WindowedStore::read_options
///
/// ```
/// use flatrec::{Advice, DataType, DynReadOnlyDatabase, DynStore, Field, Schema, Wait};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// DynStore::create(&path, &Schema::packed([Field::new("n", DataType::UInt32)])?)?.close()?;
///
/// let reader = DynReadOnlyDatabase::options().wait(Wait::Forever).open(&path)?;
/// let store = DynStore::read_options().advice(Advice::Random).open_read_only(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// They have no settings of writing:
///
/// ```compile_fail,E0599
/// flatrec::DynStore::read_options().allow_network_file_system(true); // reading may do that
/// ```
#[must_use = "options do nothing until they open a store"]
pub struct ReadOptions<H> {
    pub(crate) common: Common,
    /// The schema that the file must have. A type without field names has no other.
    pub(crate) schema: Option<Schema>,
    handle: PhantomData<fn() -> H>,
}

/// Options for creating a store and opening it as a handle of type `H`:
/// [`Database`](crate::Database), [`Store`](crate::Store) or
/// [`WindowedStore`](crate::WindowedStore). The function `create_options` of each handle makes
/// them, and they create it with [`CreateOptions::create`], or open it if it exists with
/// [`CreateOptions::open_or_create`].
///
/// They have the settings that the file keeps, and those settings of [`OpenOptions`] that count for
/// a new store. `open_or_create` is a call of these options, because it needs all of them if there
/// is no store yet. If there is one, it compares the settings that the file keeps
/// ([`CreateOptions::metadata`], [`CreateOptions::deletes`], [`CreateOptions::checksums`]) with the
/// file, as far as the caller has set them. [`OpenOptions`] have one setting more,
/// [`OpenOptions::accept_interrupted_edit`]: a program that accepts such a store should not do so
/// each time that it starts.
///
/// ```
/// use flatrec::{DynStore, DataType, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// let options = DynStore::create_options()
///     .metadata("made by the example")
///     .deletes(true)
///     .checksums(true);
/// options.create(&path, &schema)?.close()?;
/// assert_eq!(DynStore::open_read_only(&path)?.metadata()?, b"made by the example");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail,E0599
/// flatrec::DynStore::create_options().accept_interrupted_edit(true); // a new store has no edit
/// ```
#[must_use = "options do nothing until they create a store"]
pub struct CreateOptions<H> {
    pub(crate) common: Common,
    /// The schema of a type without field names.
    pub(crate) schema: Option<Schema>,
    handle: PhantomData<fn() -> H>,
}

/// The default of [`OpenOptions::checkpoint_at`].
const CHECKPOINT_BYTES: u64 = 16 << 20;

/// The settings of all handles, whether they are created or opened. Each handle reads those that
/// its options can set.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) reading: Reading,
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
    /// Which settings that the file keeps the caller has set.
    pub(crate) explicit: Explicit,
}

/// Which settings that the file keeps the caller has set: an existing store must agree with these.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Explicit {
    pub(crate) metadata: bool,
    pub(crate) deletes: bool,
    pub(crate) checksums: bool,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            reading: Reading::Whole,
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
            explicit: Explicit::default(),
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

/// Settings of opening a store that exists.
macro_rules! opening_settings {
    ($options:ident) => {
        impl<H> $options<H> {
            /// How long to wait for a lock that another handle holds. The default is [`Wait::No`].
            ///
            /// ```
            /// use flatrec::{DataType, DynStore, Field, Schema, Wait};
            /// let directory = tempfile::tempdir()?;
            /// let path = directory.path().join("numbers.rec");
            /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
            /// DynStore::create(&path, &schema)?.close()?;
            /// DynStore::options().wait(Wait::Forever).open(&path)?.close()?;
            /// let store = DynStore::read_options().wait(Wait::Forever).open_read_only(&path)?;
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn wait(mut self, wait: Wait) -> Self {
                self.common.wait = wait;
                self
            }

            /// The schema that the file must have, for record types without field names
            /// ([`PodRecord`](crate::PodRecord)) and for records of bytes. By default a type
            /// without field names accepts every schema of its size, and bytes accept every schema.
            ///
            /// ```
            /// use flatrec::{DataType, DynStore, ErrorKind, Field, Schema};
            /// let directory = tempfile::tempdir()?;
            /// let path = directory.path().join("numbers.rec");
            /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
            /// DynStore::create(&path, &schema)?.close()?;
            /// let other = Schema::packed([Field::new("m", DataType::UInt8)])?;
            /// let error = DynStore::options().schema(other).open(&path).unwrap_err();
            /// assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
            /// assert!(DynStore::read_options().schema(schema).open_read_only(&path).is_ok());
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn schema(mut self, schema: Schema) -> Self {
                self.schema = Some(schema);
                self
            }

            /// Whether to open a store whose exclusive edit was interrupted, with the records that
            /// may be half changed. A handle that writes then removes the mark of the interrupted
            /// edit, and the checksums, which do not match the changed records:
            /// [`rebuild_checksums`](crate::rebuild_checksums) makes new ones. By default opening
            /// fails with [`ErrorKind::InterruptedEdit`](crate::ErrorKind::InterruptedEdit).
            ///
            /// ```no_run
            /// # fn main() -> flatrec::Result<()> {
            /// let options = flatrec::DynStore::read_options().accept_interrupted_edit(true);
            /// let seen = options.open_read_only("x.rec")?;
            /// let options = flatrec::DynStore::options().accept_interrupted_edit(true);
            /// let store = options.open("x.rec")?;
            /// # Ok(()) }
            /// ```
            pub fn accept_interrupted_edit(mut self, accept: bool) -> Self {
                self.common.accept_interrupted_edit = accept;
                self
            }
        }
    };
}

opening_settings!(OpenOptions);
opening_settings!(ReadOptions);

impl<H> CreateOptions<H> {
    /// How long to wait for a lock that another handle holds. The default is [`Wait::No`]. No other
    /// handle can have a lock on a temporary store, so making one never waits.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema, Wait};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let options = DynStore::create_options().wait(Wait::Forever);
    /// let store = options.create(directory.path().join("numbers.rec"), &schema)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(mut self, wait: Wait) -> Self {
        self.common.wait = wait;
        self
    }

    /// The user's own bytes to keep in the file, such as a source or a version: at most 4 GiB. The
    /// default is no bytes. Later nothing changes them.
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let store = DynStore::create_options().metadata("version 7").temporary(&schema)?;
    /// assert_eq!(store.metadata()?, b"version 7");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn metadata(mut self, metadata: impl Into<Vec<u8>>) -> Self {
        self.common.metadata = NewMetadata::Bytes(metadata.into());
        self.common.explicit.metadata = true;
        self
    }

    /// Whether records of the store can be deleted, and their places used again; `false` by
    /// default. Each record then takes one more byte, its status, rounded up to a multiple of its
    /// alignment.
    ///
    /// Records of such a store must have at least 8 bytes, otherwise creating it fails with
    /// [`ErrorKind::InvalidSchema`](crate::ErrorKind::InvalidSchema).
    ///
    /// ```
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
    /// let mut store = DynStore::create_options().deletes(true).temporary(&schema)?;
    /// store.append(&7u64.to_le_bytes())?;
    /// let info = store.info()?;
    /// assert!(info.deletes);
    /// assert_eq!((info.record_size, info.stride), (8, 9));
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn deletes(mut self, deletes: bool) -> Self {
        self.common.deletes = deletes;
        self.common.explicit.deletes = true;
        self
    }

    /// Whether the store has checksums of its records, in a file beside it: `X-sum` for a store
    /// `X`. The default is `false`. With them [`verify`](crate::verify) finds damage, and
    /// [`salvage`](crate::salvage) tells which records can be trusted. Every later writer keeps
    /// them up to date. [`rebuild_checksums`](crate::rebuild_checksums) adds them to a store
    /// without.
    ///
    /// A store without a path cannot have checksums: creating one fails with
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
    ///
    /// ```
    /// use flatrec::{Checksums, DataType, DynStore, ErrorKind, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let options = DynStore::create_options().checksums(true);
    /// let store = options.clone().create(directory.path().join("numbers.rec"), &schema)?;
    /// assert!(matches!(store.info()?.checksums, Checksums::Present { .. }));
    /// assert_eq!(options.temporary(&schema).unwrap_err().kind(), ErrorKind::Unsupported);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn checksums(mut self, checksums: bool) -> Self {
        self.common.checksums = checksums;
        self.common.explicit.checksums = true;
        self
    }

    /// Whether to create the store also on a network file system; `false` by default. Safe only if
    /// a single machine has the file open. A temporary store is made on any file system, because
    /// no other machine can open it.
    ///
    /// ```
    /// let options = flatrec::DynStore::create_options().allow_network_file_system(true);
    /// ```
    pub fn allow_network_file_system(mut self, allow: bool) -> Self {
        self.common.allow_network = allow;
        self
    }
}

/// What all options are.
macro_rules! is_options {
    ($options:ident) => {
        impl<H> $options<H> {
            pub(crate) fn new(common: Common) -> Self {
                Self { common, schema: None, handle: PhantomData }
            }
        }

        impl<H> Clone for $options<H> {
            fn clone(&self) -> Self {
                Self { schema: self.schema.clone(), ..Self::new(self.common.clone()) }
            }
        }

        impl<H> fmt::Debug for $options<H> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut fields = f.debug_struct(stringify!($options));
                fields.field("settings", &self.common).field("schema", &self.schema).finish()
            }
        }
    };
}

is_options!(OpenOptions);
is_options!(ReadOptions);
is_options!(CreateOptions);
