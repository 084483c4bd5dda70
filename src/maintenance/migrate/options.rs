//! Options and results of a migration.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::maintenance::CopyOptions;
use crate::shm::Wait;

/// Called with each value that does not fit.
type OnMisfit<'a> = Box<dyn FnMut(&MisfitValue<'_>) -> Result<()> + 'a>;

/// Options for [`migrate`](crate::migrate).
///
/// ```
/// use flatrec::{DataType, Field, MigrateOptions, Schema, SchemaChange, Value};
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::Int64)])?;
/// let mut store = flatrec::DynStore::create(&path, &schema)?;
/// store.append(&7_i64.to_le_bytes())?;
/// store.append(&700_i64.to_le_bytes())?;
/// store.close()?;
/// let mut unfit = Vec::new();
/// let options = MigrateOptions::new().leave_out_misfits(true).on_misfit(|misfit| {
///     unfit.push((misfit.record, misfit.value.to_owned()));
///     Ok(())
/// });
/// let change = SchemaChange::new().retype("n", DataType::Int8);
/// let report = flatrec::migrate(&path, &change, options)?;
/// assert_eq!((report.records, report.left_out), (1, 1));
/// assert_eq!(unfit, [(1, "700".to_owned())]);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Default)]
#[must_use = "options do nothing until they are given to a function"]
pub struct MigrateOptions<'a> {
    pub(super) copy: CopyOptions<'a>,
    pub(super) out: Option<PathBuf>,
    pub(super) metadata: Option<Vec<u8>>,
    pub(super) leave_out: bool,
    pub(super) dry_run: bool,
    pub(super) resume: bool,
    pub(super) on_misfit: Option<OnMisfit<'a>>,
}

impl<'a> MigrateOptions<'a> {
    /// Options to change the store itself, if every value fits.
    ///
    /// ```
    /// let options = flatrec::MigrateOptions::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a new store at `out`, and leaves the store as it is.
    ///
    /// ```
    /// let options = flatrec::MigrateOptions::new().out("flights-new.rec");
    /// ```
    pub fn out(mut self, out: impl AsRef<Path>) -> Self {
        self.out = Some(out.as_ref().to_path_buf());
        self
    }

    /// Whether the new store may replace an existing file at the path of [`MigrateOptions::out`];
    /// `false` by default.
    ///
    /// ```
    /// let options = flatrec::MigrateOptions::new().out("flights-new.rec").replace(true);
    /// ```
    pub fn replace(mut self, replace: bool) -> Self {
        self.copy = self.copy.replace(replace);
        self
    }

    /// Other metadata of the user; by default the store keeps its own.
    ///
    /// ```
    /// let options = flatrec::MigrateOptions::new().metadata(b"source: exchange A");
    /// ```
    pub fn metadata(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.metadata = Some(bytes.into());
        self
    }

    /// Whether to leave out records with a value that does not fit; `false` by default. A store
    /// with deletes has deleted records in their places. In other stores the records behind them
    /// get new numbers.
    ///
    /// ```
    /// let options = flatrec::MigrateOptions::new().leave_out_misfits(true);
    /// ```
    pub fn leave_out_misfits(mut self, leave_out: bool) -> Self {
        self.leave_out = leave_out;
        self
    }

    /// Whether to look at every value and write nothing; `false` by default.
    ///
    /// ```
    /// let options = flatrec::MigrateOptions::new().dry_run(true);
    /// ```
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Whether to go on with the records that an interrupted migration has written; `false` by
    /// default. They are compared with those that this migration would write. If one differs, it
    /// starts over.
    ///
    /// ```
    /// let options = flatrec::MigrateOptions::new().resume(true);
    /// ```
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// How long to wait for a lock that another handle holds; [`Wait::No`] by default.
    ///
    /// ```
    /// let options = flatrec::MigrateOptions::new().wait(flatrec::Wait::Forever);
    /// ```
    pub fn wait(mut self, wait: Wait) -> Self {
        self.copy = self.copy.wait(wait);
        self
    }

