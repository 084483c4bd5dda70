//! Removal of names at once, also of open files.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use std::time::Duration;

use windows_sys::Win32::Foundation as errors;
use windows_sys::Win32::Storage::FileSystem as files;

use super::{check, code, rename_new, size_of_u32};
use crate::os::{retry, unlikely_name};

/// How long a scanner, an indexer or a backup may hold a file before its removal fails.
const PATIENCE: Duration = Duration::from_millis(500);

/// Removes a file's name.
///
/// By default Windows keeps the name until the last handle is closed, and refuses to open it or to
/// create another file of that name. So this removes the name as POSIX does
/// (`FileDispositionInfoEx`: NTFS since Windows 10, version 1607). If the file system cannot, the
/// file first gets another name, which stays as long as a handle is open. If another program holds
/// the file for a moment and forbids its removal, this tries again.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let is_held = |error: &io::Error| {
        matches!(code(error), errors::ERROR_SHARING_VIOLATION | errors::ERROR_ACCESS_DENIED)
    };
    match retry(PATIENCE, is_held, || remove_at_once(path)) {
        Err(error) if is_lacking(&error) => {
            let aside = path.with_file_name(unlikely_name());
            match fs::rename(path, &aside) {
                // The system refuses to remove a mapped file: it keeps its name.
                Ok(()) => fs::remove_file(&aside).inspect_err(|_| {
                    let _ = rename_new(&aside, path);
                }),
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => Err(gone),
                Err(_) => fs::remove_file(path),
            }
        }
        result => result,
    }
}

fn remove_at_once(path: &Path) -> io::Result<()> {
    let flags = files::FILE_FLAG_OPEN_REPARSE_POINT;
    let file = OpenOptions::new().access_mode(files::DELETE).custom_flags(flags).open(path)?;
    let how = files::FILE_DISPOSITION_FLAG_DELETE | files::FILE_DISPOSITION_FLAG_POSIX_SEMANTICS;
    let info = files::FILE_DISPOSITION_INFO_EX { Flags: how };
    // SAFETY: the handle is open as long as `file` lives; the class and the size that are passed
    // are those of `info`, which outlives the call.
    check(unsafe {
        files::SetFileInformationByHandle(
            file.as_raw_handle(),
            files::FileDispositionInfoEx,
            (&raw const info).cast(),
            size_of_u32::<files::FILE_DISPOSITION_INFO_EX>(),
        )
    })
}

/// Whether the file system, or an emulation, lacks this kind of removal.
fn is_lacking(error: &io::Error) -> bool {
    matches!(
        code(error),
        errors::ERROR_INVALID_PARAMETER
            | errors::ERROR_INVALID_FUNCTION
            | errors::ERROR_INVALID_LEVEL
            | errors::ERROR_NOT_SUPPORTED
            | errors::ERROR_CALL_NOT_IMPLEMENTED
    )
}
