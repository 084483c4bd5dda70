//! Files as backings: new, existing, temporary, inherited, and anonymous memory on systems that
//! make it a file.

mod data_locks;
pub(crate) mod raw;

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, PoisonError};

use super::backing::{Backing, Grown, OpenSide, Properties, sealed};
use super::open_file::OpenFile;
use super::place::Place;
use super::side;
use super::view::{Access, View};
use crate::error::{Error, ErrorKind, Result};
use crate::format::OFFSET_MAX;
use crate::os::{self, FileSystemKind, Sharing, Survives};
use raw::refuse_lock_file;

/// A file, seen as a [`Backing`].
///
/// ```
/// use flatrec::map::{Backing, FileBacking};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers");
/// let file = FileBacking::create_new(&path)?;
/// file.grow(8192)?; // reserved: a full disk is an error here, not a fault later
/// file.write_at(0, &7u64.to_le_bytes())?;
/// file.sync_data()?;
/// assert_eq!(FileBacking::open(&path, false)?.len_bytes()?, 8192);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileBacking {
    pub(super) open: Arc<OpenFile>,
    properties: Properties,
    pub(super) inode_locked: AtomicBool,
    pub(super) range_locked: AtomicBool,
    /// Asked once: the system tells it in several places.
    survives_synced: OnceLock<Survives>,
}

/// Whether ranges of the data file itself can be locked beside [`FileBacking::try_lock_inode`],
/// without blocking reads and writes. On Windows range locks forbid those; on macOS they conflict
/// with the inode's lock.
pub(super) const LOCKS_RANGES_OF_DATA: bool = cfg!(target_os = "linux");

impl FileBacking {
    /// Creates a file of length 0 that did not exist, open for reading and writing.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if the path is taken; [`ErrorKind::Io`] if the operating system
    /// reports another error.
    pub fn create_new(path: impl AsRef<Path>) -> Result<Self> {
        Self::create_shared(path.as_ref(), &Sharing::default())?.guarded(false)
    }

    /// As [`FileBacking::create_new`], with the owner and permissions that `sharing` gives.
    pub(crate) fn create_shared(path: &Path, sharing: &Sharing) -> Result<Self> {
        refuse_no_file(path, "create")?;
        let file = os::create_new(path, sharing)
            .map_err(|source| Error::io("create", source).path(path))?;
        Self::over(file, Some(Place::of(path)))
    }

    /// Opens an existing file, for reading and, if `writable`, for writing. Refuses to open files
    /// of a store for writing: the store's handles lend records in place, and these must not
    /// change.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::PermissionDenied`]; [`ErrorKind::InvalidArgument`] for
    /// anything but a regular file, and to write to a store or its lock file (use
    /// [`FileBacking::open_unchecked`]); on Linux [`ErrorKind::Locked`] to write to a file that a
    /// handle has open as a store; [`ErrorKind::Io`] if the operating system reports another error.
    pub fn open(path: impl AsRef<Path>, writable: bool) -> Result<Self> {
        let file = Self::open_any(path.as_ref(), writable)?;
        if writable { file.guarded(false) } else { Ok(file) }
    }

    /// As [`FileBacking::open`], for any file. The locks of a store protect its records.
    pub(crate) fn open_any(path: &Path, writable: bool) -> Result<Self> {
        Self::open_with(path, OpenOptions::new().read(true).write(writable))
    }

    /// As [`FileBacking::open_any`], but refuses a symbolic link.
    pub(crate) fn open_no_link(path: &Path, writable: bool) -> Result<Self> {
        let mut options = OpenOptions::new();
        os::no_follow(options.read(true).write(writable));
        Self::open_with(path, &options)
    }