    /// Whether the new store may lie on a network file system; `false` by default. Safe only if a
    /// single machine has the file open.
    ///
    /// ```
    /// let options = flatrec::MigrateOptions::new().allow_network_file_system(true);
    /// ```
    pub fn allow_network_file_system(mut self, allow: bool) -> Self {
        self.copy = self.copy.allow_network_file_system(allow);
        self
    }

    /// Calls `misfit` with each value that does not fit, in the order of the records. If it returns
    /// an error, the migration ends with that error.
    ///
    /// ```
    /// let options = flatrec::MigrateOptions::new().on_misfit(|misfit| {
    ///     eprintln!("record {}: {} {}", misfit.record, misfit.field, misfit.why);
    ///     Ok(())
    /// });
    /// ```
    pub fn on_misfit(mut self, misfit: impl FnMut(&MisfitValue<'_>) -> Result<()> + 'a) -> Self {
        self.on_misfit = Some(Box::new(misfit));
        self
    }

    /// Calls `progress` from time to time with the bytes done so far, and all bytes to do. If it
    /// returns an error, the migration ends with that error, and a later one can
    /// [`resume`](MigrateOptions::resume) it. The last call comes before the new store gets its
    /// name.
    ///
    /// ```
    /// let options = flatrec::MigrateOptions::new().on_progress(|done_bytes, total_bytes| {
    ///     eprintln!("{done_bytes} of {total_bytes} bytes");
    ///     Ok(())
    /// });
    /// ```
    pub fn on_progress(mut self, progress: impl FnMut(u64, u64) -> Result<()> + 'a) -> Self {
        self.copy = self.copy.on_progress(progress);
        self
    }
}

impl std::fmt::Debug for MigrateOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MigrateOptions")
            .field("copy", &self.copy)
            .field("out", &self.out)
            .field("leave_out", &self.leave_out)
            .field("dry_run", &self.dry_run)
            .field("resume", &self.resume)
            .finish_non_exhaustive()
    }
}

/// A value that the new field cannot hold. [`MigrateOptions`] shows one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MisfitValue<'m> {
    /// The number of its record in the old store.
    pub record: u64,
    /// The name of the field in the old store.
    pub field: &'m str,
    /// The value as text; empty for null.
    pub value: &'m str,
    /// Why it does not fit.
    pub why: &'m str,
}

/// The result of [`migrate`](crate::migrate).
///
/// ```
/// use flatrec::{DataType, DynStore, Field, MigrateOptions, Schema, SchemaChange};
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed(["a", "b"].map(|name| Field::new(name, DataType::Int64)))?;
/// DynStore::create(&path, &schema)?.close()?;
/// let change = SchemaChange::new()
///     .drop_field("a")
///     .add_field(Field::new("c", DataType::Bool).nullable());
/// let report = flatrec::migrate(&path, &change, MigrateOptions::new())?;
/// assert_eq!((report.dropped, report.added), (vec!["a".to_owned()], vec!["c".to_owned()]));
/// assert_eq!(DynStore::open_read_only(&path)?.schema().record_size(), 8 + 2);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrateReport {
    /// Whether there was a change to make. Otherwise the store is as it was.
    pub changed: bool,
    /// The number of live records of the new store.
    pub records: u64,
    /// The number of deleted records of the new store, those in the places of
    /// [`MigrateReport::left_out`] included.
    pub deleted: u64,
    /// The number of records left out because of a value that does not fit.
    pub left_out: u64,
    /// The number of records with another number in the new store.
    pub renumbered: u64,
    /// The number of values that do not fit.
    pub misfits: u64,
    /// The number of records that an interrupted migration had written.
    pub resumed: u64,
    /// The fields that are new, by name.
    pub added: Vec<String>,
    /// The fields that were left out, by name.
    pub dropped: Vec<String>,
    /// The length of the new store in bytes.
    pub written_bytes: u64,
}
