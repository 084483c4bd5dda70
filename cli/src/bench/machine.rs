//! The machine on which the figures hold.

use std::path::Path;

use serde_json::{Value, json};

/// What is known of the machine.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) system: String,
    pub(super) processor: Option<String>,
    pub(super) processors: usize,
    pub(super) memory_bytes: Option<u64>,
    pub(super) file_system: Option<String>,
}

impl Machine {
    /// This machine, with the file system of `dir`, which must be an absolute path.
    pub(super) fn here(dir: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let value = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = value(&read("/proc/meminfo"), "MemTotal");
        let kib = memory.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        let release = read("/proc/sys/kernel/osrelease");
        let system = format!("{} {}", std::env::consts::OS, release.trim());
        Self {
            system: system.trim_end().to_owned(),
            processor: value(&read("/proc/cpuinfo"), "model name"),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kib.map(|kib| kib << 10),
            file_system: file_system(&read("/proc/self/mountinfo"), dir),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "system": self.system,
            "processor": self.processor,
            "processors": self.processors,
            "memory_bytes": self.memory_bytes,
            "file_system": self.file_system,
        })
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        let mut parts = vec![self.system.clone()];
        let processors = match self.processors {
            1 => "1 processor".to_owned(),
            count => format!("{count} processors"),
        };
        parts.push(match &self.processor {
            Some(name) => format!("{processors} ({name})"),
            None => processors,
        });
        let gib = |bytes: u64| format!("{:.1} GiB of memory", bytes as f64 / (1_u64 << 30) as f64);
        parts.extend(self.memory_bytes.map(gib));
        parts.extend(self.file_system.as_ref().map(|name| format!("files on {name}")));
        parts.join(", ")
    }
}

/// The kind of file system at `dir`: that of the longest place that leads to it, and of these the
/// last, which covers the others.
fn file_system(mounts: &str, dir: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let place = unescaped(place.split(' ').nth(4)?);
        Some((place, kind.split(' ').next()?))
    });
    let above = mounts.filter(|(place, _)| dir.starts_with(place));
    Some(above.max_by_key(|(place, _)| place.len())?.1.to_owned())
}

/// Spaces and the like are octal numbers there.
fn unescaped(place: &str) -> String {
    let names = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    names.iter().fold(place.to_owned(), |place, (from, to)| place.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds a file system that is not the one of the folder.
    #[test]
    fn the_longest_place_that_leads_to_the_folder_has_the_file_system() {
        let mounts = "\
            22 1 0:1 / / rw - ext4 /dev/root rw\n\
            23 22 0:2 / /data rw shared:1 - xfs /dev/sdb rw\n\
            24 22 0:3 / /data\\040two rw - btrfs /dev/sdc rw\n\
            25 22 0:4 / /data rw - tmpfs none rw\n";
        for (dir, kind) in [
            ("/home", "ext4"),
            ("/database", "ext4"),
            ("/data", "tmpfs"),
            ("/data/x", "tmpfs"),
            ("/data two/x", "btrfs"),
        ] {
            assert_eq!(file_system(mounts, Path::new(dir)).as_deref(), Some(kind), "{dir}");
        }
        assert_eq!(file_system("", Path::new("/")), None);
    }
}
