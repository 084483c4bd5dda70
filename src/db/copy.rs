//! Copying one store into another: what backup and compact have in common.

use std::fs;
use std::path::Path;

use super::dyn_store::DynStore;
use super::table::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::map::{FileBacking, Wait};
use crate::os;

/// How much is read and written at a time.
const CHUNK_BYTES: u64 = 1 << 20;

/// Options for [`backup`](crate::backup) and [`compact`](crate::compact).
///
/// ```
/// use flatrec::{CopyOptions, DataType, DynStore, Field, Schema};
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("numbers.rec");
/// # let out = directory.path().join("copy.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append_packed(&[0; 8000])?;
/// store.flush()?; // and goes on writing
/// let mut shown = 0;
/// let options = CopyOptions::new().replace(true).on_progress(|done_bytes, total_bytes| {
///     shown = done_bytes * 100 / total_bytes;
///     Ok(())
/// });
/// flatrec::backup(&path, &out, options)?;
/// assert_eq!(shown, 100);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Default)]
pub struct CopyOptions<'a> {
    replace: bool,
    wait: Wait,
    allow_network: bool,
    on_progress: Option<Box<dyn FnMut(u64, u64) -> Result<()> + 'a>>,
}

impl<'a> CopyOptions<'a> {
    /// A copy that replaces nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a file that is there already may be replaced.
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// How long to wait for a lock that another handle holds; [`Wait::No`] unless said.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    /// Writes to a file on a network file system all the same: see
    /// [`Options::allow_network_file_system`](crate::Options::allow_network_file_system).
    pub fn allow_network_file_system(mut self) -> Self {
        self.allow_network = true;
        self
    }

    /// Calls `progress` now and then with the bytes that are done, and all there are. An error that
    /// it returns ends the copy, and leaves nothing of it.
    pub fn on_progress(mut self, progress: impl FnMut(u64, u64) -> Result<()> + 'a) -> Self {
        self.on_progress = Some(Box::new(progress));
        self
    }

    fn report(&mut self, done_bytes: u64, total_bytes: u64) -> Result<()> {
        match &mut self.on_progress {
            Some(progress) => progress(done_bytes, total_bytes),
            None => Ok(()),
        }
    }
}

impl std::fmt::Debug for CopyOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CopyOptions")
            .field("replace", &self.replace)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// A store that is read, and the one that is made of it.
pub(super) struct Copy<'a> {
    pub(super) from: DynStore,
    pub(super) to: DynStore,
    options: CopyOptions<'a>,
}

impl<'a> Copy<'a> {
    /// Opens the store at `path` for reading, as it is at this moment, and starts another, with the
    /// same schema, metadata and place for deletes, that appears at `out` when it is closed.
    pub(super) fn start(path: &Path, out: &Path, options: CopyOptions<'a>) -> Result<Self> {
        refuse_same(path, out)?;
        let from = DynStore::options().wait(options.wait).open_read_only(path)?;
        let mut new = DynStore::options().wait(options.wait).metadata(from.metadata());
        if from.table.slots.mark().is_some() {
            new = new.deletes();
        }
        if options.allow_network {
            new = new.allow_network_file_system();
        }
        let to = new.create_aside(out, from.schema(), options.replace)?;
        Ok(Self { from, to, options })
    }

    /// Calls `each` with the tables to read and to write, the number of the first of some records,
    /// and their slots' bytes, until all records were there.
    pub(super) fn slots(
        &mut self,
        mut each: impl FnMut(&Table<u8>, &mut Table<u8>, u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let count = self.from.count();
        let stride = self.from.table.slots.stride();
        let at_once = (CHUNK_BYTES / stride as u64).max(1);
        let total_bytes = count * stride as u64; // the file has them
        let mut chunk = Vec::new();
        let mut first = 0;
        while first < count {
            let records = at_once.min(count - first);
            let len = usize::try_from(records).unwrap_or(usize::MAX).saturating_mul(stride);
            chunk.resize(len, 0);
            let table = &self.from.table;
            table.array.copy_slots(first, &mut chunk).map_err(|error| table.core.name(error))?;
            each(table, &mut self.to.table, first, &chunk)?;
            first += records;
            self.options.report(first * stride as u64, total_bytes)?;
        }
        Ok(())
    }
}

/// Refuses to write the file that is read, by whatever name.
fn refuse_same(path: &Path, out: &Path) -> Result<()> {
    // What is no file, a pipe perhaps, is not opened to find out.
    let is_file = |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if !is_file(path) || !is_file(out) {
        return Ok(());
    }
    let identity = |path: &Path| {
        let file = FileBacking::open(path, false)?;
        os::file_identity(file.file()).map_err(|source| Error::io("identify", source).path(path))
    };
    if identity(path)? != identity(out)? {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidArgument, "copy to")
        .path(out)
        .detail("it is the store itself")
        .advice("choose another path"))
}
