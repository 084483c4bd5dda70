//! Cut, flipped, swapped and forged logs: a replay returns whole commits from the first on, or an
//! error. It never returns a wrong image and never panics.

use super::*;
use crate::format::checksum::crc32c;

pub(super) const SECTOR: usize = 512;
/// The distance between tried bytes. Under Wine each replay takes tens of milliseconds.
const EVERY: usize = if cfg!(windows) { 13 } else { 1 };

/// Six commits in the first six sectors behind the header.
pub(super) fn small_log(place: &Place, synced: bool) -> (u64, Vec<Entry>) {
    let mut log = place.log(1);
    let entries: Vec<Entry> = (1..=6).map(|n| entry(n, &[n, n + 10])).collect();
    for entry in &entries {
        append(&mut log, entry, if synced { entry.commit.counts.commit - 1 } else { 0 });
    }
    // Without most of the empty room, because the tests read and write the file thousands of times.
    change(place, "-wal-1", |bytes| bytes.truncate(8 * SECTOR));
    (log.salt(), entries)
}

/// A chain of three segments with 3, 7 and 2 commits of 32 sectors each. Only the first frame of a
/// segment states that earlier commits are synced.
fn long_log(place: &Place) -> (u64, Vec<Entry>) {
    let mut log = place.log(1);
    let ids: Vec<u64> = (0..500).collect();
    let entries: Vec<Entry> = (1..=12).map(|number| entry(number, &ids)).collect();
    entries.iter().for_each(|entry| append(&mut log, entry, 0));
    assert_eq!(place.segments(), ["-wal-1", "-wal-2", "-wal-3"]);
    (log.salt(), entries)
}

/// Changes a file's bytes.
pub(super) fn change(place: &Place, suffix: &str, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = place.read(suffix);
    how(&mut bytes);
    place.write(suffix, &bytes);
}

