//! Access to a new file: its owner, its group and its permissions, where the system has those.
//!
//! A file beside a store reveals what the store holds, so it must not be more accessible than the
//! store. On Unix it is created with mode 0600, and gets another owner or wider permissions only if
//! the store grants at least as much. On Windows, where the directory decides the access to a new
//! file, there is nothing to do.

mod trust;

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

pub(crate) use trust::{Distrust, distrust};

/// The owner, group and permissions of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permissions {
    #[cfg(unix)]
    owner: u32,
    #[cfg(unix)]
    group: u32,
    #[cfg(unix)]
    mode: u32,
}

impl Permissions {
    /// Those of the file.
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { owner: metadata.uid(), group: metadata.gid(), mode: metadata.mode() }
    }

    /// Nothing: on this system the directory decides.
    #[cfg(not(unix))]
    pub(crate) fn of(_metadata: &Metadata) -> Self {
        Self {}
    }
}

/// How a new file is shared with other users. By default like the process's own files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sharing {
    /// The file whose owner, group and permissions the new file gets, as far as possible.
    pub(crate) like: Option<Permissions>,
    /// A file that the new file is a copy of: the new file belongs to its maker, and grants no user
    /// more than the original does.
    pub(crate) copy_of: Option<Permissions>,
}

impl Sharing {
    /// Like the file at `path`, if it exists.
    pub(crate) fn like(path: &Path) -> Self {
        let like = std::fs::metadata(path).ok().filter(Metadata::is_file);
        Self { like: like.as_ref().map(Permissions::of), copy_of: None }
    }
}

/// Creates a file that did not exist, for reading and writing; never through a symbolic link.
///
/// # Errors
///
/// `AlreadyExists`, or another error of the system. A failure to share the file as asked is no
/// error: the file then stays more private.
pub(crate) fn create_new(path: &Path, sharing: &Sharing) -> io::Result<File> {
    let is_shared = sharing.like.is_some() || sharing.copy_of.is_some();
    let file = make(path, is_shared)?;
    if is_shared {
        share(&file, sharing);
    }
    Ok(file)
}

/// Creates a file that did not exist, with mode 0600 if `private`.
fn make(path: &Path, private: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    no_follow(&mut options);
    #[cfg(unix)]
    if private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = private;
    options.open(path)
}

/// Refuses a symbolic link, which could make this process open or create any file. A pipe that has
/// just replaced a file is opened without waiting for its other end, so that the caller can reject
/// it.
pub(crate) fn no_follow(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        // FILE_FLAG_OPEN_REPARSE_POINT: opens the link itself, so that the caller can reject it.
        options.custom_flags(0x0020_0000);
    }
}

/// Gives a new file of mode 0600 the owner and the group of `sharing` where possible, and then the
/// permissions that suit the owner and group it got.
#[cfg(unix)]
fn share(file: &File, sharing: &Sharing) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let Ok(made) = file.metadata() else { return };
    let Some(wanted) = sharing.like.or(sharing.copy_of) else { return };
    let owner = sharing.like.map(|like| like.owner).filter(|owner| *owner != made.uid());
    let group = Some(wanted.group).filter(|group| *group != made.gid());
    // Root can give a file to any user, others can give it to one of their groups. The code below
    // asks the file for the result: a file system may report success and do something else.
    let given = owner.is_some() && fchown(file, owner, group).is_ok();
    if !given && group.is_some() {
        let _ = fchown(file, None, group);
    }
    let Ok(made) = file.metadata() else { return };
    let made = Permissions::of(&made);
    let like = sharing.like.map_or(0o666, |like| like.admitted(&made));
    let copy_of = sharing.copy_of.map_or(0o666, |from| 0o600 | from.admitted(&made));
    // Best effort: if it fails, only the owner can use the file.
    let _ = file.set_permissions(std::fs::Permissions::from_mode(like & copy_of));
}

#[cfg(not(unix))]
fn share(_file: &File, _sharing: &Sharing) {}

/// Whether the process's user owns a file. Root gives a file that replaces another the owner of
/// that one, so for root the owner of `replaced` counts, too. Always true where files have no
/// owners.
pub(crate) fn is_own(found: &Metadata, replaced: Option<&Permissions>) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let user = rustix::process::geteuid();
        let given = |replaced: &Permissions| replaced.owner == found.uid();
        found.uid() == user.as_raw() || user.is_root() && replaced.is_some_and(given)
    }
    #[cfg(not(unix))]
    {
        let _ = (found, replaced);
        true
    }
}

