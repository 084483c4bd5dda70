//! The files beside a data file: their names, and how they are opened.
//!
//! `X-wal-1`, `X-sum` and the like are the data file's in all but name: made with its permissions,
//! exclusively, and never through a symbolic link, which could lead anywhere.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::backing::OpenSide;
use super::file::parent_directory;
use crate::error::{Error, ErrorKind, Result};

/// The path of the file beside `data_path` that has this suffix.
pub(crate) fn path_of(data_path: &Path, suffix: &str) -> PathBuf {
    let mut name = data_path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens the file beside `data_path`; `None` if there is none and none is to be made.
pub(super) fn open(data_path: &Path, suffix: &str, how: OpenSide) -> Result<Option<File>> {
    let path = path_of(data_path, suffix);
    let mut options = OpenOptions::new();
    options.read(true).write(how != OpenSide::Read);
    no_follow(&mut options);
    if how == OpenSide::Create {
        let file = options
            .create_new(true)
            .open(&path)
            .map_err(|source| Error::io("create", source).path(&path))?;
        share_like(data_path, &file);
        return Ok(Some(file));
    }
    // Looked at first: opening a pipe would wait for somebody to write into it.
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return Err(Error::new(ErrorKind::InvalidArgument, "open")
            .path(path)
            .detail("a store's side file is a regular file, and this is none"));
    }
    match options.open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io("open", source).path(path)),
    }
}

/// The suffixes of what lies beside `data_path` under its name and more. Names that are no UTF-8
/// behind the data file's are none of ours.
pub(super) fn list(data_path: &Path) -> Result<Vec<String>> {
    let directory = parent_directory(data_path);
    let failed = |source| Error::io("list the directory", source).path(directory);
    let Some(own) = data_path.file_name() else { return Ok(Vec::new()) };
    let mut suffixes = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let rest = name.as_encoded_bytes().strip_prefix(own.as_encoded_bytes());
        match rest.map(std::str::from_utf8) {
            Some(Ok(suffix)) if !suffix.is_empty() => suffixes.push(suffix.to_owned()),
            _ => {}
        }
    }
    suffixes.sort();
    Ok(suffixes)
}

/// Removes the file beside `data_path`, if it is there.
pub(super) fn remove(data_path: &Path, suffix: &str) -> Result<()> {
    let path = path_of(data_path, suffix);
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", source).path(path))
        }
        _ => Ok(()),
    }
}

/// The error of who wants a file beside one without a name.
pub(super) fn nameless() -> Error {
    Error::new(ErrorKind::Unsupported, "make a file beside")
        .detail("a file without a name has no files beside it")
}

/// Gives a new side file the data file's permissions: whoever may use the one must be able to use
/// the other, and nobody else.
pub(super) fn share_like(data_path: &Path, side: &File) {
    if let Ok(data) = std::fs::metadata(data_path) {
        // Best effort: only Unix has permissions to give, and an owner may give only their own.
        let _ = side.set_permissions(data.permissions());
    }
}

/// Refuses a symbolic link in a side file's place, which could make us open or make any file.
pub(super) fn no_follow(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW);
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        // FILE_FLAG_OPEN_REPARSE_POINT: opens the link itself, which then is no file of ours.
        options.custom_flags(0x0020_0000);
    }
}
