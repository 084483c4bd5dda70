//! `--metadata FILE`: bytes of the user's own in a store.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::failure::Failure;

/// The longest that the command puts into a store.
const BYTES_MAX: u64 = 64 << 20;

/// The bytes of the file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let named = |why: &dyn std::fmt::Display| {
        Failure::Message(format!("--metadata {}: {why}", path.display()))
    };
    let file = File::open(path).map_err(|error| named(&error))?;
    let mut bytes = Vec::new();
    // A device with that name may have no end.
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| named(&error))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(named(&format!("it is longer than {} MiB", BYTES_MAX >> 20)));
    }
    Ok(bytes)
}
