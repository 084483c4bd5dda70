//! What a process has in memory: a file's pages dropped from it, and a limit to all of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Drops the pages of a file from memory; all of them must be on the disk already.
#[cfg(target_os = "linux")]
pub(super) fn drop_pages(path: &Path) -> io::Result<()> {
    let file = fs::File::open(path)?;
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn drop_pages(_: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system drops no pages when asked"))
}

/// A group of processes with a limit to the memory that they, and what they read of files, take.
#[derive(Debug)]
pub(super) struct Group {
    path: PathBuf,
}

/// A group needs some memory for the program itself.
pub(super) const LIMIT_BYTES_MIN: u64 = 24 << 20;

impl Group {
    /// Makes a group. Linux lets root do so, and whom root has allowed it.
    pub(super) fn limited(bytes: u64) -> Result<Self, String> {
        let failed = |error: io::Error| format!("limit the memory of a process: {error}");
        let (parent, limit, swap) = parent().ok_or("this system limits no memory of a process")?;
        let path = parent.join(format!("flatrec-bench-{}", std::process::id()));
        fs::create_dir(&path).map_err(failed)?;
        let group = Self { path };
        fs::write(group.path.join(limit), bytes.to_string()).map_err(failed)?;
        // What is swapped out is not a read of the file. Not every system counts swap.
        let (swap, swap_bytes) = swap;
        let swap_bytes = swap_bytes.unwrap_or(bytes);
        let _ = fs::write(group.path.join(swap), swap_bytes.to_string());
        Ok(group)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It is empty, because its processes have ended.
        let _ = fs::remove_dir(&self.path);
    }
}

type Names = (PathBuf, &'static str, (&'static str, Option<u64>));

/// The group of this process, and the files that limit memory and swap: of the second version of
/// control groups, or of the first.
fn parent() -> Option<Names> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let second = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    if let Some(own) = second {
        let path = Path::new("/sys/fs/cgroup").join(own);
        let has = |name: &str| {
            let controllers = fs::read_to_string(path.join(name)).unwrap_or_default();
            controllers.split_whitespace().any(|controller| controller == "memory")
        };
        if has("cgroup.subtree_control") {
            return Some((path, "memory.max", ("memory.swap.max", Some(0))));
        }
    }
    let first = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        let own = fields.next()?;
        controllers.split(',').any(|name| name == "memory").then(|| own.trim_start_matches('/'))
    })?;
    let path = Path::new("/sys/fs/cgroup/memory").join(first);
    let files = ("memory.limit_in_bytes", ("memory.memsw.limit_in_bytes", None));
    path.is_dir().then_some((path, files.0, files.1))
}

/// Moves this process into a group.
pub(super) fn enter(group: &Path) -> io::Result<()> {
    fs::write(group.join("cgroup.procs"), std::process::id().to_string())
}
