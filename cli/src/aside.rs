//! The outputs for rows set aside, new numbers and lists of lost records: devices and pipes are
//! written directly, and files beside their place until they are complete.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use flatrec::exchange::UnpublishedFile;

use crate::failure::Failure;

/// Whether `path` is a device or a pipe, which is written directly.
pub(crate) fn is_stream(path: &Path) -> bool {
    is_device(path) || path.exists() && !path.is_file()
}

/// Opens `path` if it is a device or a pipe; a pipe waits for its reader. `None` for a file or a
/// free path.
pub(crate) fn stream(path: &Path) -> io::Result<Option<File>> {
    match is_stream(path) {
        true => OpenOptions::new().write(true).open(path).map(Some),
        false => Ok(None),
    }
}

/// A new file beside `path`, and another handle of it for writing.
pub(crate) fn create(path: &Path, replace: bool) -> Result<(File, UnpublishedFile), Failure> {
    let aside = UnpublishedFile::create(path, replace)?;
    let named = |error| Failure::Message(format!("create {}: {error}", path.display()));
    Ok((aside.file().try_clone().map_err(named)?, aside))
}

/// Gives the file of rows set aside its name.
pub(crate) fn publish_rejects(aside: UnpublishedFile) -> Result<(), Failure> {
    publish(aside, "the store has the rows that fit; the others are in the former file")
}

/// Gives the file its name; `done` says what was done before. If that fails the file stays, because
/// it has the only copy of its content.
pub(crate) fn publish(mut aside: UnpublishedFile, done: &str) -> Result<(), Failure> {
    let (made_at, path) = (aside.made_at().to_owned(), aside.path().to_owned());
    aside.keep(true);
    aside.publish().map_err(|error| {
        let why = error.io_error().map_or(error.to_string(), ToString::to_string);
        Failure::Message(format!(
            "rename {} to {}: {why} ({done})",
            made_at.display(),
            path.display()
        ))
    })
}

/// Whether the system has a device with that name, such as `NUL`: on Unix devices are files.
fn is_device(path: &Path) -> bool {
    let is_device = |full: PathBuf| {
        let rest = full.as_os_str().as_encoded_bytes().strip_prefix(br"\\.\");
        // `\\.\C:\file` is a file.
        rest.is_some_and(|rest| !matches!(rest, [_, b':', ..]))
    };
    cfg!(windows) && std::path::absolute(path).is_ok_and(is_device)
}
