//! Files that a command has left for itself. A command trusts or removes one only if no other user
//! can have put it there.
//!
//! In a directory like `/tmp` every user can make a file of any name. So the command opens the file
//! without following a link or waiting for a pipe, asks the open file, and accepts only a regular
//! file of its own user with one name.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// The kind of file at a path.
pub(crate) enum Found {
    Nothing,
    /// A file of this user, opened as asked.
    Own(File),
    /// Another file, and why it is not trusted.
    Foreign(&'static str),
}

/// Opens the file at `path` with `options`, if it belongs to this user.
pub(crate) fn look(path: &Path, options: &mut OpenOptions) -> io::Result<Found> {
    // Before the open, which fails with a less helpful error on another user's private file.
    let found = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        found => found?,
    };
    if let Some(why) = why_foreign(&found) {
        return Ok(Found::Foreign(why));
    }
    no_follow(options);
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        opened => opened?,
    };
    Ok(match why_foreign(&file.metadata()?) {
        Some(why) => Found::Foreign(why),
        None => Found::Own(file),
    })
}

/// Whether no other user can have written into the file.
pub(crate) fn is_private(file: &File) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        Ok(file.metadata()?.mode() & 0o022 == 0)
    }
    #[cfg(not(unix))]
    file.metadata().map(|_| true)
}

/// Removes the name `path`, if it is still that of `file`.
pub(crate) fn remove(path: &Path, file: File) -> io::Result<()> {
    if !is_at(path, &file)? {
        return Ok(());
    }
    // Windows keeps the name while the file is open.
    drop(file);
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether `path` is a name of `file`.
#[cfg(unix)]
pub(crate) fn is_at(path: &Path, file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let (named, open) = (path.symlink_metadata()?, file.metadata()?);
    Ok((named.dev(), named.ino()) == (open.dev(), open.ino()))
}

/// Whether a file exists at `path`, which is probably `file`.
#[cfg(not(unix))]
pub(crate) fn is_at(path: &Path, _file: &File) -> io::Result<bool> {
    path.symlink_metadata().map(|named| named.is_file())
}

/// Why a command of this user cannot have left the file; `None` if it can.
fn why_foreign(found: &Metadata) -> Option<&'static str> {
    if found.is_symlink() {
        return Some("it is a symbolic link");
    }
    if !found.is_file() {
        return Some("it is not a regular file");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Some("it belongs to another user");
        }
        if found.nlink() > 1 {
            return Some("it has a second name, a hard link");
        }
    }
    None
}

fn no_follow(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;
        // FILE_FLAG_OPEN_REPARSE_POINT: opens the link itself, which is not a regular file.
        options.custom_flags(0x0020_0000);
    }
}
