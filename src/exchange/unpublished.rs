//! A file that is written beside its place and moved there when it is complete.
//!
//! During the write its name is `.NAME.flatrec-NUMBER.tmp`, with a random number, and its maker
//! holds a lock on it. So a file with such a name and no lock was left by a killed maker, and the
//! next maker of the same NAME removes it. A file that a later process continues is called
//! `.NAME.NUMBER.tmp`, which no maker removes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::os::{self, LockKind, Sharing, no_follow};

/// Before the number in the name of a file that is removed if its maker is killed.
const MARK: &str = "flatrec-";
/// The end of every name.
const ENDING: &str = ".tmp";
/// The number of digits.
const DIGITS: usize = 16;
/// The part of a longer name that is kept, so that the whole is a valid file name.
const NAME_BYTES_MAX: usize = 200;
/// How many bytes are written before the system is told to bring them to the device.
const WRITE_BACK_BYTES: u64 = 4 << 20;
/// How many names are tried before the error counts as another fault.
const ATTEMPTS_MAX: u32 = 100;

/// A file that appears at its path only when it is complete; dropping it earlier removes it.
///
/// It is written beside its path, under a unique name. If a process is killed and leaves such a
/// file, the next process that makes a file for the same path removes it: it knows the file by its
/// name and by its missing lock, which ended with its maker.
///
/// ```
/// use std::io::Write;
/// use flatrec::exchange::UnpublishedFile;
/// # let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("lost.csv");
/// let mut file = UnpublishedFile::create(&path, false)?;
/// file.write_all(b"first,last\n")?;
/// assert!(!path.exists());
/// file.publish()?;
/// assert_eq!(std::fs::read(&path)?, b"first,last\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A long job that may be interrupted keeps its file for a later process, which continues it:
///
/// ```
/// use std::io::{Seek, SeekFrom, Write};
/// use flatrec::exchange::UnpublishedFile;
/// # let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("rows.csv");
/// let mut file = UnpublishedFile::create(&path, false)?;
/// file.write_all(b"1\n")?;
/// file.name_for_later()?;
/// file.keep(true);
/// let number = file.number().to_owned();
/// drop(file); // interrupted
///
/// let kept_at = UnpublishedFile::kept_at(&path, &number);
/// let kept = std::fs::File::options().write(true).open(kept_at)?;
/// let mut file = UnpublishedFile::resume(&path, &number, kept, false);
/// file.seek(SeekFrom::End(0))?;
/// file.write_all(b"2\n")?;
/// file.publish()?;
/// assert_eq!(std::fs::read(&path)?, b"1\n2\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a file that is not published is removed"]
pub struct UnpublishedFile {
    /// Holds the lock, unless the file is named for a later process.
    file: File,
    made_at: PathBuf,
    number: String,
    path: PathBuf,
    replace: bool,
    /// Whether the file stays when this is dropped.
    keep: bool,
    /// The bytes written one after the other from the start; none after a seek.
    written: Option<Written>,
}

/// Bytes written from the start of the file on.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    len_bytes: u64,
    /// How many of them the system has been told to bring to the device.
    begun_bytes: u64,
}

