//! Logs on real files: written, cut, damaged and replayed.

mod calls;
mod damage;
mod growth;
mod hostile;
mod leftover;
mod long_append;
mod random;
mod verdict;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::error::{ErrorKind, Result};
use crate::io::{Backing, FileBacking};

const FILE_ID: [u8; 16] = *b"this very store!";
const IMAGE_LEN: u32 = 24;

/// An empty data file with logs beside it.
struct Place {
    _directory: tempfile::TempDir,
    path: PathBuf,
    data: Arc<dyn Backing>,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.rec");
        let data = Arc::new(FileBacking::create_new(&path).unwrap());
        Self { _directory: directory, path, data }
    }

    fn log(&self, first: u64) -> Log {
        Log::create(Arc::clone(&self.data), FILE_ID, first).unwrap()
    }

    fn file(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    fn read(&self, suffix: &str) -> Vec<u8> {
        std::fs::read(self.file(suffix)).unwrap()
    }

    fn write(&self, suffix: &str, bytes: &[u8]) {
        std::fs::write(self.file(suffix), bytes).unwrap();
    }

    /// The segments' suffixes.
    fn segments(&self) -> Vec<String> {
        self.data.list_sides().unwrap()
    }

    fn replay(&self, salt: u64, after: u64) -> Result<Vec<Entry>> {
        self.replay_as(FILE_ID, salt, after)
    }

    fn replay_as(&self, file_id: [u8; 16], salt: u64, after: u64) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let replayed =
            replay(&*self.data, file_id, salt, after, IMAGE_LEN, &mut |commit, ids, images| {
                entries.push(Entry {
                    commit: commit.clone(),
                    ids: ids.to_vec(),
                    images: images.to_vec(),
                });
                Ok(())
            })?;
        let numbers: Vec<u64> = entries.iter().map(|entry| entry.commit.counts.commit).collect();
        let expected: Vec<u64> = (after + 1..=replayed.last).collect();
        assert_eq!(numbers, expected, "in order, without gaps");
        assert_eq!(replayed.frames, expected.len() as u64);
        Ok(entries)
    }
}

/// A commit as a test appends it and as a replay returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    commit: Commit,
    ids: Vec<u64>,
    images: Vec<u8>,
}

/// A commit with images of these records. No two commits have the same bytes.
fn entry(number: u64, ids: &[u64]) -> Entry {
    let records = 1_000_000 + number;
    let free_head = (number % 2 == 0).then_some(number);
    let images = ids.iter().flat_map(|id| {
        (0..u64::from(IMAGE_LEN)).map(move |at| ((number * 31 + id * 7 + at) % 251) as u8)
    });
    Entry {
        commit: Commit {
            counts: Counts { commit: number, records, live: number, free_head },
            long_append: None,
        },
        ids: ids.to_vec(),
        images: images.collect(),
    }
}

fn append(log: &mut Log, entry: &Entry, synced: u64) {
    // Two pieces; the first ends inside an image.
    let (front, back) = entry.images.split_at(entry.images.len() / 3);
    let images = Images { ids: &entry.ids, image_len: IMAGE_LEN, pieces: &[front, back] };
    log.reserve(entry.ids.len() as u64, IMAGE_LEN).unwrap();
    log.append(&entry.commit, synced, &images).unwrap();
}

/// Appends commits of two records each; each states that the one before is synced.
fn append_synced(log: &mut Log, numbers: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
    let entries: Vec<Entry> = numbers.map(|number| entry(number, &[number, number + 10])).collect();
    for entry in &entries {
        append(log, entry, entry.commit.counts.commit - 1);
    }
    log.segment().sync_data().unwrap();
    entries
}

fn assert_corrupt(result: Result<Vec<Entry>>, says: &str) {
    let error = result.expect_err(says);
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains(says), "the error does not say {says:?}: {error}");
    assert!(error.file_path().is_some(), "no path: {error}");
}

