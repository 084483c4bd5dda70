//! The file of rows that did not fit: written aside, and published when the load has succeeded.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use flatrec::exchange::{Reject, RejectWriter};

use crate::failure::Failure;
use crate::paths::{is_same, with_ending};

/// Names that are tried for the file aside, before something else must be wrong.
const ATTEMPTS_MAX: u32 = 100;

/// Rows that do not fit, on their way into a file.
pub(crate) struct Rejects {
    out: RejectWriter<BufWriter<File>>,
    /// None for a device or pipe, which is written as it is.
    aside: Option<Aside>,
}

/// A file beside its place, removed when dropped.
pub(crate) struct Aside {
    made_at: PathBuf,
    path: PathBuf,
    replace: bool,
    keep: bool,
}

impl Rejects {
    /// Makes a file aside that will be `path`; which may be none of `read`, nor the store or a
    /// file of its making, nor exist unless `replace` says so.
    pub(crate) fn create<'p>(
        path: &Path,
        read: impl IntoIterator<Item = &'p Path>,
        store: &Path,
        replace: bool,
    ) -> Result<Self, Failure> {
        let shown = path.display();
        let taken = ["", "-lock", "-sum", "-unfinished", "-unfinished-sum"]
            .map(|ending| with_ending(store, ending));
        let in_use = |other: &Path| is_same(path, other);
        if read.into_iter().any(in_use) || taken.iter().any(|other| in_use(other)) {
            return Err(Failure::Message(format!("--rejects {shown} would overwrite that file")));
        }
        let named = |error| Failure::Message(format!("create {shown}: {error}"));
        let (file, aside) = match path.symlink_metadata() {
            Ok(_) if path.exists() && !path.is_file() => {
                (OpenOptions::new().write(true).open(path).map_err(named)?, None)
            }
            Ok(_) if !replace => {
                return Err(Failure::Message(format!(
                    "--rejects {shown} exists already (name another file, or remove it; load \
                     --force replaces it)"
                )));
            }
            _ => create_aside(path, replace)
                .map(|(file, aside)| (file, Some(aside)))
                .map_err(named)?,
        };
        Ok(Self { out: RejectWriter::new(BufWriter::new(file))?, aside })
    }

    pub(crate) fn write(&mut self, reject: &Reject<'_>) -> flatrec::Result<()> {
        self.out.write(reject)
    }

    /// Makes sure that all of them are written; the file still has to get its name.
    pub(crate) fn finish(self) -> Result<Option<Aside>, Failure> {
        let Self { out, aside } = self;
        let file =
            out.finish()?.into_inner().map_err(|error| Failure::Message(error.to_string()))?;
        let Some(aside) = aside else { return Ok(None) };
        file.sync_data().map_err(|error| {
            Failure::Message(format!("write {}: {error}", aside.path.display()))
        })?;
        Ok(Some(aside))
    }
}

impl Aside {
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

/// A new file beside `path`, under a name that nobody has.
pub(crate) fn create_aside(path: &Path, replace: bool) -> io::Result<(File, Aside)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let process = std::process::id();
    let mut attempt = 0;
    loop {
        let made_at = path.with_file_name(format!(".{name}.{process}-{attempt}.tmp"));
        match OpenOptions::new().write(true).create_new(true).open(&made_at) {
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS_MAX =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
            Ok(file) => {
                return Ok((file, Aside { made_at, path: path.into(), replace, keep: false }));
            }
        }
    }
}