/// Whether a file has several names, where the system tells that at once.
pub(crate) fn has_other_names(found: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::nlink(found) > 1
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        false
    }
}

/// Removes permissions of the group and the others that `like` does not grant, if the process owns
/// the file or is root and the file belongs to the owner of `like`: the store may have become more
/// private since. Adds nothing, and leaves files with several names alone.
pub(crate) fn narrow(file: &File, like: &Permissions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let Ok(found) = file.metadata() else { return };
        let excess = found.mode() & 0o066 & !like.admitted(&Permissions::of(&found));
        let process = rustix::process::geteuid();
        let is_ours =
            found.uid() == process.as_raw() || process.is_root() && found.uid() == like.owner;
        if is_ours && found.nlink() == 1 && excess != 0 {
            let narrowed = std::fs::Permissions::from_mode(found.mode() & 0o7777 & !excess);
            // Best effort: if it fails, the file stays as its owner made it.
            let _ = file.set_permissions(narrowed);
        }
    }
    #[cfg(not(unix))]
    let _ = (file, like);
}

#[cfg(unix)]
impl Permissions {
    /// The permission bits of a file with `other`'s owner and group that give no user except its
    /// owner more access than this file does.
    ///
    /// A user that owns neither file belongs to one class in each of them, so both classes must
    /// grant the access. If the groups differ, each class of the new file may contain people of
    /// each class of this one: this file may deny a group's members what it grants all others. If
    /// the owners differ, this file's owner belongs to one of those classes; the new file's owner
    /// is its maker, which has this file open for reading and writing.
    fn admitted(&self, other: &Self) -> u32 {
        let class = |shift: u32| self.mode >> shift & 0o6;
        let (mut owner, mut group, mut rest) = (class(6), class(3), class(0));
        if self.group != other.group {
            group &= rest;
            rest = group;
        }
        if self.owner != other.owner {
            group &= owner;
            rest &= owner;
            owner = 0o6;
        }
        owner << 6 | group << 3 | rest
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// What `user` of these groups may do with a file.
    fn granted(file: &Permissions, user: u32, groups: &[u32]) -> u32 {
        let shift = match () {
            () if user == file.owner => 6,
            () if groups.contains(&file.group) => 3,
            () => 0,
        };
        file.mode >> shift & 0o7
    }

    /// The mode before the new owner is known.
    #[test]
    fn a_file_to_share_is_created_private_to_its_maker() {
        use std::os::unix::fs::MetadataExt;
        let directory = tempfile::tempdir().unwrap();
        let made = make(&directory.path().join("made"), true).unwrap();
        assert_eq!(made.metadata().unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn only_the_maker_is_granted_more_than_by_the_data() {
        const MAKER: u32 = 1;
        let groups: [&[u32]; 4] = [&[], &[10], &[11], &[10, 11]];
        for mode in 0..=0o7777 {
            let data = Permissions { owner: 2, group: 10, mode };
            for (owner, group) in [(2, 10), (2, 11), (MAKER, 10), (MAKER, 11)] {
                let mut made = Permissions { owner, group, mode: 0 };
                made.mode = data.admitted(&made);
                assert_eq!(made.mode & !0o666, 0, "{data:?}, {made:?}");
                for (user, groups) in (2..5).flat_map(|user| groups.map(|of| (user, of))) {
                    let more = granted(&made, user, groups) & !granted(&data, user, groups);
                    assert_eq!(more, 0, "{data:?}, {made:?}, {user} of {groups:?}");
                }
            }
        }
    }

    #[test]
    fn the_file_grants_as_much_as_the_data_allows() {
        let data = |mode| Permissions { owner: 2, group: 10, mode };
        let made = |owner, group| Permissions { owner, group, mode: 0o600 };
        for (mode, owner, group, expected) in [
            (0o100664, 2, 10, 0o664),
            (0o100755, 2, 10, 0o644),
            (0o106660, 2, 10, 0o660),
            (0o100400, 2, 10, 0o400),
            (0o100664, 2, 11, 0o644),
            (0o100660, 2, 11, 0o600),
            (0o100604, 2, 11, 0o600),
            (0o100666, 2, 11, 0o666),
            (0o100664, 1, 10, 0o664),
            (0o100464, 1, 10, 0o644),
            (0o100600, 1, 11, 0o600),
        ] {
            let admitted = data(mode).admitted(&made(owner, group));
            assert_eq!(admitted, expected, "{mode:o} of {owner}:{group}: {admitted:o}");
        }
    }
}
