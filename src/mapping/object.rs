//! Mapping objects: a backing opened with one access, from which any number of views are mapped.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::initialising::{Key, Turn};
use super::named::NamedMemory;
use super::typed::TypedView;
use crate::error::{Error, ErrorKind, Result};
use crate::io::{Access, Backing, FileBacking, Grown, View, new_unfinished, refuse_network};
use crate::os::LockKind;
use crate::shm::{INITIALISER, SideLock, Wait};

/// A growable array of bytes that can be viewed: a file, or memory shared or private.
///
/// This is the Win32 file-mapping object, under the names of both worlds: new, existing, temporary
/// and inherited files, named shared memory and anonymous memory, each read-only, read-write or
/// copy-on-write. A store is built on it. A mapping itself has no header and no commits.
///
/// ```
/// use flatrec::map::Mapping;
/// let directory = tempfile::tempdir()?;
/// let mapping = Mapping::create_new(directory.path().join("bytes"), 1 << 20)?;
/// let view = mapping.view(1000..2000)?; // any offset: the mapping aligns it
/// view.write(0, b"hello")?;
/// view.flush(0..5)?; // on its way to the device
/// mapping.sync()?; // durable
/// assert_eq!(mapping.read_vec(1000..1005)?, b"hello");
/// mapping.grow(2 << 20)?; // `view` stays as it is
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mapping {
    backing: Arc<dyn Backing>,
    access: Access,
}

