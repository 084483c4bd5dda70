//! Which file system a file lies on, as far as the database needs to know.
//!
//! Two questions matter. Can another machine change the file behind this kernel's page cache? Then
//! mapped views are not coherent, and the database refuses to write. Does a preallocated block stay
//! with the file? Then a store through a view cannot meet a full disk. The tables are pure
//! functions of what the system reports, so that each entry can be tested anywhere.

use std::borrow::Cow;
use std::fmt;

/// The kind of file system that a file lies on, with the system's name for it.
///
/// ```
/// use flatrec::FileSystemKind;
/// let kind = FileSystemKind::Network("nfs".into());
/// assert!(kind.is_network());
/// assert_eq!(kind.to_string(), "nfs (network)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileSystemKind {
    /// On a device of this machine.
    Local(Cow<'static, str>),
    /// In this machine's memory: fast, and lost at the next boot.
    Memory(Cow<'static, str>),
    /// Shared with other machines, or with the host of a virtual machine: views of this machine
    /// show their writes late or never.
    Network(Cow<'static, str>),
    /// Not known to this version.
    Unknown(Cow<'static, str>),
}

impl FileSystemKind {
    /// The file system's name, such as `ext4` or `nfs`; a hexadecimal number if only that is known.
    pub fn name(&self) -> &str {
        match self {
            Self::Local(name) | Self::Memory(name) | Self::Network(name) | Self::Unknown(name) => {
                name
            }
        }
    }

    /// Whether another machine can change the file behind this one's views.
    pub fn is_network(&self) -> bool {
        matches!(self, Self::Network(_))
    }
}

impl fmt::Display for FileSystemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Local(_) => "local",
            Self::Memory(_) => "memory",
            Self::Network(_) => "network",
            Self::Unknown(_) => "unknown",
        };
        write!(f, "{} ({kind})", self.name())
    }
}

/// Whether a preallocated or written block is sure to take the next store.
///
/// On a copy-on-write file system every write needs a new block. A preallocated file can still meet
/// a full disk there, and through a view that is a signal. Only file systems known to write in
/// place are trusted; an overlay's upper layer, FUSE and unknown ones are not. (This function
/// cannot know of files that share blocks with a copy, by `cp --reflink` on xfs.)
pub(crate) fn preallocation_binds(kind: &FileSystemKind) -> bool {
    match kind {
        FileSystemKind::Memory(_) => true,
        FileSystemKind::Local(name) => IN_PLACE.contains(&&**name),
        FileSystemKind::Network(_) | FileSystemKind::Unknown(_) => false,
    }
}

/// Whether a file system lays one directory over another, and copies a file to the upper one when a
/// program opens it for writing. Views of a handle that was opened before keep showing the lower
/// file, but file calls on that handle go to the upper one.
pub(crate) fn copies_up(kind: &FileSystemKind) -> bool {
    ["overlay", "fuse.fuse-overlayfs"].contains(&kind.name())
}

/// Local file systems that overwrite a block where it is.
const IN_PLACE: &[&str] =
    &["ext2/3/4", "xfs", "jfs", "f2fs", "vfat", "fat", "fat32", "exfat", "ntfs", "hfs"];

