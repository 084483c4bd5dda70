//! A file written beside its place and moved there when it is whole: rows set aside, new numbers,
//! lists of what is lost.
//!
//! While it is written it is called `.NAME.flatrec-aside-NUMBER.tmp`, and its maker holds a lock on
//! it. So a file of such a name without a lock was left by a command that was killed, and the next
//! one that makes a file for NAME removes it. What a load keeps to be resumed is `.NAME.NUMBER.tmp`
//! before anything tells of it: that is removed by a load only.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
#[cfg(unix)]
use crate::own;
#[cfg(unix)]
use crate::paths::directory_of;

/// What stands before the number in the name of a file that is removed if its maker is killed.
const MARK: &str = "flatrec-aside-";
/// What every name ends in.
const ENDING: &str = ".tmp";
/// Digits of the number.
#[cfg(unix)]
const DIGITS: usize = 16;
/// Of a longer name this is the part that is kept, so that the whole is one that a file can have.
const NAME_BYTES_MAX: usize = 200;
/// Names that are tried, before something else must be wrong.
const ATTEMPTS_MAX: u32 = 100;

/// A file beside its place, removed when dropped.
pub(crate) struct Aside {
    made_at: PathBuf,
    /// The part of the name `made_at` that `path` does not give.
    tag: String,
    path: PathBuf,
    replace: bool,
    keep: bool,
    /// Holds the lock, for as long as this lives. A file that is kept has none.
    _lock: Option<File>,
}

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

