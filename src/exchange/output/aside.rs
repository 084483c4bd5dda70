//! A file written beside its place and moved there when it is whole.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::os::{self, Sharing};

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
    /// was.
    pub(super) fn create(path: &Path, replace: bool) -> Result<Self> {
        let sharing = if replace { Sharing::like(path) } else { Sharing::default() };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let id = os::random_id().map_err(|error| Error::io("create", error).path(path))?;
        let number = u64::from_le_bytes(std::array::from_fn(|at| id[at]));
        let aside = path.with_file_name(format!(".{name}.{number:016x}.tmp"));
        let file = os::create_new(&aside, &sharing)
            .map_err(|error| Error::io("create", error).path(path))?;
        Ok(Self { file, aside, path: path.to_path_buf(), finished: false })
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
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        os::sync_directory(directory).map_err(fail)
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
            // Nobody is left to hear of a failure; the name says that the file is temporary.
            let _ = fs::remove_file(&self.aside);
        }
    }
}
