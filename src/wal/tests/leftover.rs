//! Files with segments' names that are not part of the log: which are named, and which removed.

use super::damage::{SECTOR, change, small_log};
use super::*;
use crate::wal::{leftovers, may_be_left};

/// The suffixes of the leftovers beside a log, and whether each can be removed.
fn named(place: &Place, live_log: Option<u64>) -> Vec<(String, bool)> {
    let data = place.path.display().to_string();
    let found = leftovers(&*place.data, FILE_ID, live_log).unwrap();
    let suffix = |path: &Path| path.display().to_string().strip_prefix(&data).unwrap().to_owned();
    found.iter().map(|file| (suffix(&file.path), file.is_removable)).collect()
}

/// The suffixes of what stays although it is named, when a writer with this log removes the rest.
#[track_caller]
fn check(place: &Place, log: &[u64], expected: &[(&str, bool)]) {
    let expected: Vec<(String, bool)> =
        expected.iter().map(|&(suffix, removed)| (suffix.to_owned(), removed)).collect();
    assert_eq!(named(place, log.first().copied()), expected);
    remove_stale(&*place.data, FILE_ID, log).unwrap();
    let stay: Vec<(String, bool)> =
        expected.into_iter().filter(|(_, is_removable)| !is_removable).collect();
    assert_eq!(named(place, log.first().copied()), stay);
}

/// An earlier version read 64 MiB of such a file, and then took it for a user's for ever.
#[test]
fn a_blank_segment_is_removed_however_long_it_is() {
    const LEN_BYTES: usize = 65 << 20;
    let place = Place::new();
    let (salt, entries) = small_log(&place, false);
    for suffix in ["-wal-2", "-wal-3"] {
        place.write(suffix, &vec![0; LEN_BYTES]);
    }
    check(&place, &[salt], &[("-wal-2", true), ("-wal-3", true)]);
    assert_eq!(place.segments(), ["-wal-1"]);
    assert_eq!(place.replay(salt, 0).unwrap(), entries);
}

/// After a loss of power any sector of a new segment may be missing.
#[test]
fn a_segment_without_its_first_sectors_is_known_by_the_head_of_a_frame() {
    let place = Place::new();
    let (salt, entries) = small_log(&place, false);
    let mut torn = place.read("-wal-1");
    torn[..SECTOR].fill(0);
    torn[SECTOR + 150] ^= 1; // an image of the first frame: only its head is left
    place.write("-wal-2", &torn);
    torn[SECTOR..2 * SECTOR].fill(0); // nothing of the first frame, and a head of the second
    place.write("-wal-3", &torn);
    torn[2 * SECTOR..].fill(0);
    torn[5 * SECTOR + 200] = 7; // an image without its head
    place.write("-wal-4", &torn);
    place.write("-wal-5", &[vec![0; SECTOR], b"a user's".to_vec()].concat());
    check(
        &place,
        &[salt],
        &[("-wal-2", true), ("-wal-3", true), ("-wal-4", false), ("-wal-5", false)],
    );
    assert_eq!(place.replay(salt, 0).unwrap(), entries);
}

/// Finds a list that names a segment of the log, or that leaves out one of an older log.
#[test]
fn the_segments_of_the_log_are_not_left_over() {
    let place = Place::new();
    drop(place.log(1));
    let mut log = place.log(1);
    let ids: Vec<u64> = (0..3000).collect();
    for number in 1..=6 {
        append(&mut log, &entry(number, &ids), 0);
    }
    let chain = log.salts();
    assert_eq!(chain.len(), 4, "{:?}", place.segments());
    let stranger = Log::create(Arc::clone(&place.data), [7; 16], 1).unwrap();
    drop(stranger);
    place.write("-wal-9", b"");
    let left = [("-wal-1", true), ("-wal-6", false), ("-wal-9", true)];
    assert_eq!(named(&place, Some(chain[0])), left.map(|(name, is)| (name.to_owned(), is)));
    // Segments with a damaged header, or with another sector in its place, count by their frames.
    for (suffix, filled) in [("-wal-3", 0), ("-wal-4", b'x')] {
        change(&place, suffix, |bytes| bytes[..SECTOR].fill(filled));
    }
    check(&place, &chain, &left);
    assert_eq!(named(&place, Some(77)), [], "every file may be part of a log that is missing");
    // A header that names the third segment, because the array holds what the first two have. The
    // second has no header, so that nothing shows its place in the chain.
    let older = [("-wal-2", true), ("-wal-6", false)];
    assert_eq!(named(&place, Some(chain[2])), older.map(|(name, is)| (name.to_owned(), is)));
}

#[test]
fn a_writer_looks_up_the_names_that_it_gives_first() {
    let place = Place::new();
    assert!(!may_be_left(&*place.data));
    place.write("-wal-7", b"");
    assert!(!may_be_left(&*place.data));
    place.write("-wal-2", b"");
    assert!(may_be_left(&*place.data));
}