impl UnpublishedFile {
    /// Begins a file for `path`, and removes the leftovers of killed makers. With `replace`, it
    /// gets the owner and permissions of the existing file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) and its relatives if no file can be made beside
    /// `path`, or if `path` has no file name.
    pub fn create(path: impl AsRef<Path>, replace: bool) -> Result<Self> {
        let path = path.as_ref();
        let fail = |error| Error::io("create", error).path(path);
        if path.file_name().is_none() {
            return Err(fail(io::ErrorKind::InvalidInput.into()));
        }
        let sharing = if replace { Sharing::like(path) } else { Sharing::default() };
        reclaim(path);
        for _ in 0..ATTEMPTS_MAX {
            let number = format!("{:016x}", os::random_number().map_err(fail)?);
            let made_at = path.with_file_name(format!("{}{MARK}{number}{ENDING}", stem(path)));
            let file = match os::create_new(&made_at, &sharing) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.map_err(fail)?,
            };
            // Before it has its lock, another maker may take it for a leftover.
            if is_held(&file, &made_at) {
                let path = path.to_path_buf();
                let written = Some(Written::default());
                return Ok(Self { file, made_at, number, path, replace, keep: false, written });
            }
        }
        Err(fail(io::ErrorKind::AlreadyExists.into()))
    }

    /// The path of the file for `path` with this number, once it is named for a later process.
    pub fn kept_at(path: impl AsRef<Path>, number: &str) -> PathBuf {
        let path = path.as_ref();
        path.with_file_name(format!("{}{number}{ENDING}", stem(path)))
    }

    /// Continues a `file` that an earlier process kept for `path`, opened at
    /// [`UnpublishedFile::kept_at`]. The file stays when this is dropped.
    pub fn resume(path: impl AsRef<Path>, number: &str, file: File, replace: bool) -> Self {
        let path = path.as_ref().to_path_buf();
        let made_at = Self::kept_at(&path, number);
        let number = number.to_owned();
        Self { file, made_at, number, path, replace, keep: true, written: None }
    }

    /// The open file, for operations beyond [`Write`] and [`Seek`].
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The present path of the file.
    pub fn made_at(&self) -> &Path {
        &self.made_at
    }

    /// The path that the file will get.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number in the file's name, by which a later process finds it.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Whether the file stays when this is dropped.
    pub fn is_kept(&self) -> bool {
        self.keep
    }

    /// Sets whether the file stays when this is dropped.
    pub fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }

    /// Gives the file, durably, the name that no later maker removes: see
    /// [`UnpublishedFile::kept_at`]. Dropping this still removes the file, unless it is kept.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) and its relatives if the file cannot be renamed or
    /// its directory cannot be synced.
    pub fn name_for_later(&mut self) -> Result<()> {
        let fail = |error| Error::io("rename", error);
        let kept_at = Self::kept_at(&self.path, &self.number);
        if self.made_at != kept_at {
            os::replace(&self.made_at, &kept_at).map_err(|error| fail(error).path(&kept_at))?;
            self.made_at = kept_at;
        }
        os::sync_directory(directory_of(&self.path))
            .map_err(|error| fail(error).path(&self.made_at))
    }

    /// Makes the file durable and moves it to its path. If that fails the file is removed, unless
    /// it is kept.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) if the path is taken and must
    /// not be replaced; [`ErrorKind::Io`](crate::ErrorKind::Io) and its relatives if the file
    /// cannot be synced or renamed.
    pub fn publish(mut self) -> Result<()> {
        let fail = |error| Error::io("finish", error).path(&self.path);
        os::sync_data(&self.file).map_err(fail)?;
        match self.replace {
            true => os::replace(&self.made_at, &self.path),
            false => rename_new(&self.made_at, &self.path),
        }
        .map_err(fail)?;
        self.keep = true;
        os::sync_directory(directory_of(&self.path)).map_err(fail)
    }
}

/// Renames `from` to `to`, unless `to` exists. If the file system has no single call for that, it
/// looks first.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match os::rename_new(from, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            if to.symlink_metadata().is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            os::replace(from, to)
        }
        renamed => renamed,
    }
}

/// The directory of `path`.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The start of the names under which a file for `path` is made.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!(".{}.", &name[..end])
}

/// Locks a new file, and returns whether it still has its name then. Without locks no file is taken
/// for a leftover.
fn is_held(file: &File, made_at: &Path) -> bool {
    match try_lock(file) {
        Ok(locked) => locked && os::is_at(file, made_at).unwrap_or(true),
        Err(_) => true,
    }
}

fn try_lock(file: &File) -> io::Result<bool> {
    os::try_lock_range(file, os::LOCKS_START, 1, LockKind::Exclusive)
}

/// Removes the leftovers of killed makers for `path`. Best effort: a leftover does no harm.
fn reclaim(path: &Path) {
    let start = format!("{}{MARK}", stem(path));
    for entry in fs::read_dir(directory_of(path)).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| is_number_of(name, &start)) {
            remove_if_left(&entry.path());
        }
    }
}

/// Whether `name` is `start` followed by a number.
fn is_number_of(name: &str, start: &str) -> bool {
    let number = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(ENDING));
    number.is_some_and(|number| {
        number.len() == DIGITS
            && number.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Removes the file at `made_at` if it belongs to this user alone and its maker is gone; a living
/// maker would hold its lock.
fn remove_if_left(made_at: &Path) {
    let is_ours = |found: &fs::Metadata| {
        found.is_file() && os::is_own(found, None) && !os::has_other_names(found)
    };
    if !made_at.symlink_metadata().is_ok_and(|found| is_ours(&found)) {
        return;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    no_follow(&mut options);
    let Ok(file) = options.open(made_at) else { return };
    let is_left = file.metadata().is_ok_and(|found| is_ours(&found))
        && matches!(try_lock(&file), Ok(true))
        && os::is_at(&file, made_at).unwrap_or(false);
    if is_left {
        // Under the lock: a maker that was about to lock the file tries another name.
        let _ = os::remove(made_at);
    }
}

impl Write for UnpublishedFile {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let len = self.file.write(from)?;
        if let Some(Written { len_bytes, begun_bytes }) = &mut self.written {
            *len_bytes += len as u64;
            let ready_bytes = *len_bytes - *begun_bytes;
            if ready_bytes >= WRITE_BACK_BYTES {
                os::begin_write_back(&self.file, *begun_bytes, ready_bytes);
                *begun_bytes = *len_bytes;
            }
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for UnpublishedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.written = None;
        self.file.seek(to)
    }
}

impl Drop for UnpublishedFile {
    fn drop(&mut self) {
        if !self.keep {
            // Best effort: the name shows that the file is temporary, and the next maker tries
            // again.
            let _ = os::remove(&self.made_at);
        }
    }
}
