//! Whose a file in a checksum file's place is: what is not ours is not removed.

use super::SUM_SUFFIX;
use crate::error::{Error, ErrorKind, Result};
use crate::format::SUM_MAGIC;
use crate::io::{Backing, OpenSide};

/// Whether what lies where a checksum file would be is one, be it damaged or another store's, or
/// was to become one when its maker died; `None` if nothing does.
///
/// # Errors
/// The system's.
pub(crate) fn is_sum_file(data: &dyn Backing) -> Result<Option<bool>> {
    let Some(side) = data.open_side(SUM_SUFFIX, OpenSide::Read)? else { return Ok(None) };
    is_ours(&*side).map(Some)
}

/// Removes a checksum file with that suffix, or the beginnings of one, if there is one.
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

/// Whether a file in a checksum file's place is nobody else's: it begins like one, or is one whose
/// first bytes never reached the disk.
///
/// # Errors
/// The system's.
pub(crate) fn is_ours(side: &dyn Backing) -> Result<bool> {
    let mut start = vec![0; BLANK_BYTES_MAX];
    let got = side.read_at(0, &mut start)?;
    let blank = got < BLANK_BYTES_MAX && start[..got].iter().all(|&byte| byte == 0);
    Ok(start[..got].starts_with(&SUM_MAGIC) || blank)
}

/// No file of zeros that is longer was left by a maker of checksums that died.
const BLANK_BYTES_MAX: usize = 64 << 10;
