//! Mapping objects: a backing, opened with one access, of which any number of views are mapped.

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
/// copy-on-write. A store is built on it; by itself it knows nothing of headers and commits.
///
/// ```
/// use flatrec::map::Mapping;
/// let directory = tempfile::tempdir()?;
/// let mapping = Mapping::create_new(directory.path().join("bytes"), 1 << 20)?;
/// let view = mapping.view(1000..2000)?; // any offset: alignment is our business
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
    /// (the file is removed again), [`ErrorKind::NetworkFileSystem`]; the system's.
    pub fn create_new(path: impl AsRef<Path>, len_bytes: u64) -> Result<Self> {
        let path = path.as_ref();
        let file = FileBacking::create_new(path)?;
        let made = refuse_network(&file, "create").and_then(|()| file.grow(len_bytes));
        if let Err(error) = made {
            // The error that matters is the one we have; a file left behind is only clutter.
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
        Ok(Self::over(file, Access::ReadWrite))
    }

    /// An existing file, mapped with `access`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::PermissionDenied`], [`ErrorKind::InvalidArgument`] for
    /// what is no regular file, [`ErrorKind::NetworkFileSystem`] for writing; the system's.
    pub fn open(path: impl AsRef<Path>, access: Access) -> Result<Self> {
        let file = FileBacking::open(path, access == Access::ReadWrite)?;
        if access == Access::ReadWrite {
            refuse_network(&file, "open for writing")?;
        }
        Ok(Self::over(file, access))
    }

    /// The file at `path`, made and initialised by exactly one of any number of processes that ask
    /// for it at the same time.
    ///
    /// The first makes a file of `len_bytes` zero bytes under another name, which begins with
    /// `.flatrec-new-` and that no other file has, runs `initialise` on it, makes it durable and
    /// gives it its name; the others wait for that. If the initialiser fails or its process dies,
    /// nothing has the name `path`, and the next opener removes what was left and runs its own.
    /// The lock is on the file `PATH-lock`, which stays.
    ///
    /// # Errors
    /// What `initialise` returns; [`ErrorKind::Locked`] for what `initialise` itself opens there,
    /// and for another thread of this process that has waited for it for a minute; otherwise as
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
            // An opener that waited for one that failed finds its lock file gone.
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

    /// Makes the file at `path`, which is not there, under the initialiser's lock.
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

    /// A file of `len_bytes` zero bytes without a name, gone when it is closed.
    ///
    /// # Errors
    /// The system's, a full disk among them.
    pub fn temporary(len_bytes: u64) -> Result<Self> {
        Ok(Self::over(FileBacking::temporary(len_bytes)?, Access::ReadWrite))
    }

    /// A file that is open already, or was inherited from the parent process.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what is no regular file; the system's.
    pub fn from_file(file: File, access: Access) -> Result<Self> {
        Ok(Self::over(FileBacking::from_file(file, None)?, access))
    }

    /// `len_bytes` bytes of zeroed memory that nobody else can find, shared by all views of it; it
    /// grows like a file.
    ///
    /// On Linux it is memory alone (`memfd_create`). Windows and macOS have no such file: there it
    /// is a temporary one, as of [`Mapping::temporary`], which the system keeps in memory while
    /// there is room.
    ///
    /// # Errors
    /// The system's.
    pub fn anonymous(len_bytes: u64) -> Result<Self> {
        Ok(Self { backing: super::named::anonymous(len_bytes)?, access: Access::ReadWrite })
    }

    /// The shared memory called `name`, made and initialised by exactly one of any number of
    /// processes that ask for it at the same time; memory that exists keeps the length it has.
    ///
    /// The memory lasts while a process has it open. The name goes when the creator's handle is
    /// dropped (with all its clones), or by [`Mapping::remove_named`]; on Windows with the last
    /// handle. An initialiser that fails or dies half-way is run again by the next opener.
    ///
    /// It is an object of `shm_open` on Linux. On Windows it is a mapping object over the paging
    /// file, committed whole, called `Local\\name`: two users who are logged in, or a service and a
    /// desktop, do not see each other's. Those who wait for the initialiser wait for the mutex
    /// `Local\\name:lock`.
    ///
    /// # Errors
    /// What `initialise` returns; [`ErrorKind::Locked`] for what `initialise` itself opens by that
    /// name, and for another thread of this process that has waited for it for a minute;
    /// [`ErrorKind::InvalidArgument`] for a name that is not 1 to 200
    /// of the characters `A-Z a-z 0-9 . _ -`, or starts with a dot; [`ErrorKind::PermissionDenied`]
    /// on Unix for memory that another user made or that others may
    /// use, whoever asks: root does not use a user's memory unawares; the system's.
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

    /// The shared memory called `name`, which exists and is initialised.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; [`ErrorKind::Corrupt`] if it is not ours or its
    /// initialiser has not finished; otherwise as [`Mapping::named`].
    pub fn open_named(name: &str, access: Access) -> Result<Self> {
        Ok(Self { backing: NamedMemory::open(name)?, access })
    }

    /// Takes the name of shared memory away. Those who have it open keep it; on Windows the name
    /// goes with the last handle and this does nothing.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; the system's.
    pub fn remove_named(name: &str) -> Result<()> {
        NamedMemory::remove(name)
    }

    /// Any backing, with `access`.
    pub fn from_backing(backing: Arc<dyn Backing>, access: Access) -> Self {
        Self { backing, access }
    }

    /// The same bytes with another access. More than the file was opened for is an error of the
    /// first view.
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`] if this mapping is not read-write and `access` is.
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
    /// The system's.
    pub fn len_bytes(&self) -> Result<u64> {
        self.backing.len_bytes()
    }

    /// Maps a view of `range`; neither end needs to be aligned.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] for bytes past the end, or more of them than the address space
    /// holds; the system's.
    pub fn view(&self, range: Range<u64>) -> Result<View> {
        let len_bytes = self.len_bytes()?;
        if range.start > range.end || range.end > len_bytes {
            return Err(self
                .error(ErrorKind::OutOfRange, "map a view of")
                .offset(range.start)
                .detail(format!("{range:?} does not lie in the {len_bytes} bytes there are")));
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

    /// Maps a view of the records of type `T` that follow one another from `offset` to the end.
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

    /// Makes the mapping `len_bytes` long; views that exist stay valid and as long as they were.
    ///
    /// # Errors
    /// [`ErrorKind::ReadOnly`], [`ErrorKind::NoSpace`] with the old length kept,
    /// [`ErrorKind::Unsupported`] for memory of a fixed length; the system's.
    pub fn grow(&self, len_bytes: u64) -> Result<Grown> {
        self.check_writable("grow")?;
        self.backing.grow(len_bytes)
    }

    /// Hands the changed pages of `range`, through whichever view they were changed, to the device.
    /// [`Mapping::sync`] makes them durable.
    ///
    /// Windows promises no more than to write what was changed through the very view that is
    /// flushed, and this maps one of its own: there, flush with [`View::flush`] the view that was
    /// written.
    ///
    /// # Errors
    /// As [`Mapping::view`], and the system's.
    pub fn flush(&self, range: Range<u64>) -> Result<()> {
        self.check_writable("flush")?;
        let view = self.view(range)?;
        self.backing.flush_view(&view, 0..view.len_bytes())
    }

    /// Flushes what was written through views that are gone by now, where a sync alone is not
    /// promised to do that. A part at a time, so that it takes little address space.
    fn flush_unmapped(&self) -> Result<()> {
        const PART_BYTES: usize = 16 << 20;
        if self.backing.properties().calls_see_views {
            return Ok(());
        }
        let end = self.len_bytes()?;
        let mut starts = (0..end).step_by(PART_BYTES);
        starts.try_for_each(|start| self.flush(start..end.min(start + PART_BYTES as u64)))
    }

    /// Makes all that was written, and the length, durable: `fdatasync`, `F_FULLFSYNC` on macOS,
    /// `FlushFileBuffers`. On Windows what was written through a view must have been flushed
    /// before ([`View::flush`]).
    ///
    /// # Errors
    /// The system's. What the device holds is then unknown, and asking again proves nothing.
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
