//! What the system says about the maps of this process.

use std::path::Path;

/// The mapped bytes of a file in this process, as the system counts them, or `None` if it does not.
#[cfg(target_os = "linux")]
pub(crate) fn mapped_bytes(path: &Path) -> Option<u64> {
    let name = std::fs::canonicalize(path).unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let of_file = maps.lines().filter(|line| line.ends_with(name.to_str().unwrap()));
    let len = |line: &str| {
        let (start, rest) = line.split_once('-').unwrap();
        let end = rest.split(' ').next().unwrap();
        let number = |hex| u64::from_str_radix(hex, 16).unwrap();
        number(end) - number(start)
    };
    Some(of_file.map(len).sum())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn mapped_bytes(_: &Path) -> Option<u64> {
    None
}
