//! Segments: how they grow, follow each other, are released and recycled; and the order of calls.

use super::*;
use crate::wal::tests::calls::Calls;

/// A commit whose frame is `kib` KiB long.
fn commit_of(number: u64, kib: u64) -> Entry {
    let ids: Vec<u64> = (0..(kib * 1024 - 128) / (8 + u64::from(IMAGE_LEN))).collect();
    entry(number, &ids)
}

#[test]
fn segments_double_up_to_a_limit() {
    let place = Place::new();
    let mut log = place.log(1);
    for number in 1..=120 {
        append(&mut log, &commit_of(number, 120), 0);
    }
    let lens: Vec<u64> = place
        .segments()
        .iter()
        .map(|suffix| std::fs::metadata(place.file(suffix)).unwrap().len() >> 10)
        .collect();
    // The first segment is too short for any of these frames.
    assert_eq!(lens, [64, 128, 256, 512, 1024, 2048, 4096, 4096, 4096]);
    assert_eq!((log.segments(), log.len_bytes()), (9, 120 * (120 << 10)));
    assert_eq!(place.replay(log.salt(), 0).unwrap().len(), 120);
}

#[test]
fn released_segments_are_recycled_and_their_old_frames_not_read() {
    let place = Place::new();
    let mut log = place.log(1);
    let mut synced = 0;
    let mut salts = std::collections::HashSet::new();
    for round in 0..40 {
        for number in round * 10 + 1..=round * 10 + 10 {
            append(&mut log, &commit_of(number, 200), synced);
        }
        synced = round * 10 + 7;
        let oldest = log.oldest_after(synced);
        log.release(synced, None);
        assert_eq!(log.salt(), oldest);
        salts.insert(oldest);
        let found = place.replay(oldest, synced).unwrap();
        assert_eq!(found.len(), 3, "round {round}");
        assert_eq!(found[2], commit_of(round * 10 + 10, 200));
        assert!(place.segments().len() <= 8, "{:?}", place.segments());
    }
    assert!(salts.len() > 15, "each recycled segment gets a new salt: {}", salts.len());
    log.remove().unwrap();
    assert_eq!(place.segments(), [""; 0]);
}

#[test]
fn a_segment_is_kept_while_one_of_its_commits_is_needed() {
    let place = Place::new();
    let mut log = place.log(1);
    (1..=3).for_each(|number| append(&mut log, &commit_of(number, 60), 0));
    let first = log.salt();
    assert_eq!(log.segments(), 2);
    assert_eq!(log.oldest_after(0), first);
    let second = log.oldest_after(1);
    assert_ne!(second, first);
    assert_eq!(log.oldest_after(3), second, "the current segment stays");
    log.release(0, None);
    assert_eq!(log.salt(), first);
    log.release(3, None);
    assert_eq!((log.salt(), log.segments()), (second, 1));
    assert_eq!(log.len_bytes(), 0, "the array holds all commits");
    append(&mut log, &commit_of(4, 1), 0);
    assert_eq!(log.len_bytes(), 1 << 10);
}

#[test]
fn a_large_frame_has_a_segment_of_its_own() {
    let place = Place::new();
    let mut log = place.log(1);
    append(&mut log, &entry(1, &[3]), 0);
    let large = commit_of(2, 9 << 10);
    append(&mut log, &large, 0);
    let len = std::fs::metadata(place.file("-wal-2")).unwrap().len();
    assert_eq!(len, 512 + (9 << 20));
    append(&mut log, &entry(3, &[4]), 0);
    let found = place.replay(log.salt(), 0).unwrap();
    assert!(found[1] == large, "the replayed large frame differs");
    assert_eq!(found.len(), 3);
    // A flip far inside, in a part that is read in pieces.
    flip(&place.file("-wal-2"), 5 << 20);
    assert_corrupt(place.replay(log.salt(), 0), "commit 2 was synced and is damaged");
    log.release(2, None);
    assert_eq!(place.segments(), ["-wal-1", "-wal-3"], "the long segment is removed");
}

#[test]
fn one_commit_is_one_write() {
    let place = Place::new();
    let calls = Calls::over(&place);
    let mut log = Log::create(Arc::clone(&calls) as _, FILE_ID, 1).unwrap();
    let made = ["create -wal-1", "write -wal-1 0 65536", "sync -wal-1", "sync directory"];
    assert_eq!(calls.take(), made);
    append(&mut log, &entry(1, &[7]), 0);
    append(&mut log, &commit_of(2, 60), 0);
    assert_eq!(calls.take(), ["write -wal-1 512 512", "write -wal-1 1024 61440"]);
}