/// A new file beside `path`, under a name that nothing else has.
pub(crate) fn create(path: &Path, replace: bool) -> io::Result<(File, Aside)> {
    if path.file_name().is_none() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    reclaim(path);
    for _ in 0..ATTEMPTS_MAX {
        let tag = format!("{MARK}{:016x}", getrandom::u64().map_err(io::Error::from)?);
        let made_at = path_of(path, &tag);
        let file = match create_new(&made_at, if replace { Some(path) } else { None }) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        };
        // Another maker may take it for one that was left, before it has its lock.
        if let Some(lock) = hold(&file, &made_at)? {
            let (path, keep, _lock) = (path.to_owned(), false, Some(lock));
            return Ok((file, Aside { made_at, tag, path, replace, keep, _lock }));
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// The name beside `path` under which it is made.
pub(crate) fn path_of(path: &Path, tag: &str) -> PathBuf {
    path.with_file_name(format!("{}{tag}{ENDING}", stem(path)))
}

/// With what the names begin under which a file for `path` is made.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!(".{}.", &name[..end])
}

impl Aside {
    /// The file that an earlier load has kept for `path`.
    pub(crate) fn kept(path: &Path, tag: &str, replace: bool) -> Self {
        let (made_at, tag, path) = (path_of(path, tag), tag.to_owned(), path.to_owned());
        Self { made_at, tag, path, replace, keep: true, _lock: None }
    }

    /// Where it lies now.
    pub(crate) fn made_at(&self) -> &Path {
        &self.made_at
    }

    /// What its name has beside that of its place.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// Where it will lie.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stays if this is dropped.
    pub(crate) fn is_kept(&self) -> bool {
        self.keep
    }

    /// Has it stay if this is dropped, or not.
    pub(crate) fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }

    /// Gives it the name of a file that only a later load removes.
    pub(crate) fn name_for_later(&mut self) -> io::Result<()> {
        let Some(tag) = self.tag.strip_prefix(MARK) else { return Ok(()) };
        let made_at = path_of(&self.path, tag);
        fs::rename(&self.made_at, &made_at)?;
        (self.tag, self.made_at) = (tag.to_owned(), made_at);
        Ok(())
    }

    /// Gives the file its name. If that fails the file stays where it is: the rows are loaded, and
    /// those that were not must not be lost.
    pub(crate) fn publish(self) -> Result<(), Failure> {
        self.publish_after(
            "the store has the rows that fit; those that do not are in the former file",
        )
    }

    /// As [`Aside::publish`], when something else has been done already.
    pub(crate) fn publish_after(mut self, done: &str) -> Result<(), Failure> {
        self.keep = true;
        self.rename().map_err(|error| {
            Failure::Message(format!(
                "rename {} to {}: {error} ({done})",
                self.made_at.display(),
                self.path.display()
            ))
        })
    }

    fn rename(&self) -> io::Result<()> {
        if self.replace {
            return fs::rename(&self.made_at, &self.path);
        }
        match fs::hard_link(&self.made_at, &self.path) {
            Ok(()) => fs::remove_file(&self.made_at),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // A file system without hard links.
            Err(_) if self.path.symlink_metadata().is_ok() => {
                Err(io::ErrorKind::AlreadyExists.into())
            }
            Err(_) => fs::rename(&self.made_at, &self.path),
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.keep {
            // Nobody is left to hear of a failure; the name says that the file is temporary.
            let _ = fs::remove_file(&self.made_at);
        }
    }
}

/// Makes a file that did not exist: with the permissions of the one that it is to replace, if there
/// is one that this user owns, too.
#[cfg(unix)]
fn create_new(path: &Path, replaced: Option<&Path>) -> io::Result<File> {
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
    let replaced = replaced.and_then(|replaced| fs::metadata(replaced).ok());
    let mode = if replaced.is_some() { 0o600 } else { 0o666 };
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    if let Some(replaced) = replaced.filter(fs::Metadata::is_file) {
        let made = file.metadata()?;
        if (made.uid(), made.gid()) == (replaced.uid(), replaced.gid()) {
            // Best effort: where it fails the file stays the owner's alone.
            let _ = file.set_permissions(fs::Permissions::from_mode(replaced.mode() & 0o666));
        }
    }
    Ok(file)
}

#[cfg(not(unix))]
fn create_new(path: &Path, _replaced: Option<&Path>) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Locks a file that was just made; `None` if it has lost its name to a maker that was quicker.
#[cfg(unix)]
fn hold(file: &File, made_at: &Path) -> io::Result<Option<File>> {
    let lock = file.try_clone()?;
    Ok(match try_lock(&lock) {
        Ok(true) => own::is_at(made_at, file)?.then_some(lock),
        Ok(false) => None,
        // Where there are no locks nothing is taken for what was left, either.
        Err(_) => Some(lock),
    })
}

/// Nothing is taken for what was left.
#[cfg(not(unix))]
fn hold(file: &File, _made_at: &Path) -> io::Result<Option<File>> {
    file.try_clone().map(Some)
}

#[cfg(unix)]
fn try_lock(file: &File) -> io::Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Removes the files for `path` that makers left that were killed. Best effort: one that stays is
/// clutter.
#[cfg(unix)]
fn reclaim(path: &Path) {
    let start = format!("{}{MARK}", stem(path));
    let is_number = |number: &str| {
        number.len() == DIGITS
            && number.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    for entry in fs::read_dir(directory_of(path)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(&*start));
        if number.and_then(|rest| rest.strip_suffix(ENDING)).is_some_and(is_number) {
            remove_if_left(&entry.path());
        }
    }
}

/// On Windows they stay.
#[cfg(not(unix))]
fn reclaim(_path: &Path) {}

/// Removes the file at `made_at` if this user's command made it, and is gone, with its lock.
#[cfg(unix)]
fn remove_if_left(made_at: &Path) {
    let found = own::look(made_at, OpenOptions::new().read(true).write(true));
    let Ok(own::Found::Own(file)) = found else { return };
    let is_left =
        matches!(try_lock(&file), Ok(true)) && own::is_at(made_at, &file).unwrap_or(false);
    if is_left {
        // Under the lock: a maker that was just about to take it tries another name.
        let _ = fs::remove_file(made_at);
    }
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
