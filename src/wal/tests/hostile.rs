//! Huge lengths that are cheap to forge: a reader spends no more than the bytes that exist, however
//! long the holes of a file are.

use super::calls::Calls;
use super::damage::{SECTOR, change, put, seal_frame, seal_header, small_log};
use super::*;
#[cfg(target_os = "linux")]
use crate::format::checksum::{crc32c, crc32c_append_zeros};
use crate::os::skip::skip;

/// A bound of the bytes read to replay a small log, including one window behind its end.
const LITTLE_BYTES: u64 = 2 << 20;

const HUGE_BYTES: u64 = 1 << 40;

/// Replays the log in `place`, and counts the bytes that are read.
fn replay_counted(place: &Place, salt: u64) -> (Result<u64>, u64) {
    let calls = Calls::over(place);
    calls.read_at_most(16 * LITTLE_BYTES);
    let each = &mut |_: &Commit, _: &[u64], _: &[u8]| Ok(());
    let replayed = replay(&*calls, FILE_ID, salt, 0, IMAGE_LEN, each);
    (replayed.map(|replayed| replayed.last), calls.take_read_bytes())
}

/// Writes a length into the segment's header.
fn claim_length(place: &Place, len_bytes: u64) {
    change(place, "-wal-1", |bytes| {
        put(bytes, 72, len_bytes);
        seal_header(bytes);
    });
}

/// Lengthens a segment by a hole; `false` on systems without holes.
fn lengthen(place: &Place, len_bytes: u64) -> bool {
    let file = std::fs::File::options().write(true).open(place.file("-wal-1")).unwrap();
    cfg!(target_os = "linux") && file.set_len(len_bytes).is_ok()
}

/// An earlier version summed each up to the end of the segment, which took hours.
#[test]
fn many_heads_that_claim_the_whole_segment_share_one_sum() {
    const LEN_BYTES: usize = 4 << 20;
    let place = Place::new();
    let (salt, _) = small_log(&place, false);
    change(&place, "-wal-1", |bytes| {
        let head = bytes[2 * SECTOR..2 * SECTOR + 128].to_vec();
        bytes.resize(LEN_BYTES, 0);
        for at in (2 * SECTOR..bytes.len() - SECTOR).step_by(SECTOR) {
            bytes[at..at + 128].copy_from_slice(&head);
            let images = (bytes.len() - at - 128) as u64 / 32;
            put(bytes, at + 40, 1000 + at as u64); // the commit
            put(bytes, at + 48, 999); // the last synced commit
            put(bytes, at + 80, images);
            put(bytes, at + 8, images * 32);
        }
    });
    claim_length(&place, LEN_BYTES as u64);
    let (last, read_bytes) = replay_counted(&place, salt);
    assert_eq!(last.unwrap(), 1, "no claimed frame is whole");
    assert!(read_bytes < 3 * LEN_BYTES as u64, "{read_bytes} bytes were read");

    // One frame is whole: it proves the sync, although claimed frames overlap it.
    let at = 3 * SECTOR;
    change(&place, "-wal-1", |bytes| seal_frame(bytes, at));
    let error = replay_counted(&place, salt).0.unwrap_err();
    assert!(error.to_string().contains(&format!("at byte {at}")), "{error}");
}

/// Finds a log that goes on with frames of an earlier use of its file.
#[test]
fn frames_behind_the_end_that_the_header_states_are_not_read() {
    let place = Place::new();
    let (salt, entries) = small_log(&place, false);
    claim_length(&place, 4 * SECTOR as u64);
    assert_eq!(place.replay(salt, 0).unwrap(), entries[..3]);
}