#[test]
fn a_replay_returns_the_appended_commits() {
    let place = Place::new();
    let mut log = place.log(8);
    assert_eq!((log.segments(), log.len_bytes()), (1, 0));
    assert_eq!(place.replay(log.salt(), 7).unwrap(), []);
    let mut entries = append_synced(&mut log, 8..=10);
    let countless = entry(11, &[]);
    append(&mut log, &countless, 7);
    entries.push(countless);
    assert_eq!(log.len_bytes(), 4 * 512, "a sector each");

    assert_eq!(place.replay(log.salt(), 7).unwrap(), entries);
    assert_eq!(place.replay(log.salt(), 9).unwrap(), entries[2..]);
    assert_eq!(place.replay(log.salt(), 11).unwrap(), []);
    let replayed = replay(&*place.data, FILE_ID, log.salt(), 9, IMAGE_LEN, &mut |_, _, _| Ok(()));
    let replayed = replayed.unwrap();
    assert_eq!((replayed.last, replayed.frames, replayed.log_len_bytes), (11, 2, 4 * 512));

    log.remove().unwrap();
    assert_eq!(place.segments(), [""; 0]);
}

#[test]
fn an_error_of_the_callback_ends_the_replay() {
    let place = Place::new();
    let mut log = place.log(1);
    append_synced(&mut log, 1..=3);
    let mut calls = 0;
    let result = replay(&*place.data, FILE_ID, log.salt(), 0, IMAGE_LEN, &mut |_, _, _| {
        calls += 1;
        Err(crate::error::Error::new(ErrorKind::NoSpace, "take"))
    });
    assert_eq!((result.unwrap_err().kind(), calls), (ErrorKind::NoSpace, 1));
}

#[test]
fn impossible_commits_are_never_written() {
    let good = entry(1, &[3, 5]);
    let with = |change: fn(&mut Entry)| {
        let mut bad = good.clone();
        change(&mut bad);
        let place = Place::new();
        let mut log = place.log(1);
        let attempt = std::panic::AssertUnwindSafe(|| append(&mut log, &bad, 0));
        std::panic::catch_unwind(attempt).is_err()
    };
    assert!(!with(|_| {}));
    assert!(with(|bad| bad.commit.counts.commit = 2));
    assert!(with(|bad| bad.commit.counts.live = bad.commit.counts.records + 1));
    assert!(with(|bad| bad.commit.counts.free_head = Some(bad.commit.counts.records)));
    assert!(with(|bad| bad.commit.counts.records = 5));
    assert!(with(|bad| bad.images.truncate(47)));
}

#[test]
fn new_segments_take_numbers_that_no_file_has() {
    let place = Place::new();
    place.write("-wal-1", b"a user's");
    place.write("-wal-02", b"no segment's name");
    std::fs::create_dir(place.file("-wal-3")).unwrap();
    let mut log = place.log(1);
    let entries = append_synced(&mut log, 1..=2);
    assert!(place.segments().contains(&"-wal-2".to_owned()));
    assert_eq!(place.replay(log.salt(), 0).unwrap(), entries);
    remove_stale(&*place.data, FILE_ID, &[log.salt()]).unwrap();
    let left = ["-wal-02", "-wal-1", "-wal-2", "-wal-3"].map(str::to_owned);
    assert_eq!(place.segments(), left);
}

#[test]
fn stale_segments_are_removed_and_other_files_kept() {
    let place = Place::new();
    let keep = place.log(1);
    drop(place.log(1));
    let stranger = Log::create(Arc::clone(&place.data), [7; 16], 1).unwrap();
    place.write("-wal-4", &[0; 4096]);
    place.write("-wal-5", b"");
    let mut damaged = place.read("-wal-2");
    damaged[100] ^= 1;
    place.write("-wal-6", &damaged);
    place.write("-wal-7", &[b'x'; 600]);
    remove_stale(&*place.data, FILE_ID, &[keep.salt()]).unwrap();
    assert_eq!(place.segments(), ["-wal-1", "-wal-3", "-wal-7"]);
    assert_eq!(place.replay_as([7; 16], stranger.salt(), 0).unwrap(), []);
    assert_eq!(place.replay(keep.salt(), 0).unwrap(), []);
}

/// The log can move to another thread with its writer.
#[test]
fn a_log_can_be_sent() {
    fn sendable<T: Send>(_: &T) {}
    sendable(&Place::new().log(1));
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}
