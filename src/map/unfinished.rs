//! Files that are made under another name until they are whole: the name, and whose a file of that
//! name is.
//!
//! A maker that dies leaves its file behind, and the next one removes it or goes on with it. What
//! has the name may as well be a file that a user keeps there, or one that another user has put in
//! the way: so a leftover is believed only if it is a regular file of the maker's own user, reached
//! by no link, and looks like what makers leave.

use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use super::file::FileBacking;
use super::side;
use super::side_lock::{SideLock, UNFINISHED};
use crate::error::{Error, ErrorKind, Result};
use crate::os::{self, Permissions, Sharing};

/// What an unfinished file is made for.
const MAKE: &str = "make an unfinished file at";

/// The name `X-unfinished` under which a file `X` is made before it gets its own.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] if a store of that very name lies there, which has a lock file of
/// its own.
fn aside_of(path: &Path) -> Result<PathBuf> {
    let aside = side::path_of(path, UNFINISHED);
    if SideLock::real_path_of(&aside).symlink_metadata().is_ok() && aside.symlink_metadata().is_ok()
    {
        return Err(Error::new(ErrorKind::AlreadyExists, MAKE)
            .path(aside)
            .detail("a store of that name is there")
            .advice("rename that store, or choose another path"));
    }
    Ok(aside)
}

/// Opens the file that a maker of `path` has left, for reading and writing. `is_ours` tells whether
/// a file is what such a maker leaves.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is none; [`ErrorKind::AlreadyExists`] if what is there was not
/// left by a maker; [`ErrorKind::PermissionDenied`] if it is another user's; the system's.
pub(crate) fn open_unfinished(
    path: &Path,
    is_ours: impl FnOnce(&FileBacking) -> Result<bool>,
) -> Result<(PathBuf, FileBacking)> {
    let aside = aside_of(path)?;
    let file = open_own(path, &aside, is_ours)?;
    // What is written to it would be in a file of another name, too.
    let metadata = metadata_of(&file, &aside)?;
    if os::has_other_names(&metadata) {
        return Err(Error::new(ErrorKind::InvalidArgument, "resume")
            .path(aside)
            .detail("the file has another name beside this one, and would be changed there, too")
            .advice("remove one of the names, or start over"));
    }
    Ok((aside, file))
}

/// The name under which `path` is made, free for use: what a maker that died left there is removed.
/// For the holder of the lock under which `path` is made, who can tell by `is_ours` whether a file
/// is what such a maker leaves.
///
/// # Errors
/// As [`open_unfinished`], but that there may be none.
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

/// A name beside `path` that no file has, for a file without anything by which it could be known
/// again. What earlier makers of `path` have left under such names is removed: their form, with a
/// random number, is no other file's. For the holder of the lock under which `path` is made.
///
/// # Errors
/// The system's.
pub(super) fn new_unfinished(path: &Path) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    path.file_name().unwrap_or_default().as_encoded_bytes().hash(&mut hasher);
    let start = format!(".flatrec-new-{:016x}-", hasher.finish());
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // A directory that cannot be listed is one to make files in all the same.
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(&start));
        let is_left = number.is_some_and(|it| u64::from_str_radix(it, 16).is_ok());
        if is_left && entry.metadata().is_ok_and(|it| it.is_file() && os::is_own(&it, None)) {
            // One that stays is in the way of no other.
            let _ = os::remove(&entry.path());
        }
    }
    let id = os::random_id().map_err(|source| Error::io("create", source).path(path))?;
    let number = u64::from_le_bytes(std::array::from_fn(|at| id[at]));
    Ok(path.with_file_name(format!("{start}{number:016x}")))
}

/// Opens what lies at `aside`, if it is a maker's of `path`.
fn open_own(
    path: &Path,
    aside: &Path,
    is_ours: impl FnOnce(&FileBacking) -> Result<bool>,
) -> Result<FileBacking> {
    let failed = |source| Error::io("look at the unfinished file", source).path(aside);
    // Another user's may not even be readable, which would be a worse thing to say of it.
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
    // What root makes in the place of a user's file is that user's.
    let heir: Option<Permissions> = Sharing::like(path).like;
    if os::is_own(found, heir.as_ref()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::PermissionDenied, MAKE)
        .path(aside)
        .detail("another user's file has that name")
        .advice("have it removed, or choose another path"))
}

fn foreign(aside: &Path) -> Error {
    Error::new(ErrorKind::AlreadyExists, MAKE)
        .path(aside)
        .detail("what is there was not left by a maker that died")
        .advice("rename it, or choose another path")
}