/// Finds a store that is refused after a kill, because a writer was lengthening a large segment; or
/// one that is opened although its log was cut.
#[test]
fn a_segment_that_is_too_short_was_cut_if_it_has_a_frame() {
    let place = Place::new();
    let (salt, _) = small_log(&place, false);
    let check = |len: usize, frames: usize| {
        change(&place, "-wal-1", |bytes| {
            bytes.truncate(len);
            bytes[(1 + frames) * SECTOR..].fill(0);
        });
        let each = &mut |_: &Commit, _: &[u64], _: &[u8]| Ok(());
        replay(&*place.data, FILE_ID, salt, 0, IMAGE_LEN, each).unwrap().check_uncut()
    };
    claim_length(&place, 8 * SECTOR as u64);
    check(8 * SECTOR, 6).unwrap();
    claim_length(&place, 9 * SECTOR as u64);
    for frames in [6, 1] {
        let error = check(8 * SECTOR, frames).unwrap_err();
        assert!(error.to_string().contains("was cut from 4608 bytes to 4096"), "{error}");
    }
    check(8 * SECTOR, 0).unwrap();
    check(SECTOR, 0).unwrap();
}

/// An earlier version read holes, at a second for each GiB.
#[test]
fn a_hole_behind_the_log_is_not_read() {
    let place = Place::new();
    let (salt, _) = small_log(&place, false);
    claim_length(&place, 8 * SECTOR as u64);
    if !lengthen(&place, HUGE_BYTES) {
        return skip!("this system's files have no holes of a TiB");
    }
    let (last, read_bytes) = replay_counted(&place, salt);
    assert_eq!(last.unwrap(), 6);
    assert!(read_bytes < LITTLE_BYTES, "{read_bytes} bytes were read");
}

/// The same if the header claims the hole; a frame behind it still counts.
#[test]
#[cfg(target_os = "linux")]
fn a_hole_that_the_header_claims_is_skipped() {
    use std::os::unix::fs::FileExt as _;

    let place = Place::new();
    let (salt, _) = small_log(&place, false);
    claim_length(&place, HUGE_BYTES);
    assert!(lengthen(&place, HUGE_BYTES), "a file system with large files");
    let (last, read_bytes) = replay_counted(&place, salt);
    assert_eq!(last.unwrap(), 6);
    assert!(read_bytes < LITTLE_BYTES, "{read_bytes} bytes were read");

    let file = std::fs::File::options().read(true).write(true).open(place.file("-wal-1")).unwrap();
    let mut frame = vec![0; SECTOR];
    file.read_exact_at(&mut frame, 6 * SECTOR as u64).unwrap();
    put(&mut frame, 40, 9);
    put(&mut frame, 48, 8);
    seal_frame(&mut frame, 0);
    file.write_all_at(&frame, HUGE_BYTES - SECTOR as u64).unwrap();
    let (last, read_bytes) = replay_counted(&place, salt);
    let error = last.unwrap_err();
    assert!(error.to_string().contains("commit 9 records the sync"), "{error}");
    assert!(read_bytes < LITTLE_BYTES, "{read_bytes} bytes were read");
}

/// A frame with a correct checksum and a hole for images.
#[test]
#[cfg(target_os = "linux")]
fn a_frame_that_is_a_hole_is_summed_and_refused_without_being_read() {
    let place = Place::new();
    let (salt, _) = small_log(&place, false);
    let images = (HUGE_BYTES - SECTOR as u64 - 128) / 32;
    claim_length(&place, HUGE_BYTES);
    change(&place, "-wal-1", |bytes| {
        bytes.truncate(SECTOR + 128);
        put(bytes, SECTOR + 56, images + 9); // the count
        put(bytes, SECTOR + 80, images);
        put(bytes, SECTOR + 8, images * 32);
        let crc = crc32c_append_zeros(crc32c(&bytes[SECTOR + 8..]), images * 32);
        bytes[SECTOR + 4..SECTOR + 8].copy_from_slice(&crc.to_le_bytes());
    });
    assert!(lengthen(&place, HUGE_BYTES), "a file system with large files");
    let (last, read_bytes) = replay_counted(&place, salt);
    let error = last.unwrap_err();
    assert!(error.to_string().contains("two images of record 0"), "{error}");
    assert!(read_bytes < LITTLE_BYTES, "{read_bytes} bytes were read");
}