/// The kind behind the number that Linux's `statfs` reports in `f_type`.
///
/// `None` for FUSE, whose number does not tell the server: ask [`kind_of_type_name`].
#[cfg(any(target_os = "linux", test))]
pub(super) fn kind_of_magic(magic: u32) -> Option<FileSystemKind> {
    use FileSystemKind::{Local, Memory, Network, Unknown};
    let kind = match magic {
        FUSE_MAGIC => return None,

        0x0102_1994 => Memory("tmpfs".into()),
        0x8584_58f6 => Memory("ramfs".into()),
        0x9584_58f6 => Memory("hugetlbfs".into()),

        0x0000_ef53 => Local("ext2/3/4".into()),
        0x5846_5342 => Local("xfs".into()),
        0x9123_683e => Local("btrfs".into()),
        0x2fc1_2fc1 => Local("zfs".into()),
        0xca45_1a4e => Local("bcachefs".into()),
        0xf2f5_2010 => Local("f2fs".into()),
        0x794c_7630 => Local("overlay".into()),
        0x3153_464a => Local("jfs".into()),
        0x5265_4973 => Local("reiserfs".into()),
        0x0000_3434 => Local("nilfs2".into()),
        0x5346_544e | 0x7366_746e => Local("ntfs".into()),
        0x2011_bab0 => Local("exfat".into()),
        0x0000_4d44 => Local("vfat".into()),
        0x0000_482b | 0x0000_4858 => Local("hfs".into()),
        0x1501_3346 => Local("udf".into()),
        0x0000_9660 => Local("iso9660".into()),
        0x7371_7368 => Local("squashfs".into()),
        0xe0f5_e1e2 => Local("erofs".into()),
        0x0000_f15f => Local("ecryptfs".into()),
        0x2405_1905 => Local("ubifs".into()),

        0x0000_6969 => Network("nfs".into()),
        0xff53_4d42 | 0x0000_517b | 0xfe53_4d42 => Network("smb".into()),
        0x00c3_6400 => Network("ceph".into()),
        0x0bd0_0bd0 => Network("lustre".into()),
        0x4750_4653 => Network("gpfs".into()),
        0x5346_414f | 0x6b41_4653 => Network("afs".into()),
        0x7375_7245 => Network("coda".into()),
        0x0000_564c => Network("ncp".into()),
        0x0116_1970 => Network("gfs2".into()),
        0x7461_636f => Network("ocfs2".into()),
        0x1983_0326 => Network("beegfs".into()),
        0xaad7_aaea => Network("panfs".into()),
        0x2003_0528 => Network("orangefs".into()),
        0x0131_11a8 => Network("ibrix".into()),
        0xbeef_dead => Network("snfs".into()),
        0x6163_6673 => Network("acfs".into()),
        // Folders of a virtual machine's host; the host writes them too.
        0x0102_1997 => Network("9p".into()),
        0x786f_4256 => Network("vboxsf".into()),
        0xbacb_acbc => Network("vmhgfs".into()),
        0x7c7c_6673 => Network("prl_fs".into()),

        other => Unknown(format!("{other:#x}").into()),
    };
    Some(kind)
}

/// `f_type` of every FUSE file system, local or not.
#[cfg(any(target_os = "linux", test))]
const FUSE_MAGIC: u32 = 0x6573_5546;

/// The kind behind the type that a mount table names: `fuse.sshfs`, `fuseblk`, `virtiofs`, `apfs`.
#[cfg(any(unix, test))]
pub(super) fn kind_of_type_name(name: &str) -> FileSystemKind {
    #[rustfmt::skip]
    const NETWORK: &[&str] = &[
        "9p", "afpfs", "beegfs", "blobfuse", "blobfuse2", "ceph", "ceph-fuse", "cifs",
        "curlftpfs", "cvmfs2", "davfs", "davfs2", "fuse_dfs", "gcsfuse", "glusterfs", "goofys",
        "gvfsd-fuse", "hdfs", "ipfs", "juicefs", "mfs", "moosefs", "mount-s3", "mountpoint-s3",
        "nfs", "nfs4", "objectivefs", "rclone", "s3fs", "s3ql", "seaweedfs", "smb", "smb3",
        "smbfs", "smbnetfs", "sshfs", "virtiofs", "vmhgfs-fuse", "webdav", "xtreemfs",
    ];
    const LOCAL: &[&str] = &["apfs", "exfat", "hfs", "msdos", "ntfs", "ufs"];
    let owned = || Cow::Owned(name.to_owned());
    let served_by = name.strip_prefix("fuse.").unwrap_or(name);
    if NETWORK.contains(&served_by) {
        FileSystemKind::Network(owned())
    } else if LOCAL.contains(&name) || name == "fuseblk" {
        // fuseblk is FUSE on a block device of this machine (ntfs-3g).
        FileSystemKind::Local(owned())
    } else {
        FileSystemKind::Unknown(owned())
    }
}

/// The kind behind what Windows calls a volume's file system (`NTFS`) and a file's final path.
#[cfg(any(windows, test))]
pub(super) fn kind_of_volume(name: &str, final_path: &str) -> FileSystemKind {
    let name = Cow::Owned(name.to_ascii_lowercase());
    if final_path.starts_with(r"\\?\UNC\") {
        return FileSystemKind::Network(name);
    }
    match &*name {
        "ntfs" | "refs" | "fat" | "fat32" | "exfat" | "udf" | "cdfs" => FileSystemKind::Local(name),
        _ => FileSystemKind::Unknown(name),
    }
}

/// The type that `/proc/self/mountinfo` names for the device `major:minor`.
///
/// A line is `36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/root rw`: the device is
/// the third word, and the type follows the lone dash that ends the optional words (proc(5)).
#[cfg(any(target_os = "linux", test))]
pub(super) fn mounted_type(mountinfo: &str, major: u32, minor: u32) -> Option<&str> {
    let device = format!("{major}:{minor}");
    mountinfo.lines().find_map(|line| {
        let mut words = line.split(' ');
        if words.nth(2) != Some(&device) {
            return None;
        }
        words.find(|word| *word == "-")?;
        words.next()
    })
}

