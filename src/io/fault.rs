//! Turns page faults of our own copies into errors with a reason.
//!
//! The fault itself gives no reason. The code asks the file for one by a call: the file may be too
//! short, the disk may fail, the file system may be full. Where calls see what views see, the call
//! also does what the copy could not, so a fault that the call does not share causes no error.

use std::sync::Arc;

use super::copy::Fault;
use super::open_file::OpenFile;
use crate::error::{Error, ErrorKind, Result};
use crate::os::{self, fault};

/// Turns page faults of this crate's own copies in mapped files into errors, for the whole process,
/// until it ends.
///
/// If the system cannot provide a page of a mapped file, it raises a signal (`SIGBUS`) or an
/// exception, which ends the process. The causes are a truncated file, a failing disk and a full
/// file system. With the guard these calls return an [`Error`] instead:
///
/// - [`View::read`](crate::map::View::read) and [`View::write`](crate::map::View::write), and the
///   calls built on them: [`TypedView::get`](crate::map::TypedView::get) and
///   [`set`](crate::map::TypedView::set), [`Mapping::read_vec`](crate::map::Mapping::read_vec);
/// - [`Store::copy`](crate::Store::copy), [`Store::copy_into`](crate::Store::copy_into),
///   [`Store::copies`](crate::Store::copies), and those of [`Snapshot`](crate::Snapshot) and
///   [`WindowedStore`](crate::WindowedStore); [`verify`](crate::verify);
/// - appends to a store on a system where stores write through views alone (Windows).
///
/// A fault of other code goes to the previous handler, as without the guard. So a thread that looks
/// at records in place, by `get` or an iterator, still ends the process. The `flatrec` command
/// installs the guard, and gets, scans and exports by copies only.
///
/// A fault in a thread that blocks `SIGBUS` still ends the process: the system does not call the
/// handler then.
///
/// On Unix the guard is a handler of `SIGBUS`, which runs on the thread's alternate stack if it has
/// one. A handler installed later gets all faults first; the guard keeps working if that handler
/// passes on the faults of other code. The guard calls the previous handler with the same
/// arguments, or restores the default; the previous handler must not be unloaded. A second call of
/// this function does nothing. The handler takes no lock and allocates nothing, so it is safe at
/// every point of a thread. For processors other than x86-64 and 64-bit ARM there is no handler:
/// once the guard is installed, the calls above use read and write calls there.
///
/// On Windows the guard is a vectored handler of `EXCEPTION_IN_PAGE_ERROR`, before the existing
/// ones; it ignores other exceptions, and in-page errors of other code. On 32-bit and ARM Windows
/// it does nothing. Windows does not truncate a mapped file, so it catches failing disks and
/// networks there. Under Wine, which reports a lost page as an access violation, it catches
/// nothing.
///
/// ```
/// use flatrec::{DataType, DynStore, ErrorKind, Field, Schema};
/// flatrec::install_fault_guard()?;
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append_packed(&[7; 4 * 50_000])?;
/// store.close()?;
/// let store = DynStore::open_read_only(&path)?;
/// # if cfg!(unix) { // other systems do not truncate a mapped file
/// // Another program, which knows nothing of stores:
/// std::fs::File::options().write(true).open(&path)?.set_len(100_000)?;
/// let error = store.copy_into(0, &mut [0; 4 * 50_000]).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Truncated);
/// assert_eq!(error.record_number(), Some((100_000 - 65_536) / 4));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Io`] if the operating system refuses the handler.
pub fn install_fault_guard() -> Result<()> {
    fault::install().map_err(|source| Error::io("install the fault guard", source))
}

/// What holds the bytes of a view.
pub(super) enum Origin {
    File(Arc<OpenFile>),
    /// Shared memory of that name.
    Section(Box<str>),
    Unknown,
}

/// A place in a view, and where its bytes come from.
pub(super) struct Place<'v> {
    pub(super) origin: &'v Origin,
    /// Of the first byte, in bytes from the start of the file.
    pub(super) offset: u64,
    /// Whether the view may show bytes past the end of the file.
    pub(super) private: bool,
}

impl Place<'_> {
    /// The file, if its calls and the view see one another's changes.
    fn coherent_file(&self) -> Option<&OpenFile> {
        match self.origin {
            Origin::File(file) if os::FILE_CALLS_SEE_VIEWS && !self.private => Some(file),
            _ => None,
        }
    }

    /// The error for a file that ends at `end` although bytes should follow.
    fn truncated(&self, operation: &'static str, end: u64) -> Error {
        self.name(Error::truncated(operation, end, self.offset))
    }

    /// The error for a page if no call finds a better one.
    fn lost(&self, operation: &'static str, at: u64) -> Error {
        self.name(
            Error::new(ErrorKind::Io, operation)
                .offset(at)
                .detail("the operating system could not provide this page of the mapped memory")
                .advice(
                    "check the system's log for disk errors, and the file system for free space",
                ),
        )
    }

    /// The error, with the name of the file or the memory.
    pub(super) fn name(&self, error: Error) -> Error {
        match self.origin {
            Origin::File(file) => file.name(error),
            Origin::Section(name) => error.path(&**name),
            Origin::Unknown => error,
        }
    }

    /// What is wrong with byte `at`, as far as a call can tell.
    fn why(&self, operation: &'static str, at: u64) -> Error {
        let Origin::File(file) = self.origin else { return self.lost(operation, at) };
        match file.len_bytes() {
            Ok(end) if end <= at => return self.truncated(operation, end),
            Ok(_) => {}
            Err(error) => return error,
        }
        match file.read_at(at, &mut [0]) {
            Ok(_) => self.lost(operation, at),
            Err(error) => error,
        }
    }
}

/// Reads from the file instead of the view if the guard is installed and this processor has no
/// guarded copy.
pub(super) fn read_by_calls(place: &Place<'_>, into: &mut [u8]) -> Option<Result<()>> {
    if fault::CATCHES || !fault::is_installed() {
        return None;
    }
    place.coherent_file().map(|_| finish_read(place, into, Fault { done: 0 }))
}

/// As [`read_by_calls`], writing.
pub(super) fn write_by_calls(place: &Place<'_>, from: &[u8]) -> Option<Result<()>> {
    if fault::CATCHES || !fault::is_installed() {
        return None;
    }
    place.coherent_file().map(|_| finish_write(place, from, Fault { done: 0 }))
}

/// Continues a read after a fault.
#[cold]
pub(super) fn finish_read(place: &Place<'_>, into: &mut [u8], fault: Fault) -> Result<()> {
    let at = place.offset + fault.done as u64;
    let Some(file) = place.coherent_file() else { return Err(place.why("read", at)) };
    let rest = &mut into[fault.done..];
    let read = file.read_at(at, rest)?;
    if read == rest.len() {
        return Ok(());
    }
    Err(place.truncated("read", file.len_bytes()?.min(at + read as u64)))
}

/// Continues a write after a fault.
#[cold]
pub(super) fn finish_write(place: &Place<'_>, from: &[u8], fault: Fault) -> Result<()> {
    let at = place.offset + fault.done as u64;
    let Some(file) = place.coherent_file() else { return Err(place.why("write", at)) };
    let rest = &from[fault.done..];
    // A write past the end would make the file longer, which views never do.
    let end = file.len_bytes()?;
    if end < at + rest.len() as u64 {
        return Err(place.truncated("write", end));
    }
    file.write_at(at, rest)
}