impl Mapping {
    /// A new file of `len_bytes` zero bytes, mapped read-write. The space is reserved.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if the path is taken, [`ErrorKind::NoSpace`] on a full disk
    /// (the file is removed again), [`ErrorKind::NetworkFileSystem`]; [`ErrorKind::Io`] if the
    /// operating system reports another error.
    pub fn create_new(path: impl AsRef<Path>, len_bytes: u64) -> Result<Self> {
        let path = path.as_ref();
        let file = FileBacking::create_new(path)?;
        let made = refuse_network(&file, "create").and_then(|()| file.grow(len_bytes));
        if let Err(error) = made {
            // The caller needs the first error; a leftover file does no harm.
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
        Ok(Self::over(file, Access::ReadWrite))
    }

    /// An existing file, mapped with `access`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::PermissionDenied`], [`ErrorKind::InvalidArgument`] for
    /// anything but a regular file, [`ErrorKind::NetworkFileSystem`] for writing; [`ErrorKind::Io`]
    /// if the operating system reports another error.
    pub fn open(path: impl AsRef<Path>, access: Access) -> Result<Self> {
        let file = FileBacking::open(path, access == Access::ReadWrite)?;
        if access == Access::ReadWrite {
            refuse_network(&file, "open for writing")?;
        }
        Ok(Self::over(file, access))
    }

    /// The file at `path`, created and initialised by exactly one of the processes that ask for it
    /// at the same time.
    ///
    /// The first process creates a file of `len_bytes` zero bytes under a unique temporary name
    /// that begins with `.flatrec-new-`, runs `initialise` on it, makes it durable and renames it
    /// to `path`; the others wait. If the initialiser fails or its process dies, `path` does not
    /// exist, and the next opener removes the leftover and runs its own initialiser. The lock is on
    /// the file `PATH-lock`, which stays.
    ///
    /// # Errors
    /// The error of `initialise`; [`ErrorKind::Locked`] if `initialise` opens the same path, or if
    /// another thread of this process has run its initialiser for a minute; otherwise as
    /// [`Mapping::create_new`] and [`Mapping::open`].
    pub fn open_or_create(
        path: impl AsRef<Path>,
        len_bytes: u64,
        initialise: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<Self> {
        let path = path.as_ref();
        let (lock, turn) = loop {
            let lock = SideLock::open_or_create(path)?;
            let turn = Turn::take(Key::File(lock.identity()?)).map_err(|it| it.path(path))?;
            lock.lock(INITIALISER, LockKind::Exclusive, Wait::Forever, "another initialiser")?;
            // If the initialiser before failed, it has removed the lock file.
            if lock.is_named()? {
                break (lock, turn);
            }
        };
        match Self::open(path, Access::ReadWrite) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => return other,
        }
        turn.run();
        Self::initialise(path, len_bytes, &lock, initialise).inspect_err(|_| lock.withdraw())
    }

    /// Creates the file at `path`, which does not exist, under the initialiser's lock.
    fn initialise(
        path: &Path,
        len_bytes: u64,
        lock: &SideLock,
        initialise: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<Self> {
        let aside = new_unfinished(path)?;
        Self::create_new(&aside, len_bytes)
            .and_then(|made| {
                lock.check_trust(&FileBacking::open(&aside, false)?.permissions()?)?;
                initialise(&made)?;
                made.flush_unmapped()?;
                made.sync()
            })
            .and_then(|()| {
                let made = FileBacking::open(&aside, true)?;
                made.rename(path, false)?;
                made.sync_directory()?;
                Ok(Self::over(made, Access::ReadWrite))
            })
            .inspect_err(|_| {
                let _ = crate::os::remove(&aside);
            })
    }

    /// A file of `len_bytes` zero bytes without a name. It is gone when closed.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] on a full disk; [`ErrorKind::Io`] if the operating system reports
    /// another error.
    pub fn temporary(len_bytes: u64) -> Result<Self> {
        Ok(Self::over(FileBacking::temporary(len_bytes)?, Access::ReadWrite))
    }

    /// A file that this process has already opened, or inherited from its parent.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything but a regular file; [`ErrorKind::Io`] if the
    /// operating system reports an error.
    pub fn from_file(file: File, access: Access) -> Result<Self> {
        Ok(Self::over(FileBacking::from_file(file, None)?, access))
    }

    /// `len_bytes` bytes of zeroed memory without a name, shared by all views of it; it grows like
    /// a file.
    ///
    /// On Linux it lies in memory only (`memfd_create`). On Windows and macOS, which have no such
    /// file, it is a temporary file as from [`Mapping::temporary`]; the system keeps it in memory
    /// while there is room.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub fn anonymous(len_bytes: u64) -> Result<Self> {
        Ok(Self { backing: super::named::anonymous(len_bytes)?, access: Access::ReadWrite })
    }

    /// The shared memory called `name`, created and initialised by exactly one of the processes
    /// that ask for it at the same time; existing memory keeps its length.
    ///
    /// The memory lasts while a process has it open. The name is removed when the creator drops its
    /// handle (with all its clones), or by [`Mapping::remove_named`]; on Windows with the last
    /// handle. If an initialiser fails or dies half-way, the next opener runs its own.
    ///
    /// On Linux it is an object of `shm_open`. On Windows it is a mapping object over the paging
    /// file, committed whole, called `Local\\name`: two logged-in users, or a service and a
    /// desktop, each have their own. Openers that wait for the initialiser wait for the mutex
    /// `Local\\name:lock`.
    ///
    /// # Errors
    /// The error of `initialise`; [`ErrorKind::Locked`] if `initialise` opens the same name, or if
    /// another thread of this process has run its initialiser for a minute;
    /// [`ErrorKind::InvalidArgument`] for a name that is not 1 to 200 of the characters `A-Z a-z
    /// 0-9 . _ -`, or starts with a dot; [`ErrorKind::PermissionDenied`] on Unix for memory that
    /// belongs to another user or that others may use, also for root, so that root does not use a
    /// user's memory by accident; [`ErrorKind::Io`] if the operating system reports another error.
    pub fn named(
        name: &str,
        len_bytes: u64,
        initialise: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<Self> {
        let memory = NamedMemory::open_or_create(name, len_bytes, |memory| {
            initialise(&Self { backing: memory, access: Access::ReadWrite })
        })?;
        Ok(Self { backing: memory, access: Access::ReadWrite })
    }

    /// The existing, initialised shared memory called `name`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if no memory has this name; [`ErrorKind::Corrupt`] if another
    /// program made it or its initialiser has not finished; otherwise as [`Mapping::named`].
    pub fn open_named(name: &str, access: Access) -> Result<Self> {
        Ok(Self { backing: NamedMemory::open(name)?, access })
    }

    /// Removes the name of shared memory. Open handles keep the memory; on Windows the name goes
    /// with the last handle and this does nothing.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if no memory has this name; [`ErrorKind::Io`] if the operating
    /// system reports another error.
    pub fn remove_named(name: &str) -> Result<()> {
        NamedMemory::remove(name)
    }

    /// Any backing, with `access`.
    pub fn from_backing(backing: Arc<dyn Backing>, access: Access) -> Self {
        Self { backing, access }
    }

    /// The same bytes with another access. If the file was not opened for that access, the first
    /// view fails.
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`] if `access` is read-write and this mapping is not.
    pub fn with_access(&self, access: Access) -> Result<Self> {
        if access == Access::ReadWrite && self.access != Access::ReadWrite {
            return Err(self.error(ErrorKind::ReadOnly, "map read-write"));
        }
        Ok(Self { backing: Arc::clone(&self.backing), access })
    }

    /// What views of this mapping may do.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The backing underneath.
    pub fn backing(&self) -> &Arc<dyn Backing> {
        &self.backing
    }

    /// The length now.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub fn len_bytes(&self) -> Result<u64> {
        self.backing.len_bytes()
    }

    /// Maps a view of `range`; neither end must be aligned.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] for bytes past the end, or more than the address space holds;
    /// [`ErrorKind::Io`] if the operating system reports an error.
    pub fn view(&self, range: Range<u64>) -> Result<View> {
        let len_bytes = self.len_bytes()?;
        if range.start > range.end || range.end > len_bytes {
            return Err(self
                .error(ErrorKind::OutOfRange, "map a view of")
                .offset(range.start)
                .detail(format!("{range:?} does not lie within its {len_bytes} bytes")));
        }
        let len = usize::try_from(range.end - range.start).map_err(|_| {
            self.error(ErrorKind::OutOfRange, "map a view of")
                .offset(range.start)
                .detail("more bytes than the address space holds")
        })?;
        self.backing.view(range.start, len, self.access)
    }

    /// Maps a view of everything.
    ///
    /// # Errors
    /// As [`Mapping::view`].
    pub fn view_all(&self) -> Result<View> {
        self.view(0..self.len_bytes()?)
    }

    /// Maps a view of the consecutive records of type `T` from `offset` to the end.
    ///
    /// # Errors
    /// As [`Mapping::view`].
    pub fn typed<T: FromBytes + IntoBytes + Immutable + Copy>(
        &self,
        offset: u64,
    ) -> Result<TypedView<T>> {
        let end = self.len_bytes()?;
        TypedView::new(self.view(offset..end.max(offset))?)
    }

    /// Copies a range out.
    ///
    /// # Errors
    /// As [`Mapping::view`].
    pub fn read_vec(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let view = self.view(range)?;
        let mut bytes = vec![0; view.len_bytes()];
        view.read(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Makes the mapping `len_bytes` long; existing views stay valid and keep their length.
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`], [`ErrorKind::NoSpace`] with the old length kept,
    /// [`ErrorKind::Unsupported`] for memory of a fixed length; [`ErrorKind::Io`] if the operating
    /// system reports another error.
    pub fn grow(&self, len_bytes: u64) -> Result<Grown> {
        self.check_writable("grow")?;
        self.backing.grow(len_bytes)
    }

    /// Starts writing the changed pages of `range` to the device, through whichever view they were
    /// changed. [`Mapping::sync`] makes them durable.
    ///
    /// Windows promises only to write what was changed through the flushed view itself, and this
    /// call maps a view of its own. On Windows, call [`View::flush`] on the view that was written.
    ///
    /// # Errors
    /// As [`Mapping::view`], and [`ErrorKind::Io`] if the operating system reports an error.
    pub fn flush(&self, range: Range<u64>) -> Result<()> {
        self.check_writable("flush")?;
        let view = self.view(range)?;
        self.backing.flush_view(&view, 0..view.len_bytes())
    }

    /// Flushes writes through views that were dropped, on systems where a sync alone does not
    /// promise that. One part at a time, which takes little address space.
    fn flush_unmapped(&self) -> Result<()> {
        const PART_BYTES: usize = 16 << 20;
        if self.backing.properties().calls_see_views {
            return Ok(());
        }
        let end = self.len_bytes()?;
        let mut starts = (0..end).step_by(PART_BYTES);
        starts.try_for_each(|start| self.flush(start..end.min(start + PART_BYTES as u64)))
    }

    /// Makes all writes and the length durable: `fdatasync`, `F_FULLFSYNC` on macOS,
    /// `FlushFileBuffers`. On Windows, first flush writes through a view ([`View::flush`]).
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error. What the device holds is unknown
    /// then, and a second call proves nothing.
    pub fn sync(&self) -> Result<()> {
        self.check_writable("sync")?;
        self.backing.sync_data()
    }

    fn check_writable(&self, operation: &'static str) -> Result<()> {
        if self.access == Access::ReadWrite {
            return Ok(());
        }
        Err(self
            .error(ErrorKind::ReadOnly, operation)
            .advice("map with Access::ReadWrite to change the file"))
    }

    fn error(&self, kind: ErrorKind, operation: &'static str) -> Error {
        let error = Error::new(kind, operation);
        match self.backing.path() {
            Some(path) => error.path(path),
            None => error,
        }
    }

    fn over(file: FileBacking, access: Access) -> Self {
        Self { backing: Arc::new(file), access }
    }
}