pub(super) fn put(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

pub(super) fn number_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Corrects a segment header's checksum.
pub(super) fn seal_header(bytes: &mut [u8]) {
    let crc = crc32c(&bytes[..508]);
    bytes[508..SECTOR].copy_from_slice(&crc.to_le_bytes());
}

/// Corrects the checksum of the frame at `at`, whatever else it says.
pub(super) fn seal_frame(bytes: &mut [u8], at: usize) {
    let len = usize::try_from(number_at(bytes, at + 8)).unwrap();
    let crc = crc32c(&bytes[at + 8..at + 128 + len]);
    bytes[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn a_log_cut_anywhere_gives_its_whole_frames() {
    let place = Place::new();
    let (salt, entries) = small_log(&place, true);
    let whole = place.read("-wal-1");
    for len in (0..=7 * SECTOR).rev().step_by(EVERY) {
        place.write("-wal-1", &whole[..len]);
        // Without a whole header and a frame, no segment has the salt in the header of the data
        // file.
        if len < SECTOR {
            assert_corrupt(place.replay(salt, 0), "header");
            continue;
        }
        // A frame is whole without the filling of its last sector.
        let frame_len = 128 + 2 * (8 + IMAGE_LEN as usize);
        let left = (len - SECTOR + SECTOR - frame_len) / SECTOR;
        assert_eq!(place.replay(salt, 0).unwrap(), entries[..left], "cut to {len} bytes");
        // The same, with zeros in place of the cut bytes.
        let mut zeroed = whole[..len].to_vec();
        zeroed.resize(whole.len(), 0);
        place.write("-wal-1", &zeroed);
        let found = place.replay(salt, 0).unwrap();
        assert!(entries.starts_with(&found) && found.len() >= left, "zeros from {len} on");
    }
}

#[test]
fn a_flipped_bit_in_synced_frames_is_an_error() {
    let place = Place::new();
    let (salt, entries) = small_log(&place, true);
    for at in (0..7 * SECTOR).step_by(EVERY) {
        flip(&place.file("-wal-1"), at);
        let frame_len = 128 + 2 * (8 + IMAGE_LEN as usize);
        let frame = (at / SECTOR).checked_sub(1);
        match frame {
            // The first frame replaces its segment's header, except that it does not name the salt
            // before.
            None => assert_eq!(place.replay(salt, 0).unwrap(), entries, "header, byte {at}"),
            Some(_) if at % SECTOR >= frame_len => {
                assert_eq!(place.replay(salt, 0).unwrap(), entries, "behind a frame, byte {at}");
            }
            Some(5) => assert_eq!(place.replay(salt, 0).unwrap(), entries[..5], "byte {at}"),
            Some(frame) => {
                let says = format!("commit {} was synced and is damaged", frame + 1);
                let error = place.replay(salt, 0).expect_err(&says);
                assert_eq!(error.file_offset(), Some((SECTOR * (frame + 1)) as u64));
                assert_corrupt(Err(error), &says);
            }
        }
        flip(&place.file("-wal-1"), at);
    }
}

#[test]
fn a_flipped_bit_in_unsynced_frames_ends_the_log() {
    let place = Place::new();
    let (salt, entries) = small_log(&place, false);
    for at in (SECTOR..7 * SECTOR).filter(|at| at % SECTOR < 128 + 64).step_by(EVERY) {
        flip(&place.file("-wal-1"), at);
        assert_eq!(place.replay(salt, 0).unwrap(), entries[..at / SECTOR - 1], "byte {at}");
        flip(&place.file("-wal-1"), at);
    }
}

/// A checkpoint syncs the log before it writes the array.
#[test]
fn damage_below_the_commit_of_the_array_is_an_error() {
    let place = Place::new();
    let (salt, entries) = small_log(&place, false);
    assert_eq!(place.replay(salt, 4).unwrap(), entries[4..]);
    flip(&place.file("-wal-1"), 3 * SECTOR + 50);
    assert_eq!(place.replay(salt, 2).unwrap(), []);
    assert_corrupt(place.replay(salt, 3), "commit 3 was synced and is damaged: the data file");
    assert_corrupt(place.replay(salt, 4), "commit 3 was synced");
}

#[test]
fn a_segment_proves_that_the_one_before_was_synced() {
    let place = Place::new();
    let (salt, entries) = long_log(&place);
    assert_eq!(place.replay(salt, 0).unwrap(), entries);
    let last_of_first = SECTOR + 2 * 32 * SECTOR + 1000;
    flip(&place.file("-wal-1"), last_of_first);
    assert_corrupt(place.replay(salt, 0), "commit 3 was synced and is damaged");
    // A header without frames is enough.
    std::fs::remove_file(place.file("-wal-3")).unwrap();
    change(&place, "-wal-2", |bytes| bytes[SECTOR..].fill(0));
    assert_corrupt(place.replay(salt, 0), "commit 3 was synced and is damaged");
    flip(&place.file("-wal-1"), last_of_first);
    assert_eq!(place.replay(salt, 0).unwrap(), entries[..3]);
}

/// Finds a segment that is kept after no reader needs it, or released before.
#[test]
fn a_replay_says_with_which_commit_each_segment_ends() {
    let place = Place::new();
    let (salt, _) = long_log(&place);
    let each = &mut |_: &Commit, _: &[u64], _: &[u8]| Ok(());
    let replayed = replay(&*place.data, FILE_ID, salt, 0, IMAGE_LEN, each).unwrap();
    let lasts: Vec<u64> = replayed.segments.iter().map(|segment| segment.last).collect();
    assert_eq!(lasts, [3, 10, 12]);
}

#[test]
fn an_unfinished_segment_is_a_torn_end() {
    let place = Place::new();
    let (salt, entries) = long_log(&place);
    std::fs::remove_file(place.file("-wal-3")).unwrap();
    let whole = place.read("-wal-2");
    let ends = |bytes: &[u8], count: usize| {
        place.write("-wal-2", bytes);
        assert_eq!(place.replay(salt, 0).unwrap(), entries[..count]);
    };
    // Neither header nor frame; the header alone; a header that is torn inside its sector.
    ends(&vec![0; whole.len()], 3);
    let earlier = Place::new();
    drop(earlier.log(1));
    let mut torn = earlier.read("-wal-1")[..SECTOR].to_vec();
    torn.resize(whole.len(), 0);
    ends(&[&whole[..SECTOR], &torn[SECTOR..]].concat(), 3);
    ends(&[&whole[..300], &torn[300..]].concat(), 3);
    // The header, and all sectors of the frame except one.
    let mut missing = whole.clone();
    missing[SECTOR * 20..SECTOR * 21].fill(0);
    missing[SECTOR * 33..].fill(0);
    ends(&missing, 3);
    // The frame behind the header of an earlier use of the file.
    ends(&[&torn[..SECTOR], &whole[SECTOR..]].concat(), 3);
    // The frames without any header: they identify their place themselves.
    ends(&[&vec![0; SECTOR], &whole[SECTOR..]].concat(), 10);
}

#[test]
fn a_segment_without_its_header_loses_no_commit() {
    let place = Place::new();
    let (salt, entries) = long_log(&place);
    for at in (0..SECTOR).step_by(EVERY) {
        flip(&place.file("-wal-2"), at);
        assert_eq!(place.replay(salt, 0).unwrap(), entries, "byte {at}");
        flip(&place.file("-wal-2"), at);
    }
    // With its first frame damaged too, the frames behind it prove that it was synced.
    flip(&place.file("-wal-2"), 40);
    flip(&place.file("-wal-2"), SECTOR + 40);
    assert_corrupt(place.replay(salt, 0), "commit 4 was synced and is damaged");
}

#[test]
fn missing_segments_are_errors() {
    let place = Place::new();
    let (salt, _) = long_log(&place);
    let path = |suffix| place.file(suffix);
    std::fs::rename(path("-wal-2"), path("-away")).unwrap();
    assert_corrupt(place.replay(salt, 0), "commit 4 was synced and is damaged");
    std::fs::rename(path("-wal-1"), path("-wal-2")).unwrap();
    std::fs::rename(path("-away"), path("-wal-9")).unwrap();
    assert_eq!(place.replay(salt, 0).unwrap().len(), 12, "names do not matter");
    std::fs::remove_file(path("-wal-2")).unwrap();
    assert_corrupt(place.replay(salt, 0), "but the header names another segment");
    std::fs::remove_file(path("-wal-3")).unwrap();
    std::fs::remove_file(path("-wal-9")).unwrap();
    assert_corrupt(place.replay(salt, 0), "the log that the header names is missing");
}

#[test]
fn logs_of_other_stores_are_errors() {
    let place = Place::new();
    let (salt, _) = small_log(&place, true);
    assert_corrupt(place.replay_as([7; 16], salt, 0), "belongs to another store");
    let error = place.replay_as([7; 16], salt, 0).unwrap_err();
    assert_eq!(error.file_path(), Some(&*place.file("-wal-1")));
}

#[test]
fn a_log_that_begins_too_late_is_an_error() {
    let place = Place::new();
    let mut log = place.log(5);
    append_synced(&mut log, 5..=7);
    assert_corrupt(place.replay(log.salt(), 2), "commits 3 to 4 are missing");
    assert_eq!(place.replay(log.salt(), 4).unwrap().len(), 3);
}

#[test]
fn a_copied_segment_is_an_error() {
    let place = Place::new();
    let (salt, _) = long_log(&place);
    place.write("-wal-4", &place.read("-wal-2"));
    assert_corrupt(place.replay(salt, 0), "claims the same place");
    place.write("-wal-4", &place.read("-wal-1"));
    assert_corrupt(place.replay(salt, 0), "claims the same place");
}

#[test]
fn a_circular_chain_ends() {
    let place = Place::new();
    let first = place.log(1);
    let second = place.log(1);
    let link = |suffix, to: &Log| {
        change(&place, suffix, |bytes| {
            put(bytes, 40, to.salt());
            seal_header(bytes);
        });
    };
    link("-wal-1", &second);
    link("-wal-2", &first);
    assert_eq!(place.replay(first.salt(), 0).unwrap(), []);
    link("-wal-1", &first);
    link("-wal-2", &second);
    assert_eq!(place.replay(first.salt(), 0).unwrap(), []);
}

#[test]
fn impossible_frames_with_good_checksums_are_errors() {
    let cases: [(&str, usize, u64); 4] = [
        ("live records of", 64, u64::MAX),
        ("a free list that begins at record 2000000 of", 72, 2_000_000),
        ("changes a record past its count", 136, 3_000_000),
        ("claims to have been synced", 48, 3),
    ];
    for (says, at, value) in cases {
        let place = Place::new();
        let (salt, _) = small_log(&place, true);
        change(&place, "-wal-1", |bytes| {
            put(bytes, 3 * SECTOR + at, value);
            seal_frame(bytes, 3 * SECTOR);
        });
        assert_corrupt(place.replay(salt, 0), says);
    }
    let place = Place::new();
    let (salt, _) = small_log(&place, true);
    let other = replay(&*place.data, FILE_ID, salt, 0, 25, &mut |_, _, _| Ok(()));
    assert_corrupt(
        other.map(|_| Vec::new()),
        "its images have 24 bytes, and the store's records 25",
    );
}

/// Frames of a file's earlier use are whole, but do not belong to the chain.
#[test]
fn whole_frames_of_another_chain_end_the_log() {
    let (file_id, salt, number, previous_crc) = (16, 32, 40, 88);
    for at in [file_id, salt, number, previous_crc] {
        let place = Place::new();
        let (salt, entries) = small_log(&place, false);
        change(&place, "-wal-1", |bytes| {
            bytes[4 * SECTOR + at] ^= 1;
            seal_frame(bytes, 4 * SECTOR);
        });
        assert_eq!(place.replay(salt, 0).unwrap(), entries[..3], "byte {at}");
    }
}

#[test]
fn a_head_with_an_impossible_length_ends_the_log() {
    let huge = [u64::MAX, u64::MAX / 32, 1 << 62, 1 << 40, 1 << 16];
    for (images, payload) in huge.iter().flat_map(|a| huge.iter().map(move |b| (*a, *b))) {
        let place = Place::new();
        let (salt, entries) = small_log(&place, false);
        change(&place, "-wal-1", |bytes| {
            put(bytes, 4 * SECTOR + 80, images);
            put(bytes, 4 * SECTOR + 8, payload);
        });
        assert_eq!(place.replay(salt, 0).unwrap(), entries[..3]);
        change(&place, "-wal-1", |bytes| {
            put(bytes, 4 * SECTOR + 8, images.wrapping_mul(32));
        });
        assert_eq!(place.replay(salt, 0).unwrap(), entries[..3]);
    }
}

#[test]
fn other_versions_are_refused() {
    let place = Place::new();
    let (salt, _) = small_log(&place, true);
    for (at, value, expected) in [
        (8, 0, "format version 0, from before the format was frozen"),
        (8, 2, "format version 2; this program knows version 1"),
        (8, 1, ""),
        (13, 16, "sectors of 4096 bytes"),
    ] {
        change(&place, "-wal-1", |bytes| {
            bytes[at] = value;
            seal_header(bytes);
        });
        let replayed = place.replay(salt, 0).map(drop);
        if expected.is_empty() {
            replayed.expect("version 1");
            continue;
        }
        let error = replayed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedFormat);
        assert!(error.to_string().contains(expected), "{error}");
    }
    remove_stale(&*place.data, FILE_ID, &[]).unwrap();
    assert_eq!(place.segments(), ["-wal-1"], "a segment of another version stays");
}
