//! Files that have another name until they are complete: the name, and the check of its owner.
//!
//! A maker that dies leaves its file behind, and the next maker removes it or resumes it. A user
//! may have a file of that name, and another user may have put one there to block the maker. So a
//! leftover must be a regular file of the maker's own user, not a link, with the content of a
//! leftover.

use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use super::file::FileBacking;
use super::kind::lock_path;
use super::place::side_path;
use crate::error::{Error, ErrorKind, Result};
use crate::os::{self, Permissions, Sharing};

/// The suffix of a file that is not complete yet.
pub(crate) const UNFINISHED: &str = "-unfinished";

/// The operation that makes an unfinished file, for errors.
const MAKE: &str = "make an unfinished file at";

/// The name `X-unfinished` under which a file `X` is made before it gets its own.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] if a store with this name exists, which has a lock file of its own.
fn aside_of(path: &Path) -> Result<PathBuf> {
    let aside = side_path(path, UNFINISHED);
    if lock_path(&aside).symlink_metadata().is_ok() && aside.symlink_metadata().is_ok() {
        return Err(Error::new(ErrorKind::AlreadyExists, MAKE)
            .path(aside)
            .detail("a store with this name exists")
            .advice("rename that store, or choose another path"));
    }
    Ok(aside)
}

/// Opens the file that a maker of `path` has left, for reading and writing. `is_ours` decides by a
/// file's content whether it is such a leftover.
///
/// # Errors
/// [`ErrorKind::NotFound`] without such a file; [`ErrorKind::AlreadyExists`] if the file is not a
/// maker's leftover; [`ErrorKind::PermissionDenied`] if it belongs to another user;
/// [`ErrorKind::InvalidArgument`] if it has a second name; [`ErrorKind::Io`] if the operating
/// system reports another error.
pub(crate) fn open_unfinished(
    path: &Path,
    is_ours: impl FnOnce(&FileBacking) -> Result<bool>,
) -> Result<(PathBuf, FileBacking)> {
    let aside = aside_of(path)?;
    let file = open_own(path, &aside, is_ours)?;
    // Writing through this name would also change the file of the other name.
    let metadata = metadata_of(&file, &aside)?;
    if os::has_other_names(&metadata) {
        return Err(Error::new(ErrorKind::InvalidArgument, "resume")
            .path(aside)
            .detail("the file has a second name (a hard link)")
            .advice("remove that name, or start over"));
    }
    Ok((aside, file))
}

/// The name under which `path` is made, free for use: removes the leftover of a maker that died.
/// The caller holds the lock under which `path` is made; `is_ours` decides by a file's content
/// whether it is such a leftover.
///
/// # Errors
/// As [`open_unfinished`], but a missing file and a second name are no errors.
pub(crate) fn vacate_unfinished(
    path: &Path,
    is_ours: impl FnOnce(&FileBacking) -> Result<bool>,
) -> Result<PathBuf> {
    let aside = aside_of(path)?;
    let left = match open_own(path, &aside, is_ours) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(aside),
        left => left?,
    };
    match left.remove_name() {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(aside),
    }
}

/// A random name beside `path`, for a file whose content does not show that it is a leftover.
/// Removes what earlier makers of `path` left under such names: users do not use names of this
/// form. The caller holds the lock under which `path` is made.
///
/// # Errors
/// [`ErrorKind::Io`] if the operating system reports an error.
pub(crate) fn new_unfinished(path: &Path) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    path.file_name().unwrap_or_default().as_encoded_bytes().hash(&mut hasher);
    let start = format!(".flatrec-new-{:016x}-", hasher.finish());
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Without permission to list the directory, leftovers stay.
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(&start));
        let is_left = number.is_some_and(|it| u64::from_str_radix(it, 16).is_ok());
        if is_left && entry.metadata().is_ok_and(|it| it.is_file() && os::is_own(&it, None)) {
            // A leftover does not block the new name.
            let _ = os::remove(&entry.path());
        }
    }
    let id = os::random_id().map_err(|source| Error::io("create", source).path(path))?;
    let number = u64::from_le_bytes(std::array::from_fn(|at| id[at]));
    Ok(path.with_file_name(format!("{start}{number:016x}")))
}

/// Opens the file at `aside` if it belongs to a maker of `path`.
fn open_own(
    path: &Path,
    aside: &Path,
    is_ours: impl FnOnce(&FileBacking) -> Result<bool>,
) -> Result<FileBacking> {
    let failed = |source| Error::io("look at the unfinished file", source).path(aside);
    // Before the open, which fails with a less helpful error on another user's private file.
    check_own(path, aside, &aside.symlink_metadata().map_err(failed)?)?;
    let file = FileBacking::open_no_link(aside, true)?;
    check_own(path, aside, &metadata_of(&file, aside)?)?;
    if !is_ours(&file)? {
        return Err(foreign(aside));
    }
    Ok(file)
}

fn metadata_of(file: &FileBacking, aside: &Path) -> Result<Metadata> {
    let failed = |source: io::Error| Error::io("look at the unfinished file", source).path(aside);
    file.file().metadata().map_err(failed)
}

fn check_own(path: &Path, aside: &Path, found: &Metadata) -> Result<()> {
    if !found.is_file() {
        return Err(foreign(aside));
    }
    // Root gives its file the owner of the file that it replaces.
    let heir: Option<Permissions> = Sharing::like(path).like;
    if os::is_own(found, heir.as_ref()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::PermissionDenied, MAKE)
        .path(aside)
        .detail("a file with this name belongs to another user")
        .advice("ask its owner to remove it, or choose another path"))
}

fn foreign(aside: &Path) -> Error {
    Error::new(ErrorKind::AlreadyExists, MAKE)
        .path(aside)
        .detail("the file is not the leftover of an interrupted call")
        .advice("rename it, or choose another path")
}