/// What a commit, or any bytes, survive. Each value includes the ones before it.
///
/// ```
/// use flatrec::Survives;
/// assert!(Survives::Nothing < Survives::Process && Survives::Process < Survives::System);
/// assert!(Survives::System < Survives::Power);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Survives {
    /// Nothing: the store is temporary, and ends with the handle that made it.
    Nothing,
    /// The end of the process: the system has the bytes. The only claim for bytes in memory and for
    /// an unknown medium.
    Process,
    /// A crash of the system: the device has the bytes, perhaps in its cache.
    System,
    /// A loss of power: the device says that the bytes are on the medium.
    Power,
}

impl FileSystemKind {
    /// What synced bytes survive on a file system if only its kind is known.
    pub(crate) fn survives_synced(&self) -> Survives {
        match self {
            // A server, of another machine or of a user, may do anything or nothing at a sync.
            Self::Memory(_) | Self::Network(_) | Self::Unknown(_) => Survives::Process,
            Self::Local(_) => Survives::Power,
        }
    }
}

/// A line of `/proc/self/mountinfo` (see [`mounted_type`]).
#[cfg(any(target_os = "linux", test))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mount<'t> {
    /// The mounted directory of the file system; octal numbers stand for spaces and the like.
    pub(super) root: &'t str,
    /// The directory it is mounted on.
    pub(super) point: &'t str,
    kind: &'t str,
    /// The device, if the file system is on one.
    pub(super) source: &'t str,
    options: &'t str,
}

#[cfg(any(target_os = "linux", test))]
impl<'t> Mount<'t> {
    /// The mount with this number.
    pub(super) fn find(mountinfo: &'t str, id: &str) -> Option<Self> {
        mountinfo.lines().find_map(|line| {
            let mut words = line.split(' ');
            if words.next() != Some(id) {
                return None;
            }
            let (root, point) = (words.nth(2)?, words.next()?);
            words.find(|word| *word == "-")?;
            let (kind, source, options) = (words.next()?, words.next()?, words.next()?);
            Some(Self { root, point, kind, source, options })
        })
    }

    fn options(&self) -> impl Iterator<Item = &'t str> {
        self.options.split(',')
    }

    /// The value of an option of the file system.
    pub(super) fn option(&self, name: &str) -> Option<&'t str> {
        self.options().find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }

    /// The most that synced bytes survive with these mount options, on any device.
    pub(super) fn survives(&self) -> Survives {
        /// With these options a sync does not ask the device to empty its cache.
        const NO_BARRIER: &[&str] =
            &["nobarrier", "barrier=0", "barrier=none", "fsync_mode=nobarrier"];
        match self.kind {
            // A sync does nothing; later kernels use the second name.
            "overlay" if self.options().any(|it| ["volatile", "fsync=volatile"].contains(&it)) => {
                Survives::Process
            }
            // fuseblk is served by a user's program; what lies under ecryptfs is not visible.
            "fuseblk" | "ecryptfs" => Survives::Process,
            _ if self.options().any(|option| NO_BARRIER.contains(&option)) => Survives::System,
            _ => Survives::Power,
        }
    }
}

