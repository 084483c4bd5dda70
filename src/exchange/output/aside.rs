//! A file written beside its place and moved there when it is whole.
//!
//! While it is written it has a name that nothing else is given, `.NAME.flatrec-RANDOM.tmp`, and
//! its maker holds a lock on it. So a file of such a name without a lock was left by a maker that
//! was killed, and the next one of the same NAME removes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::os::{self, LockKind, Sharing, no_follow};

/// What stands between a file's name and the number in the name under which it is made.
const MARK: &str = ".flatrec-";
/// What such a name ends in.
const ENDING: &str = ".tmp";
/// Digits of the number.
const DIGITS: usize = 16;
/// Of a longer name this is the part that is kept, so that the whole is one that a file can have.
const NAME_BYTES_MAX: usize = 200;
/// Names that are tried, before something else must be wrong.
const ATTEMPTS_MAX: u32 = 100;

/// A file that appears at its path only when it is finished; dropped before, it leaves nothing.
#[derive(Debug)]
pub(super) struct AsideFile {
    file: File,
    aside: PathBuf,
    path: PathBuf,
    finished: bool,
}

impl AsideFile {
    /// Begins a file for `path`; one that may `replace` what is there is shared with others as that
    /// was. What makers of such a file left that were killed is removed.
    pub(super) fn create(path: &Path, replace: bool) -> Result<Self> {
        let fail = |error| Error::io("create", error).path(path);
        let sharing = if replace { Sharing::like(path) } else { Sharing::default() };
        let stem = stem(path);
        reclaim(path, &stem);
        let mut attempts = 0;
        loop {
            let id = os::random_id().map_err(fail)?;
            let number = u64::from_le_bytes(std::array::from_fn(|at| id[at]));
            let aside = path.with_file_name(format!("{stem}{number:016x}{ENDING}"));
            let file = os::create_new(&aside, &sharing).map_err(fail)?;
            if is_held(&file, &aside) {
                return Ok(Self { file, aside, path: path.to_path_buf(), finished: false });
            }
            // Another maker took it for one that was left, before it had its lock.
            attempts += 1;
            if attempts == ATTEMPTS_MAX {
                return Err(fail(io::ErrorKind::AlreadyExists.into()));
            }
        }
    }

    /// Writes over the file's first bytes.
    pub(super) fn rewrite_start(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .rewind()
            .and_then(|()| self.file.write_all(bytes))
            .map_err(|error| Error::io("write", error).path(&self.path))
    }

    /// Makes the file durable and moves it to its path, over what is there if `replace`.
    pub(super) fn finish(mut self, replace: bool) -> Result<()> {
        let fail = |error| Error::io("finish", error).path(&self.path);
        os::sync_data(&self.file).map_err(fail)?;
        if replace {
            os::replace(&self.aside, &self.path).map_err(fail)?;
        } else {
            os::rename_new(&self.aside, &self.path).map_err(fail)?;
        }
        self.finished = true;
        os::sync_directory(directory_of(&self.path)).map_err(fail)
    }
}

/// The directory that `path` lies in.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// With what the names begin under which a file for `path` is made.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!(".{}{MARK}", &name[..end])
}

/// Locks a file that was just made; whether it still has its name then. Where there are no locks
/// nothing is taken for what was left, either.
fn is_held(file: &File, aside: &Path) -> bool {
    match try_lock(file) {
        Ok(locked) => locked && os::is_at(file, aside).unwrap_or(true),
        Err(_) => true,
    }
}

fn try_lock(file: &File) -> io::Result<bool> {
    os::try_lock_range(file, os::LOCKS_START, 1, LockKind::Exclusive)
}

/// Removes the files that makers left that were killed. Best effort: one that stays is clutter.
fn reclaim(path: &Path, stem: &str) {
    let Ok(entries) = fs::read_dir(directory_of(path)) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| is_number_of(name, stem)) {
            remove_if_left(&entry.path());
        }
    }
}

/// Whether `name` is `stem` with a number behind it.
fn is_number_of(name: &str, stem: &str) -> bool {
    let number = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(ENDING));
    number.is_some_and(|number| {
        number.len() == DIGITS
            && number.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Removes the file at `aside` if its maker is gone, whose lock would have gone with it.
fn remove_if_left(aside: &Path) {
    if !aside.symlink_metadata().is_ok_and(|found| found.is_file()) {
        return;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    no_follow(&mut options);
    let Ok(file) = options.open(aside) else { return };
    let is_left = matches!(try_lock(&file), Ok(true)) && os::is_at(&file, aside).unwrap_or(false);
    if is_left {
        // Under the lock: a maker that was just about to take it tries another name.
        let _ = os::remove(aside);
    }
}

impl Write for AsideFile {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.file.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for AsideFile {
    fn drop(&mut self) {
        if !self.finished {
            // The name says that the file is temporary, and the next maker tries again.
            let _ = fs::remove_file(&self.aside);
        }
    }
}
