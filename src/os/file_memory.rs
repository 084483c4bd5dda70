//! How much of files can be in memory at once: in the machine, and in the group of processes that
//! this one belongs to.

/// The bytes that are free for the pages of files, or taken by such pages already; `None` if the
/// system does not tell. The limits of Linux's control groups count, in both of their versions.
#[cfg(not(target_os = "linux"))]
pub(crate) fn memory_for_files() -> Option<u64> {
    None
}

#[cfg(target_os = "linux")]
pub(crate) use linux::memory_for_files;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::path::{Path, PathBuf};

    const GROUPS: &str = "/sys/fs/cgroup";

    pub(crate) fn memory_for_files() -> Option<u64> {
        let machine = of_machine(&fs::read_to_string("/proc/meminfo").ok()?)?;
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Some(of_groups(Path::new(GROUPS), &groups).map_or(machine, |groups| groups.min(machine)))
    }

    /// `MemAvailable` counts the pages of files that can go.
    fn of_machine(meminfo: &str) -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        Some(number(line)? << 10)
    }

    /// What the group of this process, and those above it, leave for files; `None` without a limit.
    fn of_groups(root: &Path, groups: &str) -> Option<u64> {
        let mut least = None;
        for line in groups.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(own)) = (fields.next(), fields.next()) else { continue };
            let (root, files) = match controllers {
                "" => (root.to_owned(), &SECOND),
                _ if controllers.split(',').any(|name| name == "memory") => {
                    (root.join("memory"), &FIRST)
                }
                _ => continue,
            };
            for group in up_from(&root, own) {
                least = [least, files.left_in(&group)].into_iter().flatten().min();
            }
        }
        least
    }

    /// The group `own` and those above it. In a container the path may lead nowhere: its own group
    /// is the root there.
    fn up_from(root: &Path, own: &str) -> Vec<PathBuf> {
        let own = Path::new(own.trim_start_matches('/'));
        let mut groups: Vec<PathBuf> = own.ancestors().map(|path| root.join(path)).collect();
        groups.retain(|group| group.is_dir());
        groups
    }

    /// The files of a group in one of the two versions.
    struct Names {
        limit: &'static str,
        /// In `memory.stat`: the memory that belongs to no file.
        anonymous: &'static str,
    }

    const FIRST: Names = Names { limit: "memory.limit_in_bytes", anonymous: "total_rss" };
    const SECOND: Names = Names { limit: "memory.max", anonymous: "anon" };

    impl Names {
        fn left_in(&self, group: &Path) -> Option<u64> {
            // The word `max` is no limit, and neither is 2^63 less a page.
            let limit = number(&fs::read_to_string(group.join(self.limit)).ok()?)?;
            if limit >= 1 << 62 {
                return None;
            }
            let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
            let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
            let anonymous = lines.find(|(name, _)| *name == self.anonymous);
            let anonymous = anonymous.and_then(|(_, bytes)| number(bytes)).unwrap_or(0);
            Some(limit.saturating_sub(anonymous))
        }
    }

    fn number(text: &str) -> Option<u64> {
        text.split_whitespace().next()?.parse().ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_machine_says_what_is_available() {
            let meminfo = "MemTotal:       24683120 kB\nMemAvailable:    1024 kB\nCached: 1 kB\n";
            assert_eq!(of_machine(meminfo), Some(1 << 20));
            assert_eq!(of_machine("MemTotal: 1 kB"), None);
            assert!(memory_for_files().is_some_and(|bytes| bytes > 1 << 20));
        }

        /// Finds a limit that is overlooked: of the group, of one above it, in either version, in a
        /// container.
        #[test]
        fn the_least_limit_of_all_groups_counts() {
            let root = tempfile::tempdir().unwrap();
            let root = root.path();
            let write = |name: &str, text: &str| {
                let path = root.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            };
            assert_eq!(of_groups(root, "0::/a/b\n"), None);
            write("a/b/memory.max", "max\n");
            assert_eq!(of_groups(root, "0::/a/b\n"), None);
            write("a/memory.max", "1000\n");
            write("a/memory.stat", "file 7\nanon 300\nanon_thp 5\n");
            assert_eq!(of_groups(root, "0::/a/b\n"), Some(700));
            write("a/b/memory.max", "200\n");
            assert_eq!(of_groups(root, "0::/a/b\n"), Some(200));
            // In a container the path is that of the host.
            write("memory.max", "600\n");
            assert_eq!(of_groups(root, "0::/elsewhere\n"), Some(600));

            let first = "5:cpu,cpuacct:/x\n4:memory:/x\n0::/nothing\n";
            write("memory/memory.limit_in_bytes", "9223372036854771712\n");
            assert_eq!(of_groups(root, first), Some(600));
            write("memory/x/memory.limit_in_bytes", "500\n");
            write("memory/x/memory.stat", "rss 1\ntotal_rss 100\n");
            assert_eq!(of_groups(root, first), Some(400));
            write("memory/x/memory.stat", "rss 1\ntotal_rss 501\n");
            assert_eq!(of_groups(root, first), Some(0));
        }
    }
}
