//! File systems that a test mounts, where root allows it.

use std::path::PathBuf;

use super::shell::shell;
use super::skip::skip;

/// File systems mounted below a directory. Dropping this unmounts them.
pub(crate) struct Mounts {
    home: tempfile::TempDir,
    points: &'static [&'static str],
}

impl Mounts {
    /// Returns `None` and skips the test if a mount fails.
    pub(crate) fn make(line: &str, points: &'static [&'static str]) -> Option<Self> {
        let mounts = Self { home: tempfile::tempdir().unwrap(), points };
        for point in points {
            std::fs::create_dir(mounts.home.path().join(point)).unwrap();
        }
        mounts.shell(line).then_some(mounts)
    }

    /// Runs a line of shell. Returns `false` and skips the test if it fails.
    pub(crate) fn shell(&self, line: &str) -> bool {
        match shell(self.home.path(), line) {
            Some(Ok(())) => return true,
            Some(Err(said)) => skip!("{said}"),
            None => skip!("there is no shell to mount a disk"),
        }
        false
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        // The last one first, because it may lie over the others.
        for point in self.points.iter().rev() {
            let _ = shell(self.home.path(), &format!("umount -l {point} 2>/dev/null"));
        }
    }
}
