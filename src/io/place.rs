//! The place of a file: the path that the caller gave, and where that path led when the file was
//! opened.
//!
//! A path changes its meaning when the process changes its directory, or when a symbolic link or a
//! directory on the way changes. Errors show the path as given; operations by name, on the file or
//! beside it, use the real path.

use std::path::{Path, PathBuf};

/// A file's path in two forms.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    given: PathBuf,
    /// Absolute, and without symbolic links as far as the system can tell.
    real: PathBuf,
}

impl Place {
    /// The place of an existing file.
    pub(super) fn of(given: &Path) -> Self {
        Self { given: given.to_path_buf(), real: real(given) }
    }

    /// The place of a file without files beside it: its path as given.
    pub(crate) fn as_given(given: &Path) -> Self {
        Self { given: given.to_path_buf(), real: given.to_path_buf() }
    }

    /// The path for errors.
    pub(super) fn given(&self) -> &Path {
        &self.given
    }

    /// The path for everything else.
    pub(super) fn real(&self) -> &Path {
        &self.real
    }

    /// The directory of the file; `None` only for the root of a file system.
    pub(super) fn directory(&self) -> Option<&Path> {
        self.real.parent()
    }

    /// The directory as in the given path, for errors.
    pub(super) fn given_directory(&self) -> &Path {
        parent_directory(&self.given)
    }

    /// The place of the file beside this one with this suffix.
    pub(super) fn beside(&self, suffix: &str) -> Self {
        Self { given: side_path(&self.given, suffix), real: side_path(&self.real, suffix) }
    }

    /// The place of `given`, the new name of this file, which need not exist. A path to the same
    /// directory means the directory of this file, even after the process has changed its own.
    pub(super) fn renamed(&self, given: &Path) -> Self {
        let Some(name) = given.file_name() else { return Self::of(given) };
        let directory = if given.parent() == self.given.parent() {
            self.directory().map(Path::to_path_buf)
        } else {
            Some(real(parent_directory(given)))
        };
        let real = directory.map_or_else(|| given.to_path_buf(), |directory| directory.join(name));
        Self { given: given.to_path_buf(), real }
    }
}

/// The absolute path that a path leads to now.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_path_buf())
}

/// The directory that holds `path`; a bare name lies in the current one.
fn parent_directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The path of the file beside `data_path` with this suffix.
pub(crate) fn side_path(data_path: &Path, suffix: &str) -> PathBuf {
    let mut name = data_path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
