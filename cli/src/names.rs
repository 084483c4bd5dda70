//! The names that belong to a store. No command writes another file to one of them.
//!
//! A store `X` has several files: `X`, `X-lock`, `X-sum`, the segments `X-wal-N` of its log, and
//! `X-unfinished…`, in which makers of `X` work. Each output of a command is compared with the
//! names of the stores that the command reads or creates, and with those of every store in its own
//! directory: as a name, with links resolved, and as a file, because hard links and bind mounts
//! give a file several names.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::paths::{directory_of, is_same, made_at, refuse_same, starts_as_store};

/// The longest chain of symbolic links, as on Linux.
const LINKS_MAX: u32 = 40;

/// The first bytes of the parts of a store, and of a load's progress file.
const MAGICS: [&[u8]; 4] = [b"\x89FLATREC", b"\x89FLATWAL", SUM_MAGIC, b"flatrec unfinished load "];
/// The first bytes of every checksum file.
const SUM_MAGIC: &[u8] = b"\x89FLATSUM";
/// A lock file has its magic after 64 bytes that are only for locks.
const LOCK_MAGIC: &[u8] = b"\x89FLATLK";
const LOCK_MAGIC_OFFSET: usize = 64;

/// Whether `path` leads, or would lead, to the data file of `store` or to a file beside it.
pub(crate) fn is_of_store(path: &Path, store: &Path) -> bool {
    let to = resolved(path);
    let places = [made_at(store), resolved(store)];
    let is_there = path.exists();
    places.iter().any(|place| {
        let (directory, Some(own)) = (directory_of(place), place.file_name()) else { return false };
        let is_named = to.file_name().is_some_and(|name| is_name_of(name, own));
        is_named && is_same(directory_of(&to), directory)
            || is_there && has_file(directory, own, path)
    })
}

/// Refuses to write to a file of `stores`, or to a file that the command reads. `option` is the
/// option that names the output.
pub(crate) fn refuse<'p>(
    option: &str,
    path: &Path,
    stores: impl IntoIterator<Item = &'p Path>,
    read: impl IntoIterator<Item = &'p Path>,
) -> Result<(), Failure> {
    let of_store = stores.into_iter().any(|store| is_of_store(path, store));
    if of_store || read.into_iter().any(|other| is_same(path, other)) {
        let shown = path.display();
        return Err(Failure::Message(format!("{option}{shown} would overwrite that file")));
    }
    refuse_beside_store(option, path)
}

/// Refuses to copy the store `from` to `out`, if one has a name of the other.
pub(crate) fn refuse_copy(from: &Path, out: &Path) -> Result<(), Failure> {
    refuse_reading_of(from, out)?;
    if is_of_store(out, from) {
        return Err(beside("", out, from));
    }
    refuse_beside_store("", out)
}

/// Refuses an input under a name in which makers of the store `out` write.
pub(crate) fn refuse_reading_of(input: &Path, out: &Path) -> Result<(), Failure> {
    refuse_same(input, out)?;
    match is_of_store(input, out) {
        true => Err(Failure::Message(format!(
            "{} has the name of a file beside {}: a command cannot read and write one file \
             (rename it, or choose another store)",
            input.display(),
            out.display()
        ))),
        false => Ok(()),
    }
}

/// Refuses a name that belongs to any store in the same directory, whether the file exists or not.
pub(crate) fn refuse_beside_store(option: &str, path: &Path) -> Result<(), Failure> {
    for path in [made_at(path), resolved(path)] {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        for at in (1..name.len()).filter(|at| name.get(*at) == Some(&b'-')) {
            let (own, suffix) = name.split_at(at);
            let is_suffix = std::str::from_utf8(suffix).is_ok_and(|it| is_side_suffix(&folded(it)));
            let Some(store) = os_str(own).map(|own| path.with_file_name(own)) else { continue };
            // Opening a pipe would wait for a writer.
            if is_suffix && store.is_file() && starts_as_store(&store).is_ok_and(|is| is) {
                return Err(beside(option, &path, &store));
            }
        }
    }
    Ok(())
}

