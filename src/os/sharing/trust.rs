//! Whether a file beside a data file is trusted: only if no user without write access to the data
//! can have put it there or can write it.
//!
//! The system tells the owner and the group of a file, and what each class may do. Only a name
//! service tells the members of a group, but a file's group gives some evidence. A user gives a
//! file only to a group of their own (chown(2)), and a new file gets its maker's group, or the
//! directory's, as the directory and the mount say (open(2)). So a file whose group differs from
//! the directory's belongs to a member of that group. In a directory that only its owner and that
//! group may write, every file belongs to them.
//!
//! Trusted are files of the process's user, of root and of the data's owner; files of members of
//! the data's group, if the group may write the data; and all files, if everybody may write the
//! data.
//! the data's group, if the group may write the data; and everybody's, if everybody may.

use std::fs::Metadata;
use std::path::Path;

use super::Permissions;

/// A reason not to trust a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code, reason = "the directory controls access to its files"))]
pub(crate) enum Distrust {
    /// This user owns the file but may not write the data.
    Owner(u32),
    /// The file has these permissions, which let users use it that may not use the data.
    Open(u32),
}

/// Why a file in `directory` beside data with these permissions is not trusted; `None` if it is
/// trusted. Where files have no owners, the directory controls them.
pub(crate) fn distrust(side: &Metadata, data: &Permissions, directory: &Path) -> Option<Distrust> {
    #[cfg(unix)]
    {
        let here = || std::fs::metadata(directory).ok().map(|found| Permissions::of(&found));
        data.distrusts(&Permissions::of(side), here, rustix::process::geteuid().as_raw())
    }
    #[cfg(not(unix))]
    {
        let _ = (side, data, directory);
        None
    }
}

#[cfg(unix)]
impl Permissions {
    /// Why data with these permissions does not trust a file with those of `side`.
    fn distrusts(
        &self,
        side: &Self,
        directory: impl FnOnce() -> Option<Self>,
        process: u32,
    ) -> Option<Distrust> {
        const ROOT: u32 = 0;
        let is_known = [process, ROOT, self.owner].contains(&side.owner);
        if !is_known && !self.is_for_everybody() && !self.is_members(side, directory) {
            return Some(Distrust::Owner(side.owner));
        }
        let excess = side.mode & 0o066 & !self.admitted(side);
        (excess != 0).then_some(Distrust::Open(side.mode & 0o777))
    }

    fn is_for_everybody(&self) -> bool {
        self.mode & 0o022 == 0o022
    }

    /// Whether the file surely belongs to a member of the data's group, which may write the data.
    fn is_members(&self, side: &Self, directory: impl FnOnce() -> Option<Self>) -> bool {
        if self.mode & 0o020 == 0 || side.group != self.group {
            return false;
        }
        directory().is_some_and(|directory| {
            let is_closed = directory.mode & 0o002 == 0;
            if directory.group == self.group { is_closed } else { directory.mode & 0o2000 == 0 }
        })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const ME: u32 = 1;
    const OWNER: u32 = 2;
    const OTHER: u32 = 3;
    const GROUP: u32 = 10;

    fn of(owner: u32, group: u32, mode: u32) -> Permissions {
        Permissions { owner, group, mode }
    }

    #[test]
    fn only_files_of_users_that_may_write_the_data_are_trusted() {
        let private = of(0, 0, 0o755);
        let sticky = of(0, 0, 0o1777);
        let shared = of(0, GROUP, 0o2770);
        let shared_sticky = of(0, GROUP, 0o1777);
        for (data, owner, group, directory, believed) in [
            (0o600, ME, 99, sticky, true),
            (0o600, 0, 0, sticky, true),
            (0o600, OWNER, GROUP, sticky, true),
            (0o600, OTHER, GROUP, sticky, false),
            (0o644, OTHER, GROUP, sticky, false),
            (0o640, OTHER, GROUP, shared, false),
            // Not the directory's group, so the owner is a member of it.
            (0o660, OTHER, GROUP, sticky, true),
            (0o660, OTHER, 99, sticky, false),
            (0o660, OTHER, GROUP, private, true),
            // Perhaps the directory's group: every file made there gets it.
            (0o660, OTHER, GROUP, shared_sticky, false),
            (0o660, OTHER, GROUP, of(0, GROUP, 0o3777), false),
            (0o660, OTHER, GROUP, shared, true),
            (0o666, OTHER, 99, sticky, true),
            (0o646, OTHER, 99, sticky, false),
        ] {
            let side = of(owner, group, 0o600);
            let found = of(OWNER, GROUP, data).distrusts(&side, || Some(directory), ME);
            let expected = (!believed).then_some(Distrust::Owner(owner));
            assert_eq!(found, expected, "data {data:o}: {side:?} in {directory:?}");
        }
    }

    #[test]
    fn a_file_more_open_than_the_data_is_not_trusted() {
        for (data, side, believed) in [
            (0o600, of(OWNER, GROUP, 0o600), true),
            (0o600, of(OWNER, GROUP, 0o640), false),
            (0o640, of(OWNER, GROUP, 0o660), false),
            (0o664, of(OWNER, GROUP, 0o664), true),
            (0o664, of(OWNER, 11, 0o664), false),
            (0o664, of(OWNER, 11, 0o644), true),
            (0o644, of(OWNER, GROUP, 0o755), true),
            // The owner's own permissions do not matter to others.
            (0o400, of(OWNER, GROUP, 0o600), true),
            (0o600, of(ME, GROUP, 0o602), false),
        ] {
            let found = of(OWNER, GROUP, data).distrusts(&side, || None, ME);
            let expected = (!believed).then_some(Distrust::Open(side.mode));
            assert_eq!(found, expected, "data {data:o}: {side:?}");
        }
    }
}
