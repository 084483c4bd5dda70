//! The kind of a file by its first bytes: a store, a lock file, or another file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::place::side_path;
use crate::os;

/// Both slots of a store's header begin with these bytes.
pub(crate) const STORE_MAGIC: [u8; 8] = *b"\x89FLATREC";
/// The offset of the second slot.
pub(crate) const SECOND_SLOT: u64 = 4096;

/// The suffix of the lock file's name after the data file's.
pub(crate) const LOCK_SUFFIX: &str = "-lock";

/// The words of every version of a lock file begin with these bytes.
const LOCK_MAGIC: &[u8] = b"\x89FLATLK";
/// The offset of the magic; only locks lie before it.
const LOCK_MAGIC_START: usize = 64;

/// The path of the lock file of the data file at `data_path`.
pub(crate) fn lock_path(data_path: &Path) -> PathBuf {
    side_path(&os::agreed_path(data_path), LOCK_SUFFIX)
}

/// The kind of a file that programs must not write as bytes; `None` for any other file.
pub(super) fn why_refused(file: &File) -> io::Result<Option<&'static str>> {
    let mut front = [0; 128];
    let got = os::read_at(file, 0, &mut front)?;
    let mut second = [0; STORE_MAGIC.len()];
    let more = if got == front.len() { os::read_at(file, SECOND_SLOT, &mut second)? } else { 0 };
    let is_store = front[..got].starts_with(&STORE_MAGIC) || second[..more] == STORE_MAGIC;
    Ok(match is_store {
        true => Some("a store"),
        false if begins_like_a_lock_file(&front[..got]) => Some("the lock file of a store"),
        false => None,
    })
}

/// Whether these first bytes are those of a lock file that a writer has used.
pub(crate) fn begins_like_a_lock_file(front: &[u8]) -> bool {
    let (locks, words) = front.split_at(front.len().min(LOCK_MAGIC_START));
    locks.iter().all(|&byte| byte == 0) && words.starts_with(LOCK_MAGIC)
}