    fn open_with(path: &Path, options: &OpenOptions) -> Result<Self> {
        refuse_no_file(path, "open")?;
        // Checked first: opening a pipe would wait until a program writes into it.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(irregular().path(path));
        }
        let file = options.open(path).map_err(|source| Error::io("open", source).path(path))?;
        Self::over(file, Some(Place::of(path)))
    }

    /// A file of `len_bytes` zero bytes without a name, in the directory for temporary files. It is
    /// gone when closed.
    ///
    /// # Errors
    /// As [`FileBacking::temporary_in`].
    pub fn temporary(len_bytes: u64) -> Result<Self> {
        Self::temporary_in(std::env::temp_dir(), len_bytes)
    }

    /// A file of `len_bytes` zero bytes without a name, on the file system of `directory`. It is
    /// gone when closed.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] on a full disk; [`ErrorKind::Io`] if the operating system reports
    /// another error.
    pub fn temporary_in(directory: impl AsRef<Path>, len_bytes: u64) -> Result<Self> {
        let directory = directory.as_ref();
        let file = os::open_temporary(directory)
            .map_err(|source| Error::io("create a temporary file in", source).path(directory))?;
        let backing = Self::over(file, None)?.guarded(false)?;
        backing.grow(len_bytes)?;
        Ok(backing)
    }

    /// A file that this process has already opened or inherited. Errors show `path`, and
    /// [`Backing::rename`] renames it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything but a regular file; if the file was opened for
    /// writing, as [`FileBacking::open`].
    pub fn from_file(file: File, path: Option<&Path>) -> Result<Self> {
        let file = Self::adopt(file, path)?;
        if os::is_writable(file.file()) { file.guarded(true) } else { Ok(file) }
    }

    /// As [`FileBacking::from_file`], for any file.
    pub(crate) fn adopt(file: File, path: Option<&Path>) -> Result<Self> {
        Self::over(file, path.map(Place::of))
    }

    /// The open file itself, for locks and for handing on to child processes.
    pub fn file(&self) -> &File {
        self.open.file()
    }

    /// Whether both are one file, possibly under different names.
    pub(crate) fn is_same_file(&self, other: &Self) -> Result<bool> {
        let identity = |backing: &Self| {
            os::file_identity(backing.file()).map_err(|source| backing.error("identify", source))
        };
        Ok(identity(self)? == identity(other)?)
    }

    /// Whether `path` leads to this file, directly or through symbolic links.
    pub(crate) fn is_at(&self, path: &Path) -> Result<bool> {
        let failed = |source| Error::io("look at", source).path(path);
        match std::fs::canonicalize(path) {
            Ok(real) => os::is_at(self.file(), &real).map_err(failed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// Removes the file's name if it still belongs to this file.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the name belongs to another file; [`ErrorKind::Io`] if the
    /// operating system reports another error.
    pub(crate) fn remove_name(&self) -> Result<()> {
        let Some(place) = self.open.checked_place("remove")? else { return Ok(()) };
        os::remove(place.real()).map_err(|source| self.error("remove", source))
    }

    /// Where [`Backing::rename`] to `path` leads.
    pub(crate) fn destination(&self, path: &Path) -> PathBuf {
        match self.open.place() {
            Some(place) => place.renamed(path).real().to_path_buf(),
            None => path.to_path_buf(),
        }
    }

    pub(super) fn over(file: File, place: Option<Place>) -> Result<Self> {
        let named = |error: Error| match &place {
            Some(place) => error.path(place.given()),
            None => error,
        };
        let metadata = file.metadata().map_err(|source| named(Error::io("open", source)))?;
        if !metadata.is_file() {
            return Err(named(irregular()));
        }
        let file_system =
            os::file_system(&file).map_err(|source| named(Error::io("open", source)))?;
        let properties = Properties {
            calls_see_views: os::FILE_CALLS_SEE_VIEWS,
            views_pass_end: os::VIEWS_MAY_PASS_END,
            resizable: true,
            file_system,
        };
        Ok(Self {
            open: Arc::new(OpenFile::new(file, place)),
            properties,
            inode_locked: AtomicBool::new(false),
            range_locked: AtomicBool::new(false),
            survives_synced: OnceLock::new(),
        })
    }

    /// A system error of `operation` on this file.
    pub(super) fn error(&self, operation: &'static str, source: io::Error) -> Error {
        self.open.error(operation, source)
    }

    fn name(&self, error: Error) -> Error {
        self.open.name(error)
    }
}

impl Drop for FileBacking {
    fn drop(&mut self) {
        // Unlocked explicitly: a process that another thread is starting holds copies of all open
        // files, and so their locks, for a moment.
        let _ = self.unlock_data(0..OFFSET_MAX);
        if *self.inode_locked.get_mut() {
            let _ = os::unlock_inode(self.open.file());
        }
    }
}

impl sealed::Sealed for FileBacking {}

impl Backing for FileBacking {
    fn path(&self) -> Option<PathBuf> {
        self.open.path()
    }

    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn len_bytes(&self) -> Result<u64> {
        self.open.len_bytes()
    }

    fn allocated_bytes(&self) -> Result<u64> {
        os::allocated_bytes(self.open.file())
            .map_err(|source| self.error("ask the blocks of", source))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.open.read_at(offset, into)
    }

    fn next_data(&self, offset: u64) -> Result<u64> {
        match os::next_data(self.open.file(), offset) {
            Ok(Some(data)) => Ok(data),
            Ok(None) => Ok(self.len_bytes()?.max(offset)),
            Err(source) => Err(self.error("look for data in", source).offset(offset)),
        }
    }

    fn write_at(&self, offset: u64, from: &[u8]) -> Result<()> {
        self.open.write_at(offset, from)
    }

    fn begin_write_back(&self, offset: u64, len_bytes: u64) {
        os::begin_write_back(self.open.file(), offset, len_bytes);
    }

    fn grow(&self, len_bytes: u64) -> Result<Grown> {
        self.open.check_length("grow", len_bytes)?;
        let old_len_bytes = self.len_bytes()?;
        if len_bytes <= old_len_bytes {
            return Ok(Grown::Reserved);
        }
        let reserved = os::preallocate(self.open.file(), old_len_bytes, len_bytes)
            .map_err(|source| self.error("grow", source).offset(old_len_bytes))?;
        Ok(match reserved {
            os::Preallocated::Blocks if os::preallocation_binds(&self.properties.file_system) => {
                Grown::Reserved
            }
            _ => Grown::LengthOnly,
        })
    }

    fn trim(&self, len_bytes: u64) -> Result<()> {
        self.open.check_length("trim", len_bytes)?;
        self.open.file().set_len(len_bytes).map_err(|source| {
            // ERROR_USER_MAPPED_FILE: Windows does not truncate a file with a mapped view.
            if cfg!(windows) && source.raw_os_error() == Some(1224) {
                return self.name(
                    Error::new(ErrorKind::Locked, "trim")
                        .offset(len_bytes)
                        .detail("another handle has the file mapped")
                        .advice("close the other handles first"),
                );
            }
            self.error("trim", source).offset(len_bytes)
        })
    }

    fn view(&self, offset: u64, len_bytes: usize, access: Access) -> Result<View> {
        if len_bytes == 0 {
            return Ok(View::empty(offset, access));
        }
        let end = offset.saturating_add(len_bytes as u64);
        self.open.check_length("map a view of", end)?;
        if !self.properties.views_pass_end && end > self.len_bytes()? {
            return Err(self.name(
                Error::new(ErrorKind::OutOfRange, "map a view of")
                    .offset(offset)
                    .detail(format!("{len_bytes} bytes reach past the end of the file")),
            ));
        }
        View::of_file(&self.open, offset, len_bytes, access)
    }

    fn flush_view(&self, view: &View, range: Range<usize>) -> Result<()> {
        view.flush(range).map_err(|error| self.name(error))
    }

    fn sync_data(&self) -> Result<()> {
        os::show_change(self.open.file());
        os::sync_data(self.open.file()).map_err(|source| self.error("sync", source))
    }

    fn survives_synced(&self) -> Survives {
        let ask = || os::survives_synced(self.open.file(), &self.properties.file_system);
        *self.survives_synced.get_or_init(ask)
    }

    fn sync_full(&self) -> Result<()> {
        os::sync_full(self.open.file()).map_err(|source| self.error("sync", source))
    }

    fn rename(&self, to: &Path, replace: bool) -> Result<()> {
        let mut place = self.open.place.write().unwrap_or_else(PoisonError::into_inner);
        let Some(from) = place.as_ref() else {
            return Err(Error::new(ErrorKind::Unsupported, "rename")
                .path(to)
                .detail("the file has no name to change"));
        };
        self.open.check_place(from, "rename")?;
        let new = from.renamed(to);
        refuse_lock_file(from.real(), "rename")?;
        refuse_lock_file(new.real(), "rename to")?;
        let rename = if replace { os::replace } else { os::rename_new };
        rename(from.real(), new.real()).map_err(|source| rename_error(source, to, replace))?;
        *place = Some(new);
        Ok(())
    }

    fn sync_directory(&self) -> Result<()> {
        let place = self.open.place();
        let Some(place) = place else { return Ok(()) };
        place
            .directory()
            .map_or(Ok(()), os::sync_directory)
            .map_err(|source| Error::io("sync the directory", source).path(place.given_directory()))
    }

    fn open_side(&self, suffix: &str, how: OpenSide) -> Result<Option<Arc<dyn Backing>>> {
        match (self.open.checked_place("open a file beside")?, how) {
            (Some(place), _) => {
                let open = |how| side::open(&place, self.open.file(), suffix, how);
                let beside = place.beside(suffix);
                let side = match open(how)? {
                    None => None,
                    Some(file) if how == OpenSide::Read => Some(Self::over(file, Some(beside))?),
                    Some(file) => Self::over_side(file, beside, || open(OpenSide::Read))?,
                };
                Ok(side.map(|side| Arc::new(side) as Arc<dyn Backing>))
            }
            (None, OpenSide::Create) => Err(side::nameless()),
            (None, _) => Ok(None),
        }
    }

    fn list_sides(&self) -> Result<Vec<String>> {
        let place = self.open.checked_place("look for files beside")?;
        place.map_or(Ok(Vec::new()), |place| side::list(&place))
    }

    fn rename_side(&self, from: &str, to: &str) -> Result<()> {
        let place = self.open.checked_place("rename a file beside")?;
        let place = place.ok_or_else(side::nameless)?;
        let (from, to) = (place.beside(from), place.beside(to));
        refuse_lock_file(from.real(), "rename")?;
        refuse_lock_file(to.real(), "rename to")?;
        os::replace(from.real(), to.real())
            .map_err(|source| Error::io("rename", source).path(from.given()))
    }

    fn remove_side(&self, suffix: &str) -> Result<()> {
        let Some(place) = self.open.checked_place("remove a file beside")? else { return Ok(()) };
        refuse_lock_file(place.beside(suffix).real(), "remove")?;
        side::remove(&place, suffix)
    }
}

fn rename_error(source: io::Error, to: &Path, replace: bool) -> Error {
    let refused = source.kind() == io::ErrorKind::PermissionDenied;
    let error = Error::io("rename to", source).path(to);
    match refused && replace && cfg!(windows) {
        true => error.advice(
            "another program may have the file at this path open: close it there, or check its \
             permissions",
        ),
        false => error,
    }
}

/// Refuses to write to a file on a network file system.
pub(crate) fn refuse_network(backing: &dyn Backing, operation: &'static str) -> Result<()> {
    let FileSystemKind::Network(name) = &backing.properties().file_system else {
        return Ok(());
    };
    let error = Error::new(ErrorKind::NetworkFileSystem, operation)
        .detail(format!("on {name} the mapped views of two machines are not coherent"))
        .advice(
            "keep the file on a local disk; if only one machine uses it, allow this with \
             allow_network_file_system",
        );
    Err(match backing.path() {
        Some(path) => error.path(path),
        None => error,
    })
}

/// Refuses a path that the system would open as something other than a file.
pub(crate) fn refuse_no_file(path: &Path, operation: &'static str) -> Result<()> {
    match os::why_no_file(path) {
        None => Ok(()),
        Some(why) => Err(Error::new(ErrorKind::InvalidArgument, operation)
            .path(path)
            .detail(why)
            .advice("give the file another name")),
    }
}

fn irregular() -> Error {
    Error::new(ErrorKind::InvalidArgument, "open")
        .detail("not a regular file")
        .advice("give the path of a file, not of a directory, a pipe or a device")
}
