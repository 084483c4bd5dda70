//! Where the rows set aside, new numbers and lists of what is lost go: devices and pipes are
//! written as they are, and files beside their place until they are whole.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use flatrec::exchange::UnpublishedFile;

use crate::failure::Failure;

/// Whether `path` is a device or a pipe, which is written as it is.
pub(crate) fn is_stream(path: &Path) -> bool {
    is_device(path) || path.exists() && !path.is_file()
}

/// Opens `path` if it is a device or a pipe; a pipe waits for its reader. `None` for a file, or
/// where nothing is yet.
pub(crate) fn stream(path: &Path) -> io::Result<Option<File>> {
    match is_stream(path) {
        true => OpenOptions::new().write(true).open(path).map(Some),
        false => Ok(None),
    }
}

/// A new file beside `path`, and another handle of it to write by.
pub(crate) fn create(path: &Path, replace: bool) -> Result<(File, UnpublishedFile), Failure> {
    let aside = UnpublishedFile::create(path, replace)?;
    let named = |error| Failure::Message(format!("create {}: {error}", path.display()));
    Ok((aside.file().try_clone().map_err(named)?, aside))
}

/// Gives the file of rows set aside its name.
pub(crate) fn publish_rejects(aside: UnpublishedFile) -> Result<(), Failure> {
    publish(aside, "the store has the rows that fit; those that do not are in the former file")
}

/// Gives the file its name, when what `done` says has been done already. If that fails the file
/// stays where it is, because nothing else has what it holds.
pub(crate) fn publish(mut aside: UnpublishedFile, done: &str) -> Result<(), Failure> {
    let (made_at, path) = (aside.made_at().to_owned(), aside.path().to_owned());
    aside.keep(true);
    aside.publish().map_err(|error| {
        let why = std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
        Failure::Message(format!(
            "rename {} to {}: {why} ({done})",
            made_at.display(),
            path.display()
        ))
    })
}

/// Whether the system has a device of that name, as `NUL`: on Unix one lies where files do.
fn is_device(path: &Path) -> bool {
    let is_device = |full: PathBuf| {
        let rest = full.as_os_str().as_encoded_bytes().strip_prefix(br"\\.\");
        // `\\.\C:\file` is a file.
        rest.is_some_and(|rest| !matches!(rest, [_, b':', ..]))
    };
    cfg!(windows) && std::path::absolute(path).is_ok_and(is_device)
}
