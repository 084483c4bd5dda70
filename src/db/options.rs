//! How a store is opened.

use std::marker::PhantomData;

use crate::format::Schema;
use crate::map::{Advice, Wait, WriteBack};

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
/// assert_eq!(options.open_read_only(&path)?.metadata(), b"made by the example");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Options<S> {
    pub(super) common: Common,
    /// A schema given by hand, for types that do not carry their own.
    pub(super) schema: Option<Schema>,
    pub(super) marker: PhantomData<fn() -> S>,
}

/// What all stores' options have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Common {
    pub(super) write_back: WriteBack,
    pub(super) advice: Option<Advice>,
    pub(super) wait: Wait,
    pub(super) metadata: Vec<u8>,
    pub(super) allow_network: bool,
    pub(super) accept_interrupted_edit: bool,
    pub(super) checksums: bool,
}

impl<S> Clone for Options<S> {
    fn clone(&self) -> Self {
        Self { common: self.common.clone(), schema: self.schema.clone(), marker: PhantomData }
    }
}

impl<S> Options<S> {
    pub(super) fn new() -> Self {
        Self { common: Common::default(), schema: None, marker: PhantomData }
    }

    /// How records are written back; [`WriteBack::Auto`] unless said.
    pub fn write_back(mut self, write_back: WriteBack) -> Self {
        self.common.write_back = write_back;
        self
    }

    /// What the system is told about the use of the mapping: [`Advice::Random`] for point reads on
    /// a file larger than memory, nothing (the system's default) unless said.
    pub fn advice(mut self, advice: Advice) -> Self {
        self.common.advice = Some(advice);
        self
    }

    /// How long to wait for a lock that another handle holds; [`Wait::No`] unless said.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.common.wait = wait;
        self
    }

    /// Bytes of the user's own to keep in the file when it is created, such as a source or a
    /// version.
    pub fn metadata(mut self, metadata: impl Into<Vec<u8>>) -> Self {
        self.common.metadata = metadata.into();
        self
    }

    /// The schema to create with and to ask for, for record types that do not carry field names
    /// ([`PodRecord`](crate::PodRecord)); it must be as large as the record.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Keeps checksums of the records of a store that is created, in a file beside it: `X-sum` for
    /// a store `X`. By them [`verify`](crate::verify) finds damage, and
    /// [`salvage`](crate::salvage) tells what can be trusted. Every later handle that writes keeps
    /// them; [`rebuild_checksums`](crate::rebuild_checksums) gives them to a store without. A
    /// temporary store has none.
    pub fn checksums(mut self) -> Self {
        self.common.checksums = true;
        self
    }

    /// Writes to a file on a network file system all the same. Safe only if one machine alone has
    /// the file open.
    pub fn allow_network_file_system(mut self) -> Self {
        self.common.allow_network = true;
        self
    }

    /// Opens a store whose exclusive edit was interrupted, records half changed and all. Opened for
    /// writing, it takes the mark of the interrupted edit away, and its checksums, which tell no
    /// more what is right: [`rebuild_checksums`](crate::rebuild_checksums) makes new ones.
    pub fn accept_interrupted_edit(mut self) -> Self {
        self.common.accept_interrupted_edit = true;
        self
    }
}
