//! What a path means on Windows beside what it says: names of devices, streams of files, and the
//! many names of one file.

use std::ffi::OsStr;
use std::fs;
use std::os::windows::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf, Prefix};

/// `NUL`, `CON` and the like are devices, in whatever directory they are looked for. `a:b` is the
/// stream `b` of the file `a`, and no directory would list the streams beside it. Dots and spaces
/// are cut off at a name's end: what is added to it, for the files beside, would keep them.
pub(crate) fn why_no_file(path: &Path) -> Option<&'static str> {
    // Devices become `\\.\NUL` by that, and `C:name` gets its directory.
    let full = std::path::absolute(path).ok()?;
    if let Some(Component::Prefix(prefix)) = full.components().next() {
        let is_drive = |name: &OsStr| matches!(name.as_encoded_bytes(), [_, b':']);
        if matches!(prefix.kind(), Prefix::DeviceNS(name) if !is_drive(name)) {
            return Some("the name of a device, and not of a file");
        }
    }
    let name = full.file_name()?;
    if name.encode_wide().any(|unit| unit == u16::from(b':')) {
        return Some("a colon in a file's name makes it that of a stream in a file");
    }
    let is_cut = path.file_name().is_some_and(|given| given != name);
    is_cut.then_some("Windows cuts dots and spaces off the end of a name")
}

/// By the limit of all of Windows's file systems: 255 UTF-16 units a name. What the system says of
/// a longer one is not always that.
pub(crate) fn has_room_for(path: &Path, suffix: &str) -> bool {
    const NAME_UNITS_MAX: usize = 255;
    path.file_name().is_none_or(|name| name.encode_wide().count() + suffix.len() <= NAME_UNITS_MAX)
}

/// Links and short names (`LONGNA~1.REC`) are followed: the lock file lies beside the file itself.
/// Without a file only those of the directory are. Hard links remain, of which none is the file
/// more than the others.
pub(crate) fn agreed_path(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let full = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let directory = full.parent().and_then(|directory| fs::canonicalize(directory).ok());
        match (directory, full.file_name()) {
            (Some(directory), Some(name)) => directory.join(name),
            _ => full,
        }
    })
}

/// Whether `path` is that of a descriptor whose file has no name: there are no such paths here.
pub(crate) fn is_nameless(_path: &Path) -> bool {
    false
}

/// Upper and lower case are the same. Of other letters than those of ASCII that is not known here:
/// it does not matter where the system has said how the name is written.
pub(crate) fn begins_with_name(name: &OsStr, own: &OsStr) -> bool {
    let (name, own) = (name.as_encoded_bytes(), own.as_encoded_bytes());
    name.get(..own.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(own))
}