/// Refuses to replace a store, a part of one, or anything but a regular file.
pub(crate) fn refuse_replacing(option: &str, path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    match path.symlink_metadata() {
        Err(_) => return Ok(()),
        // A descriptor's name, such as /dev/stdout, or a link that another user made: writing to
        // its target would let that user choose the file.
        Ok(found) if found.is_symlink() => {
            return Err(Failure::Message(format!(
                "{option}{shown} is a symbolic link: --force does not replace it (name the file \
                 that it leads to, or choose another path)"
            )));
        }
        Ok(found) if !found.is_file() => {
            return Err(Failure::Message(format!(
                "{option}{shown} is not a regular file: --force does not replace it \
                 (choose another path)"
            )));
        }
        Ok(_) => {}
    }
    let begin = || -> io::Result<Vec<u8>> {
        let mut begin = Vec::new();
        let len = LOCK_MAGIC_OFFSET + LOCK_MAGIC.len();
        File::open(path)?.take(len as u64).read_to_end(&mut begin)?;
        Ok(begin)
    };
    let begin = begin().map_err(|error| Failure::Message(format!("open {shown}: {error}")))?;
    let is_lock = begin.get(LOCK_MAGIC_OFFSET..).is_some_and(|it| it.starts_with(LOCK_MAGIC));
    if !is_lock && !MAGICS.iter().any(|magic| begin.starts_with(magic)) {
        return Ok(());
    }
    Err(Failure::Message(format!(
        "{option}{shown} is a store or a part of one: --force does not replace it by another kind \
         of file (choose another path, or remove it first)"
    )))
}

fn beside(option: &str, path: &Path, store: &Path) -> Failure {
    Failure::Message(format!(
        "{option}{} has the name of a file beside the store {} (choose another path)",
        path.display(),
        store.display()
    ))
}

/// A part of a name, as a name.
#[cfg(unix)]
fn os_str(bytes: &[u8]) -> Option<&OsStr> {
    Some(std::os::unix::ffi::OsStrExt::from_bytes(bytes))
}

#[cfg(not(unix))]
fn os_str(bytes: &[u8]) -> Option<&OsStr> {
    std::str::from_utf8(bytes).ok().map(OsStr::new)
}

/// Whether one of the files of the store `own` in `directory` is the one at `path`.
fn has_file(directory: &Path, own: &OsStr, path: &Path) -> bool {
    // Without permission to list the directory, only names are compared.
    let mut entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.any(|entry| is_name_of(&entry.file_name(), own) && is_same(&entry.path(), path))
}

/// Whether `name` is the store's or that of a file beside it.
fn is_name_of(name: &OsStr, own: &OsStr) -> bool {
    let (name, own) = match cfg!(windows) {
        true => (folded(&name.to_string_lossy()), folded(&own.to_string_lossy())),
        false => {
            let rest = name.as_encoded_bytes().strip_prefix(own.as_encoded_bytes());
            return rest.and_then(|rest| std::str::from_utf8(rest).ok()).is_some_and(is_suffix);
        }
    };
    name.strip_prefix(&own).is_some_and(is_suffix)
}

/// Windows ignores the case of names.
fn folded(text: &str) -> String {
    if cfg!(windows) { text.to_uppercase().to_lowercase() } else { text.to_owned() }
}

fn is_suffix(suffix: &str) -> bool {
    suffix.is_empty() || is_side_suffix(suffix)
}

/// Whether a file beside a store has this suffix.
fn is_side_suffix(suffix: &str) -> bool {
    let unfinished = suffix.strip_prefix("-unfinished");
    let rest = unfinished.unwrap_or(suffix);
    let number = rest.strip_prefix("-wal-").unwrap_or_default();
    match rest {
        "-lock" | "-sum" | "-sum-unfinished" => true,
        "" | "-progress" | "-progress-new" => unfinished.is_some(),
        _ => !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// The path that `path` leads to, even if nothing is there yet.
fn resolved(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        if let Ok(real) = path.canonicalize() {
            return real;
        }
        match fs::read_link(&path) {
            Ok(to) => path = directory_of(&path).join(to),
            Err(_) => break,
        }
    }
    made_at(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_store_are_exactly_those_that_it_creates() {
        let beside = |name: &str| is_name_of(OsStr::new(name), OsStr::new("s.rec"));
        for own in ["", "-lock", "-sum", "-sum-unfinished", "-wal-1", "-wal-18446744073709551615"] {
            assert!(beside(&format!("s.rec{own}")), "{own}");
        }
        for own in ["", "-lock", "-sum", "-wal-7", "-progress", "-progress-new"] {
            assert!(beside(&format!("s.rec-unfinished{own}")), "{own}");
        }
        for other in ["s.re", "s.rec2", "s.rec-", "s.rec-wal-", "s.rec-wal-1b", "s.rec-progress"] {
            assert!(!beside(other), "{other}");
        }
    }
}