#[test]
fn a_segment_is_synced_before_the_next_is_begun() {
    let place = Place::new();
    let calls = Calls::over(&place);
    let mut log = Log::create(Arc::clone(&calls) as _, FILE_ID, 1).unwrap();
    append(&mut log, &commit_of(1, 60), 0);
    calls.take();
    let many = commit_of(2, 60);
    log.reserve(many.ids.len() as u64, IMAGE_LEN).unwrap();
    assert_eq!(
        calls.take(),
        [
            "create -wal-2",
            "write -wal-2 0 65536",
            "write -wal-2 65536 65536",
            "sync -wal-2",
            "sync directory"
        ]
    );
    // Frames that fit still go into the old segment.
    append(&mut log, &entry(2, &[1]), 0);
    append(&mut log, &commit_of(3, 60), 0);
    assert_eq!(calls.take(), ["write -wal-1 61952 512", "sync -wal-1", "write -wal-2 0 61952"]);
    assert_eq!(place.replay(log.salt(), 0).unwrap().len(), 3);
    // The first frame after a sync records it.
    assert_eq!(place.read("-wal-2")[512 + 48..][..8], 2u64.to_le_bytes());
}

#[test]
fn a_full_disk_is_an_error_before_anything_changes() {
    let place = Place::new();
    let calls = Calls::over(&place);
    let mut log = Log::create(Arc::clone(&calls) as _, FILE_ID, 1).unwrap();
    append(&mut log, &entry(1, &[1]), 0);
    for kib in [60, 120, 5000] {
        let failing = match kib {
            5000 => "grow",
            _ => "write",
        };
        let number = log.next();
        append(&mut log, &entry(number, &[1]), 0);
        let images = commit_of(1, 64.max(kib)).ids.len() as u64;
        for nth in 0..2 {
            calls.fail(failing, nth);
            let error = log.reserve(images, IMAGE_LEN);
            calls.heal();
            if let Err(error) = error {
                assert_eq!(error.kind(), ErrorKind::NoSpace);
                assert_eq!(place.segments(), ["-wal-1"], "{failing} {nth}");
            } else {
                assert!(nth == 1 && failing == "grow", "{failing} {nth} was not called");
            }
        }
    }
    let number = log.next();
    append(&mut log, &entry(number, &[2]), 0);
    assert_eq!(place.replay(log.salt(), 0).unwrap().len() as u64, log.next() - 1);
    assert_eq!(log.reserve(u64::MAX, 8).unwrap_err().kind(), ErrorKind::OutOfRange);
}

/// Finds a log that cannot be gone on with where it was not copied, for want of room.
#[test]
fn a_log_that_is_kept_goes_on_behind_its_last_commit() {
    let place = Place::new();
    let mut log = place.log(1);
    (1..=5).for_each(|number| append(&mut log, &commit_of(number, 60), 0));
    let (salt, segments, len_bytes) = (log.salt(), log.segments(), log.len_bytes());
    assert_eq!((segments, len_bytes), (3, 5 * (60 << 10)));
    drop(log);
    let mut kept = Log::keep(&place.data, FILE_ID, salt, 0, IMAGE_LEN).unwrap();
    assert_eq!((kept.salt(), kept.segments(), kept.next()), (salt, segments, 6));
    assert_eq!(kept.len_bytes(), len_bytes);
    append(&mut kept, &commit_of(6, 60), 5);
    assert_eq!((kept.segments(), kept.len_bytes()), (segments + 1, len_bytes + (60 << 10)));
    let found = place.replay(salt, 0).unwrap();
    assert!(found == (1..=6).map(|number| commit_of(number, 60)).collect::<Vec<_>>());
    kept.release(6, None);
    assert_eq!(kept.len_bytes(), 0);
}

#[test]
fn a_commit_may_change_every_record() {
    let place = Place::new();
    let mut log = place.log(1);
    let mut all = entry(1, &[0, 1, 2]);
    all.commit.counts.records = 3;
    append(&mut log, &all, 0);
    assert_eq!(place.replay(log.salt(), 0).unwrap(), [all]);
}

/// Finds a rule for the length of images that is applied where there are no images.
#[test]
fn without_images_their_length_means_nothing() {
    let place = Place::new();
    let mut log = place.log(1);
    let counted = entry(1, &[]);
    let images = Images { ids: &[], image_len: IMAGE_LEN + 1, pieces: &[] };
    log.reserve(0, IMAGE_LEN + 1).unwrap();
    log.append(&counted.commit, 0, &images).unwrap();
    assert_eq!(place.read("-wal-1")[512 + 92..][..4], (IMAGE_LEN + 1).to_le_bytes());
    assert_eq!(place.replay(log.salt(), 0).unwrap(), [counted]);
}
