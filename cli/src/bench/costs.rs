//! What work costs beside its time, as the system counts it for a process. On systems that are not
//! asked, nothing is known.

/// Counts of this process. `None` is unknown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Costs {
    /// Page faults that needed no read.
    pub(super) minor_faults: Option<u64>,
    /// Page faults that waited for a read.
    pub(super) major_faults: Option<u64>,
    /// Bytes that the kernel has written to disks, or will, for this process.
    pub(super) written_bytes: Option<u64>,
    /// The most memory that was resident at once, mapped pages of files included.
    pub(super) peak_bytes: Option<u64>,
}

impl Costs {
    /// Those up to now.
    #[cfg(target_os = "linux")]
    pub(super) fn now() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        // The second field is a name in parentheses, which may have spaces in it.
        let stat = read("/proc/self/stat");
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let numbered = |number: usize| after_name.split_whitespace().nth(number - 3)?.parse().ok();
        Self {
            minor_faults: numbered(10),
            major_faults: numbered(12),
            written_bytes: field(&read("/proc/self/io"), "write_bytes:"),
            peak_bytes: field(&read("/proc/self/status"), "VmHWM:").map(|kib| kib << 10),
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn now() -> Self {
        Self::default()
    }

    /// Those since `before`; the peak is that of the whole time.
    pub(super) fn since(&self, before: &Self) -> Self {
        let since = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        Self {
            minor_faults: since(self.minor_faults, before.minor_faults),
            major_faults: since(self.major_faults, before.major_faults),
            written_bytes: since(self.written_bytes, before.written_bytes),
            peak_bytes: self.peak_bytes,
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Finds a number that is read from the wrong place.
    #[test]
    fn touched_pages_are_faults_and_resident() {
        const BYTES: usize = 32 << 20;
        let before = Costs::now();
        let memory = std::hint::black_box(vec![1_u8; BYTES]);
        let costs = Costs::now();
        let since = costs.since(&before);
        assert!(since.minor_faults.unwrap() > 0, "{since:?}");
        assert!(since.major_faults.is_some() && since.written_bytes.is_some());
        assert!(costs.peak_bytes.unwrap() > BYTES as u64, "{costs:?}");
        drop(memory);
    }
}
