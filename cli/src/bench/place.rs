//! The folder of a run, which has all of its files and goes with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::output::shown;

/// A folder that is removed with what is in it.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
}

/// So many runs at a time may have folders of the same process's number, on different machines.
const TRIES: u32 = 100;

impl Place {
    /// Makes a folder in `dir`.
    pub(super) fn make(dir: &Path) -> Result<Self, Failure> {
        let failed = |what: &str, error: io::Error| {
            Failure::Message(format!("{what} {}: {error}", shown(dir)))
        };
        let dir = dir.canonicalize().map_err(|error| failed("open the folder", error))?;
        if !dir.is_dir() {
            return Err(Failure::Message(format!(
                "make files in {}: it is no folder (give one to --dir)",
                shown(&dir)
            )));
        }
        for number in 0..TRIES {
            let path = dir.join(format!("flatrec-bench-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("make a folder in", error)),
            }
        }
        let many = io::Error::other("folders of earlier runs have all names: remove them");
        Err(failed("make a folder in", many))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            let path = shown(&self.path);
            crate::failure::say(&format!("the files of the run stay: remove {path}: {error}"));
        }
    }
}
