//! Which files a command may write: never one that it reads, nor one that it must not replace.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use flatrec::map::FileBacking;

use crate::failure::Failure;

/// The first bytes of every store.
const MAGIC: &[u8; 8] = b"\x89FLATREC";

/// Whether both paths lead to one file, under any names and links, or would once it is created.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    match (identity(a), identity(b)) {
        (Some(a), Some(b)) => a == b,
        _ => is_same_name(&made_at(a), &made_at(b)),
    }
}

/// Windows ignores the case of names. If this takes two different names for one, nothing is
/// overwritten.
fn is_same_name(a: &Path, b: &Path) -> bool {
    let folded = |path: &Path| path.to_string_lossy().to_uppercase();
    a == b || cfg!(windows) && folded(a) == folded(b)
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<impl PartialEq> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<impl PartialEq> {
    path.canonicalize().ok()
}

/// The directory of `path`.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Makes the names of new and renamed files beside `path` durable; Windows does that by itself and
/// cannot sync a directory.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    match cfg!(windows) {
        true => Ok(()),
        false => File::open(directory_of(path))?.sync_all(),
    }
}

/// `path` with its directory resolved, to compare files that do not exist yet.
pub(crate) fn made_at(path: &Path) -> PathBuf {
    // On Windows this cuts dots and spaces off the name.
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (directory_of(&full).canonicalize(), full.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => full,
    }
}

/// `path` with `ending` after its name: the lock file of a store, and the like.
pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// Refuses to read and write one file.
pub(crate) fn refuse_same(input: &Path, output: &Path) -> Result<(), Failure> {
    match is_same(input, output) {
        true => Err(Failure::Message(format!(
            "{} is the same file as {}: a command cannot read and write one file",
            output.display(),
            input.display()
        ))),
        false => Ok(()),
    }
}

/// Refuses to replace a file at `path` unless it is a store.
pub(crate) fn refuse_other_than_store(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let is_store = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(found) if found.is_symlink() && path.is_file() => {
            return Err(Failure::Message(format!(
                "{shown} is a symbolic link: --force does not replace it (name the store that it \
                 leads to, or choose another path)"
            )));
        }
        // Opening a pipe would wait, and a dangling link is not a store.
        Ok(_) if path.is_file() => starts_as_store(path)
            .map_err(|error| Failure::Message(format!("open {shown}: {error}"))),
        Ok(_) => Ok(false),
        Err(error) => {
            // If no file can have such a name, the library says why.
            FileBacking::open(path, false)?;
            Err(Failure::Message(format!("open {shown}: {error}")))
        }
    }?;
    match is_store {
        true => Ok(()),
        false => Err(Failure::Message(format!(
            "{shown} is not a flatrec store, and --force replaces only stores (remove it yourself \
             if you want that)"
        ))),
    }
}

/// Whether there is a file at `path` that begins as a store does.
pub(crate) fn is_store(path: &Path) -> bool {
    path.is_file() && starts_as_store(path).unwrap_or(false)
}

pub(crate) fn starts_as_store(path: &Path) -> io::Result<bool> {
    let mut start = Vec::with_capacity(MAGIC.len());
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    Ok(start == MAGIC)
}
