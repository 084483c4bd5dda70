//! The files beside a data file: their names, and how they are opened.
//!
//! `X-wal-1`, `X-sum` and the like belong to the data file: they are created with its owner, group
//! and permissions and never with more, exclusively, and never through a symbolic link, which could
//! lead anywhere.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use super::backing::OpenSide;
use super::place::Place;
use crate::error::{Error, ErrorKind, Result};
use crate::os::{self, Distrust, Permissions, Sharing, no_follow};

/// Headers, checksum files and segments begin with these bytes.
const MAGIC: [u8; 5] = *b"\x89FLAT";

/// Opens the file beside `data`, which is open as `file`; `None` if an existing file was asked
/// for and does not exist.
pub(super) fn open(data: &Place, file: &File, suffix: &str, how: OpenSide) -> Result<Option<File>> {
    let side = data.beside(suffix);
    // Of the open file: its name may belong to another file now.
    let permissions = || {
        let metadata = file.metadata();
        let failed = |source| Error::io("ask the permissions of", source).path(data.given());
        metadata.map(|metadata| Permissions::of(&metadata)).map_err(failed)
    };
    if how == OpenSide::Create {
        let sharing = Sharing { like: Some(permissions()?), copy_of: None };
        let made = os::create_new(side.real(), &sharing);
        return made.map(Some).map_err(|source| Error::io("create", source).path(side.given()));
    }
    let mut options = OpenOptions::new();
    options.read(true).write(how == OpenSide::Write);
    no_follow(&mut options);
    refuse_irregular(side.real()).map_err(|error| error.path(side.given()))?;
    let permissions = permissions()?;
    let check = |found: io::Result<Metadata>| match found
        .map(|found| why_not_believed(&found, side.real(), &permissions))
    {
        Ok(Some(Distrust::Owner(user))) => {
            let why = format!("its owner, user {user}, may not write the data file");
            Err(disbelieved(why, data.given()).path(side.given()))
        }
        // The next writer narrows a file that is more open than the data.
        Ok(_) => Ok(()),
        Err(source) => Err(Error::io("open", source).path(side.given())),
    };
    match options.open(side.real()) {
        Ok(found) => {
            check(found.metadata())?;
            if how == OpenSide::Write && is_ours(&found) {
                os::narrow(&found, &permissions);
            }
            Ok(Some(found))
        }
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => {
            // The owner shows whether another user has put the file there to block the store.
            check(side.real().symlink_metadata())?;
            Err(Error::io("open", source).path(side.given()))
        }
    }
}

/// Why a file beside data with these permissions is not trusted.
pub(crate) fn why_not_believed(
    found: &Metadata,
    path: &Path,
    data: &Permissions,
) -> Option<Distrust> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    os::distrust(found, data, directory)
}

/// The error for a file that is not trusted. It has no source: the system would allow the access.
pub(crate) fn disbelieved(why: String, data: &Path) -> Error {
    let name = data.file_name().unwrap_or(data.as_os_str()).to_string_lossy();
    Error::new(ErrorKind::PermissionDenied, "open").detail(why).advice(format!(
        "close the store everywhere, then remove this file or give it the owner and the \
         permissions of {name}; keep stores in a directory where no other users create files",
    ))
}

/// Whether an error is that of [`disbelieved`].
pub(crate) fn is_disbelieved(error: &Error) -> bool {
    error.kind() == ErrorKind::PermissionDenied && error.io_error().is_none()
}

/// Whether a file begins like one of ours, or is empty like a new one. The permissions of other
/// files are not changed.
fn is_ours(found: &File) -> bool {
    let mut front = [0; MAGIC.len()];
    match os::read_at(found, 0, &mut front) {
        Ok(0) => true,
        Ok(got) => got == front.len() && front == MAGIC,
        Err(_) => false,
    }
}

/// Refuses anything but a regular file before opening it: opening a pipe would wait until a program
/// writes into it.
pub(crate) fn refuse_irregular(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return Err(irregular());
    }
    Ok(())
}

pub(crate) fn irregular() -> Error {
    Error::new(ErrorKind::InvalidArgument, "open")
        .detail(
            "a store or mapping needs this name for its own file, and this is not a regular file",
        )
        .advice("rename it, or the store")
}

/// The suffixes of the files beside `data` whose names begin with its name. Other programs' files,
/// whose suffixes are not UTF-8, are left out.
pub(super) fn list(data: &Place) -> Result<Vec<String>> {
    let (Some(directory), Some(own)) = (data.directory(), data.real().file_name()) else {
        return Ok(Vec::new());
    };
    let failed = |source| Error::io("list the directory", source).path(data.given_directory());
    let mut suffixes = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !os::begins_with_name(&name, own) {
            continue;
        }
        let rest = name.as_encoded_bytes().get(own.len()..);
        match rest.map(std::str::from_utf8) {
            Some(Ok(suffix)) if !suffix.is_empty() => suffixes.push(suffix.to_owned()),
            _ => {}
        }
    }
    suffixes.sort();
    Ok(suffixes)
}

/// Removes the file beside `data`, if it exists.
pub(super) fn remove(data: &Place, suffix: &str) -> Result<()> {
    let side = data.beside(suffix);
    match os::remove(side.real()) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", source).path(side.given()))
        }
        _ => Ok(()),
    }
}

/// The error for a caller that wants a file beside one without a name.
pub(crate) fn nameless() -> Error {
    Error::new(ErrorKind::Unsupported, "make a file beside")
        .detail("a file without a name cannot have files beside it")
}
