//! What a path means on Windows beside its text: names of devices, streams of files, and the many
//! names of one file.

use std::ffi::OsStr;
use std::fs;
use std::os::windows::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf, Prefix};

/// `NUL`, `CON` and the like are devices in every directory. `a:b` is the stream `b` of the file
/// `a`, and no directory lists the streams beside it. Windows cuts dots and spaces off the end of a
/// name; the names of the files beside it would keep them.
pub(crate) fn why_no_file(path: &Path) -> Option<&'static str> {
    // `absolute` turns devices into `\\.\NUL` and gives `C:name` its directory.
    let full = std::path::absolute(path).ok()?;
    if let Some(Component::Prefix(prefix)) = full.components().next() {
        let is_drive = |name: &OsStr| matches!(name.as_encoded_bytes(), [_, b':']);
        if matches!(prefix.kind(), Prefix::DeviceNS(name) if !is_drive(name)) {
            return Some("the name of a device, not of a file");
        }
    }
    let name = full.file_name()?;
    if name.encode_wide().any(|unit| unit == u16::from(b':')) {
        return Some("a colon in the name makes it a stream of another file");
    }
    let is_cut = path.file_name().is_some_and(|given| given != name);
    is_cut.then_some("Windows cuts dots and spaces off the end of a name")
}

/// By the limit of all Windows file systems: 255 UTF-16 units a name. For a longer name the
/// system's errors differ.
pub(crate) fn has_room_for(path: &Path, suffix: &str) -> bool {
    const NAME_UNITS_MAX: usize = 255;
    path.file_name().is_none_or(|name| name.encode_wide().count() + suffix.len() <= NAME_UNITS_MAX)
}

/// Follows links and short names (`LONGNA~1.REC`): the lock file lies beside the file itself. If
/// the file does not exist, it follows only those of the directory. Hard links remain: no name of
/// the file ranks above the others.
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

/// Whether `path` is that of a descriptor whose file has no name: Windows has no such paths.
pub(crate) fn is_nameless(_path: &Path) -> bool {
    false
}

/// Ignores the case of ASCII letters. Other letters must match exactly; this is enough where the
/// system has given the name's spelling.
pub(crate) fn begins_with_name(name: &OsStr, own: &OsStr) -> bool {
    let (name, own) = (name.as_encoded_bytes(), own.as_encoded_bytes());
    name.get(..own.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(own))
}