/// What synced bytes survive on the device of that name; `None` for a loop device, whose bytes lie
/// in a file.
#[cfg(any(target_os = "linux", test))]
pub(super) fn device_by_name(name: &str) -> Option<Survives> {
    const IN_MEMORY: &[&str] = &["ram", "zram", "nullb"];
    let stem = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
    match stem {
        "loop" => None,
        _ if IN_MEMORY.contains(&stem) => Some(Survives::Process),
        _ => Some(Survives::Power),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_stay_within_what_the_mount_allows() {
        let mounted = |kind: &str, options: &str| {
            let table = format!(
                "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                 36 22 0:41 /in /mnt/a\\040b rw,nosuid shared:7 - {kind} source rw,{options}\n"
            );
            let mount = Mount::find(&table, "36").expect("it is in the table");
            assert_eq!((mount.root, mount.point), ("/in", "/mnt/a\\040b"));
            assert_eq!(mount.source, "source");
            (mount.survives(), mount.option("upperdir").map(str::to_owned))
        };
        for (kind, options, survives) in [
            ("ext4", "data=ordered", Survives::Power),
            ("ext4", "nobarrier,data=ordered", Survives::System),
            ("ext4", "barrier=0", Survives::System),
            ("f2fs", "fsync_mode=nobarrier", Survives::System),
            ("overlay", "lowerdir=/l,upperdir=/u,workdir=/w", Survives::Power),
            ("overlay", "lowerdir=/l,upperdir=/u,workdir=/w,volatile", Survives::Process),
            ("overlay", "lowerdir=/l,upperdir=/u,fsync=volatile", Survives::Process),
            ("fuseblk", "user_id=0", Survives::Process),
            ("ecryptfs", "", Survives::Process),
        ] {
            let (found, upper) = mounted(kind, options);
            assert_eq!(found, survives, "{kind} {options}");
            assert_eq!(upper.is_some(), options.contains("upperdir"));
        }
        assert_eq!(Mount::find("36 22 0:41 / /mnt rw - ext4", "36"), None);
    }

    #[test]
    fn devices_in_memory_are_known_by_name() {
        for (name, survives) in [
            ("sda", Some(Survives::Power)),
            ("nvme0n1", Some(Survives::Power)),
            ("dm-3", Some(Survives::Power)),
            ("ram0", Some(Survives::Process)),
            ("zram12", Some(Survives::Process)),
            ("nullb0", Some(Survives::Process)),
            ("loop7", None),
        ] {
            assert_eq!(device_by_name(name), survives, "{name}");
        }
    }

    #[test]
    fn file_systems_served_by_others_get_no_claim() {
        for (kind, survives) in [
            (FileSystemKind::Local("ext4".into()), Survives::Power),
            (FileSystemKind::Memory("tmpfs".into()), Survives::Process),
            (FileSystemKind::Network("9p".into()), Survives::Process),
            (FileSystemKind::Unknown("fuse".into()), Survives::Process),
        ] {
            assert_eq!(kind.survives_synced(), survives, "{kind}");
        }
    }

    #[test]
    fn the_magic_number_says_whether_views_are_coherent_and_blocks_bind() {
        let cases = [
            (0xef53, "ext2/3/4 (local)", true),
            (0x5846_5342, "xfs (local)", true),
            (0x9123_683e, "btrfs (local)", false),
            (0x2fc1_2fc1, "zfs (local)", false),
            (0xca45_1a4e, "bcachefs (local)", false),
            (0x794c_7630, "overlay (local)", false),
            (0x0102_1994, "tmpfs (memory)", true),
            (0x6969, "nfs (network)", false),
            (0xff53_4d42, "smb (network)", false),
            (0xfe53_4d42, "smb (network)", false),
            (0x0102_1997, "9p (network)", false),
            (0x1234_5678, "0x12345678 (unknown)", false),
        ];
        for (magic, text, binds) in cases {
            let kind = kind_of_magic(magic).expect("not FUSE");
            assert_eq!(kind.to_string(), text);
            assert_eq!(preallocation_binds(&kind), binds, "{kind}");
        }
        assert_eq!(kind_of_magic(FUSE_MAGIC), None);
    }

    #[test]
    fn fuse_is_the_kind_of_its_server() {
        let cases = [
            ("fuse.sshfs", "fuse.sshfs (network)"),
            ("fuse.rclone", "fuse.rclone (network)"),
            ("virtiofs", "virtiofs (network)"),
            ("fuseblk", "fuseblk (local)"),
            ("fuse.mergerfs", "fuse.mergerfs (unknown)"),
            ("fuse", "fuse (unknown)"),
            ("apfs", "apfs (local)"),
        ];
        for (name, text) in cases {
            let kind = kind_of_type_name(name);
            assert_eq!(kind.to_string(), text);
            assert!(!preallocation_binds(&kind), "{kind}");
        }
        assert!(preallocation_binds(&kind_of_type_name("hfs")));
    }

    #[test]
    fn a_volume_is_remote_when_its_path_leads_away() {
        let cases = [
            ("NTFS", r"\\?\C:\data\x.rec", "ntfs (local)", true),
            ("FAT32", r"\\?\D:\x.rec", "fat32 (local)", true),
            ("ReFS", r"\\?\E:\x.rec", "refs (local)", false),
            ("NTFS", r"\\?\UNC\server\share\x.rec", "ntfs (network)", false),
            ("WinFsp", r"\\?\X:\x.rec", "winfsp (unknown)", false),
        ];
        for (name, path, text, binds) in cases {
            let kind = kind_of_volume(name, path);
            assert_eq!(kind.to_string(), text);
            assert_eq!(preallocation_binds(&kind), binds, "{kind}");
        }
    }

    #[test]
    fn a_mount_is_found_by_its_device_with_any_optional_words() {
        let table = "\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
36 22 0:41 / /mnt/far\\040away rw,nosuid shared:7 master:2 - fuse.sshfs host:/data rw,user_id=0
37 22 0:42 / /mnt/- rw - tmpfs tmpfs rw
";
        assert_eq!(mounted_type(table, 8, 1), Some("ext4"));
        assert_eq!(mounted_type(table, 0, 41), Some("fuse.sshfs"));
        assert_eq!(mounted_type(table, 0, 42), Some("tmpfs"));
        assert_eq!(mounted_type(table, 0, 4), None);
        assert_eq!(mounted_type("1 2 0:9 truncated", 0, 9), None);
    }
}
