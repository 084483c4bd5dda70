//! The entry points of the fuzz target for logs, and of the tests of its kept inputs.
//!
//! As with headers ([`crate::format::fuzzing`]), the fuzzer's bytes are differences from a good
//! log. The checksums are corrected afterwards, so that the input gets past them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::{Commit, Images, Log, remove_stale, replay};
use crate::error::Result;
use crate::format::{Counts, checksum::crc32c};
use crate::io::{Backing, FileBacking};

const FILE_ID: [u8; 16] = [7; 16];
const IMAGE_LEN: u32 = 8;
const SECTOR: usize = 512;

/// A good log: the salt of its first segment, and its files without their trailing zeros.
struct Good {
    salt: u64,
    files: Vec<(String, Vec<u8>)>,
    commits: u64,
}

/// The bytes that fuzzed bytes change, in each segment's header and in each frame.
const HEADER_BYTES: std::ops::Range<usize> = 0..64;
const FRAME_BYTES: std::ops::Range<usize> = 8..160;

fn side(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn good(path: &Path) -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let data = Arc::new(FileBacking::create_new(side(path, "-good")).expect("a file"));
        let mut log = Log::create(Arc::clone(&data) as _, FILE_ID, 1).expect("a log");
        // Two segments: the fourth commit does not fit into the first.
        for (number, images) in (1..).zip([2u64, 0, 1, 4000, 3, 1]) {
            let ids: Vec<u64> = (0..images).collect();
            let bytes = vec![0xA5; ids.len() * 8];
            let free_head = Some(number);
            let counts = Counts { commit: number, records: 5000, live: 9, free_head };
            let commit = Commit { counts, long_append: None };
            let images = Images { ids: &ids, image_len: IMAGE_LEN, pieces: &[&bytes] };
            log.append(&commit, number - 2.min(number), &images).expect("a commit");
        }
        let files = data.list_sides().expect("a directory").into_iter().map(|suffix| {
            let mut bytes =
                std::fs::read(side(path, &format!("-good{suffix}"))).expect("a segment");
            let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            bytes.truncate(end);
            (suffix, bytes)
        });
        let good = Good { salt: log.salt(), files: files.collect(), commits: 6 };
        log.remove().expect("its files");
        good
    })
}

/// Changes a segment by some of the differences, and corrects its checksums.
fn vary<'a>(file: &mut [u8], differences: &mut impl Iterator<Item = &'a u8>) {
    let mut xor = |bytes: &mut [u8]| {
        for byte in bytes {
            *byte ^= differences.next().unwrap_or(&0);
        }
    };
    xor(&mut file[HEADER_BYTES]);
    let crc = crc32c(&file[..508]);
    file[508..SECTOR].copy_from_slice(&crc.to_le_bytes());
    let starts: Vec<usize> = (SECTOR..file.len())
        .step_by(SECTOR)
        .filter(|&at| file[at..].starts_with(b"FWB1"))
        .collect();
    for at in starts {
        let end = file.len().min(at + FRAME_BYTES.end);
        xor(&mut file[end.min(at + FRAME_BYTES.start)..end]);
        let Some(len) = file.get(at + 8..at + 16) else { continue };
        let len = u64::from_le_bytes(len.try_into().expect("eight bytes"));
        let end = usize::try_from(len).ok().and_then(|len| len.checked_add(at + 128));
        if let Some(covered) = end.and_then(|end| file.get(at + 8..end)) {
            let crc = crc32c(covered);
            file[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
        }
    }
}

fn check(path: &Path, salt: u64, after: u64) -> Result<u64> {
    let data = FileBacking::open(path, true)?;
    let mut next = after;
    let replayed = replay(&data, FILE_ID, salt, after, IMAGE_LEN, &mut |commit, ids, images| {
        next += 1;
        assert_eq!(commit.counts.commit, next, "a commit out of turn");
        assert!(commit.counts.live <= commit.counts.records, "{commit:?}");
        // The order does not matter (docs/FORMAT.md).
        let distinct: HashSet<u64> = ids.iter().copied().collect();
        assert_eq!(distinct.len(), ids.len(), "a record has two images in one commit");
        assert!(ids.iter().all(|&id| id < commit.counts.records), "a record past the count");
        assert_eq!(images.len(), ids.len() * 8, "an image for each record");
        Ok(())
    });
    remove_stale(&data, FILE_ID, &[salt])?;
    let replayed = replayed?;
    assert_eq!((replayed.last, replayed.frames), (next, next - after));
    Ok(next)
}

/// Replays a log that differs from a good one by `differences` and has correct checksums, beside
/// the empty file `path` in a directory of its own.
///
/// # Errors
/// The error with which the log is refused.
///
/// # Panics
/// If an impossible log was accepted, or a good one refused.
pub fn replay_variant(path: &Path, differences: &[u8]) -> Result<()> {
    let good = good(path);
    let (after, differences) = differences.split_first().unwrap_or((&0, &[]));
    let mut places = differences.iter();
    for (suffix, bytes) in &good.files {
        let mut bytes = bytes.clone();
        vary(&mut bytes, &mut places);
        std::fs::write(side(path, suffix), bytes).expect("a segment");
    }
    let last = check(path, good.salt, u64::from(after % 8))?;
    if differences.iter().all(|&byte| byte == 0) {
        assert_eq!(last, good.commits, "a good log was not replayed");
    }
    Ok(())
}

/// Replays a log whose only segment is `bytes`, as [`replay_variant`] does.
///
/// # Errors
/// The error with which the log is refused.
///
/// # Panics
/// If an impossible log was accepted.
pub fn replay_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(side(path, "-wal-1"), bytes).expect("a segment");
    let salt = bytes
        .get(32..40)
        .map_or(1, |salt| u64::from_le_bytes(salt.try_into().expect("eight bytes")));
    check(path, salt, 0).map(drop)
}