/// docs/FORMAT.md: each number once, in any order.
#[test]
fn record_numbers_may_be_in_any_order_but_not_repeat() {
    for (numbers, twice) in [
        ([5, 7, 9], None),
        ([9, 7, 5], None),
        ([7, 5, 9], None),
        ([7, 7, 5], Some(7)),
        ([5, 7, 7], Some(7)),
        ([7, 5, 7], Some(7)),
        ([0, 0, 0], Some(0)),
    ] {
        let place = Place::new();
        let (salt, entries) = small_log(&place, false);
        change(&place, "-wal-1", |bytes| {
            let at = 6 * SECTOR;
            put(bytes, at + 8, 3 * 32);
            put(bytes, at + 80, 3); // the number of images
            (0..).zip(numbers).for_each(|(n, number)| put(bytes, at + 128 + 8 * n, number));
            seal_frame(bytes, at);
        });
        match place.replay(salt, 0) {
            Ok(replayed) => {
                assert_eq!(twice, None, "{numbers:?}");
                assert_eq!(replayed[..5], entries[..5]);
                assert_eq!(replayed[5].ids, numbers);
            }
            refused => {
                let twice = twice.unwrap_or_else(|| panic!("{numbers:?}: {refused:?}"));
                assert_corrupt(refused, &format!("two images of record {twice}"));
            }
        }
    }
}

/// A chain of many segments, all empty except the first, beside as many of other chains. An earlier
/// version searched all segments for each link.
#[test]
fn long_chains_of_empty_segments_are_followed_link_by_link() {
    const LINKS: u64 = if cfg!(windows) { 200 } else { 2000 };
    let place = Place::new();
    let (salt, entries) = small_log(&place, false);
    let mut header = place.read("-wal-1")[..SECTOR].to_vec();
    let last_crc = place.read("-wal-1")[6 * SECTOR + 4..6 * SECTOR + 8].to_vec();
    header[56..60].copy_from_slice(&last_crc);
    put(&mut header, 48, 7);
    for link in 0..2 * LINKS {
        let in_chain = link < LINKS;
        let before = if link == 0 { salt } else { 1000 + link - 1 };
        put(&mut header, 32, 1000 + link);
        put(&mut header, 40, before);
        put(&mut header, 64, if in_chain { salt } else { 77 });
        seal_header(&mut header);
        place.write(&format!("-wal-{}", 2 + link), &header);
    }
    files::steps::take();
    assert_eq!(place.replay(salt, 0).unwrap(), entries);
    let steps = files::steps::take() as u64;
    assert!((LINKS..3 * LINKS).contains(&steps), "{steps} segments were examined");

    // Without its middle segment the chain ends there, and the later segments are empty.
    std::fs::remove_file(place.file(&format!("-wal-{}", 2 + LINKS / 2))).unwrap();
    assert_eq!(place.replay(salt, 0).unwrap(), entries);
}

/// Files of zeros, as an interrupted writer leaves them: only their data is read, not their holes.
#[test]
#[cfg(target_os = "linux")]
fn holes_that_look_like_new_segments_are_removed_unread() {
    let place = Place::new();
    let (salt, _) = small_log(&place, false);
    for number in 2..52 {
        let file = std::fs::File::create(place.file(&format!("-wal-{number}"))).unwrap();
        file.set_len(HUGE_BYTES).unwrap();
    }
    let calls = Calls::over(&place);
    calls.read_at_most(16 * LITTLE_BYTES);
    remove_stale(&*calls, FILE_ID, &[salt]).unwrap();
    let read_bytes = calls.take_read_bytes();
    assert!(read_bytes < LITTLE_BYTES, "{read_bytes} bytes were read");
    assert_eq!(place.segments(), ["-wal-1"]);
}
