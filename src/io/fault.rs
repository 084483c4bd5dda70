//! What a page that cannot be had becomes: an error that says why.
//!
//! The fault itself says only that there was one. Why is asked of the file by a call, which has
//! errors: a file that is too short by now, a disk that fails, a file system that is full. Where
//! calls see what views see, the call also does what the copy could not, so that a fault which it
//! does not share is none.

use std::sync::Arc;

use super::copy::Fault;
use super::open_file::OpenFile;
use crate::error::{Error, ErrorKind, Result};
use crate::os::{self, fault};

/// Makes errors of the faults that this crate's own copies meet in mapped files, in the whole
/// process and for good.
///
/// A page of a mapped file that the system cannot provide, because somebody has cut the file short,
/// the disk fails or the file system is full, is no error of a call but a signal (`SIGBUS`) or an
/// exception, which ends the process. With the guard it is an [`Error`] of the calls that copy:
///
/// - [`View::read`](crate::map::View::read) and [`View::write`](crate::map::View::write), and
///   what rests on them: [`TypedView::get`](crate::map::TypedView::get) and
///   [`set`](crate::map::TypedView::set), [`Mapping::read_vec`](crate::map::Mapping::read_vec);
/// - [`Store::try_read`](crate::Store::try_read), [`Store::read_into`](crate::Store::read_into),
///   and their like of [`DynStore`](crate::DynStore) and [`WindowedStore`](crate::WindowedStore);
///   [`DynStore::copies`](crate::DynStore::copies), [`verify`](crate::verify);
/// - appends to a store through a map ([`WriteBack::Mapped`](crate::WriteBack::Mapped)).
///
/// A fault of any other code goes to the handler that was there before, as if there were no guard:
/// that of a thread which looks at records in place, by `get` or an iterator, still ends the
/// process. The `flatrec` command installs the guard, and gets, scans and exports by copies only.
///
/// A thread that blocks `SIGBUS` (some block every signal) dies of a fault all the same: the system
/// does not ask the handler then.
///
/// On Unix it is a handler of `SIGBUS`, which runs on the thread's alternate stack if it has one.
/// Whoever installs another one later gets all faults first, and keeps the guard working by
/// passing on what is not theirs. The handler that was there before is called with the same
/// arguments, or the default restored; it must not be unloaded. Calling this again does nothing,
/// whoever has the signal by then. The handler takes no lock and allocates nothing: it is safe
/// whatever the thread was doing. Processors other than x86-64 and 64-bit ARM have no handler:
/// there the calls above ask the file by read and write calls once the guard is installed.
///
/// On Windows it is a vectored handler of `EXCEPTION_IN_PAGE_ERROR`, in front of those that are
/// there; it says nothing to any other exception, nor to an in-page error of any other code. On
/// 32-bit and ARM Windows there is nothing. Windows lets nobody cut a file that is mapped, so what
/// is caught there is a disk, or a network, that fails. Under Wine, which makes an access violation
/// of a lost page, nothing is.
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
/// # if cfg!(unix) { // elsewhere a file that is mapped cannot be cut
/// // Somebody who knows nothing of stores:
/// std::fs::File::options().write(true).open(&path)?.set_len(100_000)?;
/// let error = store.read_into(0, &mut [0; 4 * 50_000]).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Truncated);
/// assert_eq!(error.record_number(), Some((100_000 - 65_536) / 4));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The system's, should it refuse a handler.
pub fn install_fault_guard() -> Result<()> {
    fault::install().map_err(|source| Error::io("install the fault guard", source))
}

/// Whose bytes a view shows.
pub(super) enum Origin {
    File(Arc<OpenFile>),
    /// Shared memory of that name.
    Section(Box<str>),
    Unknown,
}

/// Where bytes of a view come from.
pub(super) struct Place<'v> {
    pub(super) origin: &'v Origin,
    /// Of the first byte, in the file.
    pub(super) offset: u64,
    /// Whether the view may show bytes that the file does not have.
    pub(super) private: bool,
}

impl Place<'_> {
    /// The file, if its calls see what the view shows and the other way round.
    fn coherent_file(&self) -> Option<&OpenFile> {
        match self.origin {
            Origin::File(file) if os::FILE_CALLS_SEE_VIEWS && !self.private => Some(file),
            _ => None,
        }
    }

    /// The error of a file that ends at `end`, where there should be bytes.
    fn truncated(&self, operation: &'static str, end: u64) -> Error {
        self.name(Error::truncated(operation, end, self.offset))
    }

    /// The error of a page for which no call has a better one.
    fn lost(&self, operation: &'static str, at: u64) -> Error {
        self.name(
            Error::new(ErrorKind::Io, operation)
                .offset(at)
                .detail("the system could not provide this page of the mapped memory")
                .advice("look for errors of the disk, or a full file system, in the system's log"),
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

/// Reads from the file instead of the view, where faults should be errors and the processor's copy
/// cannot make them so.
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

/// Goes on with a read that met a fault.
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

/// Goes on with a write that met a fault.
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
