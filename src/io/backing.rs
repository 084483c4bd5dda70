//! What every file, memory object and simulated disk offers to the layers above.
//!
//! All input and output of the log, the array and the database goes through [`Backing`], so that a
//! simulated disk can stand in for a real one. Offsets and lengths are in bytes. Every call may be
//! made from several threads at once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::view::{Access, View};
use crate::error::{Error, ErrorKind, Result};
use crate::os::{FileSystemKind, Survives};

/// How the bytes of a grown range are backed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grown {
    /// By blocks of their own: storing into them cannot run out of space.
    Reserved,
    /// By nothing yet: the file system cannot reserve, or does not keep to it. Storing into a view
    /// of them may fault when the disk is full, so such a range is written by calls.
    LengthOnly,
}

/// What a backing is and can do; it does not change while the backing lives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Properties {
    /// Whether what read and write calls do is seen by views at once, and the other way round.
    pub calls_see_views: bool,
    /// Whether a view may reach past the end, to be filled by later growth.
    pub views_pass_end: bool,
    /// Whether the length can change.
    pub resizable: bool,
    /// What the bytes lie on.
    pub file_system: FileSystemKind,
}

/// How a file beside a backing is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenSide {
    /// One that is there, for reading.
    Read,
    /// One that is there, for reading and writing.
    Write,
    /// A new one, for reading and writing, with no more permissions than the file that it lies
    /// beside, and on Unix with its owner and group where that can be had.
    Create,
}

/// A growable array of bytes that can be read, written, viewed and made durable.
///
/// Implemented by files, named and anonymous shared memory, and by the simulated disks of tests.
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
pub trait Backing: fmt::Debug + Send + Sync {
    /// The path, where there is one.
    fn path(&self) -> Option<PathBuf>;

    /// What this backing is and can do.
    fn properties(&self) -> &Properties;

    /// Its length now.
    ///
    /// # Errors
    /// The system's.
    fn len_bytes(&self) -> Result<u64>;

    /// The bytes that it takes on its device, which sparse and preallocated files tell apart from
    /// their length.
    ///
    /// # Errors
    /// The system's.
    fn allocated_bytes(&self) -> Result<u64>;

    /// Reads as many bytes as there are from `offset` on, up to all of `into`.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize>;

    /// A place from `offset` on before which all bytes from `offset` on are zeros: the end of a
    /// hole, where the file system tells of holes. `offset` itself is right, and slow.
    ///
    /// # Errors
    /// The system's.
    fn next_data(&self, offset: u64) -> Result<u64> {
        Ok(offset)
    }

    /// Writes all of `from` at `offset`.
    ///
    /// # Errors
    /// The system's; some of the bytes may have been written then.
    fn write_at(&self, offset: u64, from: &[u8]) -> Result<()>;

    /// Makes the backing `len_bytes` long, the new bytes zero and reserved where that can be had.
    /// A backing that is as long already stays as it is.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`](crate::ErrorKind::NoSpace) on a full disk, with the old length kept;
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if it cannot change its length.
    fn grow(&self, len_bytes: u64) -> Result<Grown>;

    /// Cuts the backing to `len_bytes`. Views that reach past it must not be used there any more.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`](crate::ErrorKind::Locked) on Windows while anybody has a view of the
    /// file (error 1224); the system's.
    fn trim(&self, len_bytes: u64) -> Result<()>;

    /// Maps `len_bytes` bytes from `offset` on; neither needs to be aligned.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`](crate::ErrorKind::OutOfRange) for a range that the backing does
    /// not have (see [`Properties::views_pass_end`]); the system's when the address space or the
    /// mappings are used up.
    fn view(&self, offset: u64, len_bytes: usize, access: Access) -> Result<View>;

    /// Hands the changed pages of a part of `view` to the device.
    ///
    /// # Errors
    /// The system's.
    fn flush_view(&self, view: &View, range: std::ops::Range<usize>) -> Result<()>;

    /// Makes all bytes, and the length needed to find them, durable.
    ///
    /// # Errors
    /// The system's. What the device holds is unknown then, and a second call proves nothing.
    fn sync_data(&self) -> Result<()>;

    /// What bytes survive once they have been synced, as far as the system tells.
    fn survives_synced(&self) -> Survives {
        self.properties().file_system.survives_synced()
    }

    /// As [`Backing::sync_data`], with all metadata, past the device's own cache where the system
    /// offers that.
    ///
    /// # Errors
    /// As [`Backing::sync_data`].
    fn sync_full(&self) -> Result<()>;

    /// Gives the file another name, atomically, and keeps it.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) if the name is taken and
    /// `replace` is not set; the system's.
    fn rename(&self, to: &Path, replace: bool) -> Result<()>;

    /// Makes the file's name durable: syncs its directory.
    ///
    /// # Errors
    /// The system's.
    fn sync_directory(&self) -> Result<()>;

    /// Opens the file beside this one that has its name followed by `suffix`; `None` if it is to be
    /// there and is not.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) for [`OpenSide::Create`] if it
    /// is there; [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a new file beside
    /// what has no name; the system's.
    fn open_side(&self, suffix: &str, how: OpenSide) -> Result<Option<Arc<dyn Backing>>> {
        let _ = suffix;
        match how {
            OpenSide::Create => Err(Error::new(ErrorKind::Unsupported, "make a file beside")
                .detail("what has no name has no files beside it")),
            _ => Ok(None),
        }
    }

    /// The suffixes of the files beside this one whose names begin as its own does.
    ///
    /// # Errors
    /// The system's.
    fn list_sides(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Gives the file beside this one with the suffix `from` the suffix `to`, atomically and in
    /// place of one that is there.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound); the system's.
    fn rename_side(&self, from: &str, to: &str) -> Result<()> {
        let _ = to;
        Err(Error::new(ErrorKind::NotFound, "rename").detail(format!("no file with {from}")))
    }

    /// Removes the file beside this one with that suffix, if it is there.
    ///
    /// # Errors
    /// The system's.
    fn remove_side(&self, suffix: &str) -> Result<()> {
        let _ = suffix;
        Ok(())
    }
}

/// Adds the path of a backing to an error that has none.
pub(crate) fn named(error: Error, backing: &dyn Backing) -> Error {
    match backing.path() {
        Some(path) => error.path(path),
        None => error,
    }
}
