//! Tells checksum files from other files with their name, which must not be removed.

use super::SUM_SUFFIX;
use crate::error::{Error, ErrorKind, Result};
use crate::format::SUM_MAGIC;
use crate::io::{Backing, OpenSide};

/// Whether the file in the place of a checksum file is one: also a damaged one, one of another
/// store, or an unfinished one. `None` if there is no file.
///
/// # Errors
/// [`ErrorKind::Io`] if the operating system reports an error.
pub(crate) fn is_sum_file(data: &dyn Backing) -> Result<Option<bool>> {
    let Some(side) = data.open_side(SUM_SUFFIX, OpenSide::Read)? else { return Ok(None) };
    is_ours(&*side).map(Some)
}

/// Removes a whole or unfinished checksum file with that suffix, if there is one.
pub(super) fn vacate(data: &dyn Backing, suffix: &str) -> Result<()> {
    let Some(side) = data.open_side(suffix, OpenSide::Read)? else { return Ok(()) };
    if is_ours(&*side)? {
        drop(side);
        return data.remove_side(suffix);
    }
    let error = Error::new(ErrorKind::AlreadyExists, "make a checksum file at")
        .detail("a file that is not a checksum file already has this name")
        .advice("rename that file, or do without checksums");
    Err(match side.path() {
        Some(path) => error.path(path),
        None => error,
    })
}

/// Whether this is a checksum file: it begins like one, or is a short file of zeros, whose first
/// bytes never reached the disk.
///
/// # Errors
/// [`ErrorKind::Io`] if the operating system reports an error.
pub(crate) fn is_ours(side: &dyn Backing) -> Result<bool> {
    let mut start = vec![0; BLANK_BYTES_MAX];
    let got = side.read_at(0, &mut start)?;
    let blank = got < BLANK_BYTES_MAX && start[..got].iter().all(|&byte| byte == 0);
    Ok(start[..got].starts_with(&SUM_MAGIC) || blank)
}

/// An unfinished checksum file of zeros is shorter than this.
const BLANK_BYTES_MAX: usize = 64 << 10;
