//! What synced bytes survive on Linux, by what the system reports about the mount and the device.
//!
//! /proc/self/fdinfo names the mount that a file was opened in, /proc/self/mountinfo its mount
//! options (proc(5)), and /sys/dev/block the kind of device. What the system hides, such as a
//! container's upper layer from processes inside, is not claimed.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::file_system;
use crate::os::file_system::{FileSystemKind, Mount, Survives, device_by_name};

/// How many layers upon layers are followed.
const DEPTH_MAX: u32 = 8;

/// What bytes of this file survive once they are synced.
pub(crate) fn survives_synced(file: &File, kind: &FileSystemKind) -> Survives {
    of_file(file, kind, 0)
}

fn of_file(file: &File, kind: &FileSystemKind, depth: u32) -> Survives {
    let FileSystemKind::Local(name) = kind else { return Survives::Process };
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let table = String::from_utf8_lossy(&table);
    let mount = mount_id(file).and_then(|id| Mount::find(&table, &id));
    let (Some(mount), Ok(metadata)) = (mount, file.metadata()) else { return Survives::Process };
    let limit = mount.survives();
    if limit == Survives::Process || depth >= DEPTH_MAX {
        return Survives::Process;
    }
    let below = match &**name {
        "overlay" => match upper_file(file, &metadata, &mount) {
            Some(upper) => of_opened(&upper, depth),
            None => Survives::Process,
        },
        _ => of_mounted(&metadata, &mount, depth),
    };
    below.min(limit)
}

fn of_opened(file: &File, depth: u32) -> Survives {
    file_system(file).map_or(Survives::Process, |kind| of_file(file, &kind, depth + 1))
}

/// The mount that a file was opened in, by its number.
fn mount_id(file: &File) -> Option<String> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
    Some(id.trim().to_owned())
}

/// The file of the overlay's upper layer behind this one. The layer's path was written by the
/// process that mounted it and may mean another file here, so a file is accepted only if it has the
/// same identity.
fn upper_file(file: &File, metadata: &Metadata, mount: &Mount<'_>) -> Option<File> {
    let layer = path_of(mount.option("upperdir")?);
    let own = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let within = own.strip_prefix(path_of(mount.point)).ok()?;
    let root = path_of(mount.root);
    let found = layer.join(root.strip_prefix("/").ok()?).join(within);
    let upper = layer.is_absolute().then(|| File::open(found).ok()).flatten()?;
    let says = |metadata: &Metadata| {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        (metadata.len(), metadata.mode(), metadata.mtime(), metadata.mtime_nsec(), changed)
    };
    (says(&upper.metadata().ok()?) == says(metadata)).then_some(upper)
}

/// A path of the mount table, in which spaces and the like are octal numbers.
fn path_of(escaped: &str) -> PathBuf {
    let (mut bytes, mut rest) = (Vec::new(), escaped.as_bytes());
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let octal = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal.filter(|_| byte == b'\\') {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &after[3..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// What bytes survive on the device that the file system names for its files, or was mounted from.
fn of_mounted(metadata: &Metadata, mount: &Mount<'_>, depth: u32) -> Survives {
    let mut device = metadata.dev();
    if rustix::fs::major(device) == 0 {
        // One of several devices (btrfs), or no device (zfs).
        let source = fs::metadata(path_of(mount.source)).map(|source| source.rdev());
        match source {
            Ok(source) if source != 0 => device = source,
            _ => return Survives::Power,
        }
    }
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    // A device that sysfs does not know is still a device that confirms its flushes.
    fs::canonicalize(format!("/sys/dev/block/{major}:{minor}"))
        .map_or(Survives::Power, |folder| of_device(&folder, depth))
}

/// What bytes survive on a device, given its folder in sysfs, and on the devices below it.
fn of_device(folder: &Path, depth: u32) -> Survives {
    if depth >= DEPTH_MAX {
        return Survives::Process;
    }
    let folder = match folder.parent() {
        Some(whole) if folder.join("partition").exists() => whole,
        _ => folder,
    };
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let own = device_by_name(&name).unwrap_or_else(|| {
        // A loop device: its bytes are a file's.
        let file = fs::read(folder.join("loop/backing_file")).unwrap_or_default();
        let path = PathBuf::from(OsString::from_vec(file.trim_ascii_end().to_vec()));
        File::open(path).map_or(Survives::Process, |file| of_opened(&file, depth))
    });
    let parts = fs::read_dir(folder.join("slaves")).into_iter().flatten().flatten();
    parts.fold(own, |survives, part| {
        let part = fs::canonicalize(part.path());
        survives.min(part.map_or(Survives::Process, |part| of_device(&part, depth + 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_mount_table_are_read() {
        for (escaped, path) in [("/a", "/a"), (r"/far\040away", "/far away"), (r"/a\", r"/a\")] {
            assert_eq!(path_of(escaped), Path::new(path));
        }
    }

    /// Folders like those of sysfs: a test cannot create such devices.
    #[test]
    fn a_device_survives_what_its_parent_and_parts_survive() {
        let sys = tempfile::tempdir().unwrap();
        let made = |name: &str, is_part: bool, parts: &[&str]| {
            let folder = sys.path().join(name);
            fs::create_dir_all(folder.join("slaves")).unwrap();
            if is_part {
                fs::write(folder.join("partition"), "1\n").unwrap();
            }
            for part in parts {
                let to = sys.path().join(part);
                let name = Path::new(part).file_name().unwrap();
                std::os::unix::fs::symlink(to, folder.join("slaves").join(name)).unwrap();
            }
        };
        made("sda", false, &[]);
        made("sda/sda1", true, &[]);
        made("nullb0", false, &[]);
        made("nullb0/nullb0p1", true, &[]);
        made("dm-0", false, &["sda/sda1"]);
        made("dm-1", false, &["sda/sda1", "nullb0/nullb0p1"]);
        made("dm-2", false, &["dm-1"]);
        made("dm-3", false, &["dm-3"]);
        made("dm-4", false, &["gone"]);
        for (name, survives) in [
            ("sda", Survives::Power),
            ("sda/sda1", Survives::Power),
            ("nullb0/nullb0p1", Survives::Process),
            ("dm-0", Survives::Power),
            ("dm-1", Survives::Process),
            ("dm-2", Survives::Process),
            ("dm-3", Survives::Process),
            ("dm-4", Survives::Process),
        ] {
            assert_eq!(of_device(&sys.path().join(name), 0), survives, "{name}");
        }
    }
}
