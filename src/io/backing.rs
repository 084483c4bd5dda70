//! The interface of every file, memory object and simulated disk to the layers above.
//!
//! All input and output of the log, the array and the database goes through [`Backing`], so that a
//! simulated disk can replace a real one. Offsets and lengths are in bytes. Several threads may
//! make every call at once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::view::{Access, View};
use crate::error::{Error, ErrorKind, Result};
use crate::os::{FileSystemKind, Survives};
use crate::trace::Traced;

/// How the bytes of a grown range are backed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grown {
    /// The bytes have blocks of their own: a store to them cannot run out of space.
    Reserved,
    /// The bytes have no blocks yet: the file system cannot reserve any, or does not keep them. A
    /// store through a view may fault when the disk is full, so the caller writes the range with
    /// write calls.
    LengthOnly,
}

/// What a backing is and can do. It stays the same as long as the backing lives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Properties {
    /// Whether read and write calls and views see one another's changes at once.
    pub calls_see_views: bool,
    /// Whether a view may reach past the end, to be used after later growth.
    pub views_pass_end: bool,
    /// Whether the length can change.
    pub resizable: bool,
    /// What the bytes lie on.
    pub file_system: FileSystemKind,
}

/// How a file beside a backing is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenSide {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing.
    Write,
    /// A new file, for reading and writing, with no more permissions than the file beside it, and
    /// on Unix with its owner and group if possible.
    Create,
}

/// A growable array of bytes that can be read, written, viewed and made durable.
///
/// Files, named and anonymous shared memory, and the simulated disks of tests implement it. The
/// trait is sealed, because views come only from these, and so that later versions can add calls:
/// callers use backings, and do not write their own.
///
/// ```
/// use flatrec::map::{Access, Backing, FileBacking};
/// let file = FileBacking::temporary(4096)?;
/// file.write_at(10, b"bytes")?;
/// let mut seen = [0; 5];
/// file.view(8, 100, Access::ReadOnly)?.read(2, &mut seen)?;
/// assert_eq!(&seen, b"bytes");
/// # Ok::<(), flatrec::Error>(())
/// ```
pub trait Backing: sealed::Sealed + fmt::Debug + Send + Sync {
    /// The path, if the backing has one.
    fn path(&self) -> Option<PathBuf>;

    /// What this backing is and can do.
    fn properties(&self) -> &Properties;

    /// The length now.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    fn len_bytes(&self) -> Result<u64>;

    /// The bytes that it occupies on its device; sparse and preallocated files differ from their
    /// length.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    fn allocated_bytes(&self) -> Result<u64>;

    /// Reads the bytes from `offset` on, up to all of `into` or the end. Returns how many it read.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize>;

    /// Skips a hole: returns an offset at or after `offset` with only zeros between the two. Always
    /// returning `offset` itself is correct, but slow.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    fn next_data(&self, offset: u64) -> Result<u64> {
        Ok(offset)
    }

    /// Writes all of `from` at `offset`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error; some of
    /// the bytes may have been written then.
    fn write_at(&self, offset: u64, from: &[u8]) -> Result<()>;

    /// Lets the system begin to bring written bytes to the device, so that less is left for a later
    /// sync, which alone makes them durable. The default does nothing.
    fn begin_write_back(&self, offset: u64, len_bytes: u64) {
        let _ = (offset, len_bytes);
    }

    /// Makes the backing `len_bytes` long, the new bytes zero and reserved if possible. A backing
    /// that already has this length or more stays unchanged.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`](crate::ErrorKind::NoSpace) on a full disk, with the old length kept;
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the backing cannot change its
    /// length.
    fn grow(&self, len_bytes: u64) -> Result<Grown>;

    /// Truncates the backing to `len_bytes`. The part of a view past the new end must not be used.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`](crate::ErrorKind::Locked) on Windows while a view of the file exists
    /// (error 1224); [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports
    /// another error.
    fn trim(&self, len_bytes: u64) -> Result<()>;

    /// Maps `len_bytes` bytes from `offset` on; neither must be aligned.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`](crate::ErrorKind::OutOfRange) for a range outside the backing (see
    /// [`Properties::views_pass_end`]); [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating
    /// system reports an error, such as too many mappings or too little address space.
    fn view(&self, offset: u64, len_bytes: usize, access: Access) -> Result<View>;

    /// Starts writing the changed pages of a part of `view` to the device.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    fn flush_view(&self, view: &View, range: std::ops::Range<usize>) -> Result<()>;

    /// Makes all bytes durable, and the length with them.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error. What the
    /// device holds is unknown then, and a second call proves nothing.
    fn sync_data(&self) -> Result<()>;

    /// What synced bytes survive, as far as the system tells.
    fn survives_synced(&self) -> Survives {
        self.properties().file_system.survives_synced()
    }

    /// As [`Backing::sync_data`], with all metadata, past the device's own cache if the system
    /// supports that.
    ///
    /// # Errors
    /// As [`Backing::sync_data`].
    fn sync_full(&self) -> Result<()>;

    /// Gives the file another name, atomically, and keeps it.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) if the name is taken and
    /// `replace` is false; [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports
    /// another error.
    fn rename(&self, to: &Path, replace: bool) -> Result<()>;

    /// Makes the file's name durable: syncs its directory.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    fn sync_directory(&self) -> Result<()>;

    /// Opens the file beside this one whose name is this one's followed by `suffix`; `None` if an
    /// existing file was asked for and there is no such file.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) for [`OpenSide::Create`] if
    /// the file exists; [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a new file
    /// beside a backing without a name; [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating
    /// system reports another error.
    fn open_side(&self, suffix: &str, how: OpenSide) -> Result<Option<Arc<dyn Backing>>> {
        let _ = suffix;
        match how {
            OpenSide::Create => Err(Error::new(ErrorKind::Unsupported, "make a file beside")
                .detail("a backing without a name cannot have files beside it")),
            _ => Ok(None),
        }
    }

    /// The suffixes of the files beside this one whose names begin with its name.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    fn list_sides(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Renames the file beside this one with the suffix `from` to the suffix `to`, atomically;
    /// replaces an existing one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such file;
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports another error.
    fn rename_side(&self, from: &str, to: &str) -> Result<()> {
        let _ = to;
        Err(Error::new(ErrorKind::NotFound, "rename")
            .detail(format!("no file with the suffix {from}")))
    }

    /// Removes the file beside this one with that suffix, if it exists.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    fn remove_side(&self, suffix: &str) -> Result<()> {
        let _ = suffix;
        Ok(())
    }
}

/// Only this crate and its tests name [`sealed::Sealed`].
pub mod sealed {
    /// A kind of backing of this crate.
    pub trait Sealed {}
}

impl<B: Backing + ?Sized> Traced for B {
    fn traced_path(&self) -> Option<PathBuf> {
        self.path()
    }
}

/// Adds the path of a backing to an error without one.
pub(crate) fn named(error: Error, backing: &dyn Backing) -> Error {
    match backing.path() {
        Some(path) => error.path(path),
        None => error,
    }
}
