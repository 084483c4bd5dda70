//! The checksums that frames state of records in the array.

use super::*;
use crate::wal::long_append::SUMS_MAX;

fn sums(len: usize) -> Arc<LongAppendSums> {
    let mut sums = LongAppendSums::new();
    sums.add(&(0..len).map(|at| (at % 253) as u8).collect::<Vec<u8>>());
    Arc::new(sums)
}

fn written(image_counts: &[u64], len: usize) -> (Place, u64, Vec<Entry>) {
    let place = Place::new();
    let mut log = place.log(1);
    let entries: Vec<Entry> = (1..)
        .zip(image_counts)
        .map(|(number, &images)| {
            let ids: Vec<u64> = (0..images).collect();
            let mut entry = entry(number, &ids);
            entry.commit.long_append = Some(sums(len));
            append(&mut log, &entry, 0);
            entry
        })
        .collect();
    let salt = log.salt();
    (place, salt, entries)
}

/// A frame has as many sums as fit, whatever its images, and they cover all the bytes.
#[test]
fn a_replay_returns_as_many_sums_as_the_frame_has_room_for() {
    // Images of 24 bytes and their numbers, 32 bytes together: 11 leave 32 bytes of a sector, 12
    // fill it, and the last frame takes several writes.
    let images = [0, 1, 11, 12, 13, 10_000];
    let rooms = [96, 88, 8, 0, 120, 96];
    let len = 200 << 16;
    let (place, salt, entries) = written(&images, len);
    let found = place.replay(salt, 0).unwrap();
    for ((found, entry), room) in found.iter().zip(&entries).zip(rooms) {
        assert_eq!((&found.ids, &found.images), (&entry.ids, &entry.images));
        let mut expected = (**entry.commit.long_append.as_ref().unwrap()).clone();
        expected.fit((2 + room).min(SUMS_MAX));
        assert_eq!(
            found.commit.long_append.as_deref(),
            Some(&expected),
            "{} images",
            entry.ids.len()
        );
        assert_eq!(found.commit.counts.commit, entry.commit.counts.commit);
    }
    assert_eq!(found.len(), entries.len());
}

/// A frame's checksum does not cover the filling of its last sector: damaged sums there are
/// ignored, and the frame stays valid.
#[test]
fn damaged_sums_are_ignored() {
    let (place, salt, entries) = written(&[0, 1], 20 << 16);
    let whole: Vec<(std::ops::Range<u64>, u32)> =
        entries[0].commit.long_append.as_ref().unwrap().pieces().collect();
    assert_eq!(whole.len(), 20);
    for at in [512 + 128, 512 + 128 + 71] {
        let before = place.read("-wal-1");
        flip(&place.file("-wal-1"), at);
        let found = place.replay(salt, 0).unwrap();
        let pieces: Vec<_> = found[0].commit.long_append.as_ref().unwrap().pieces().collect();
        assert_eq!(pieces, whole[..2], "the sums in the head");
        assert_eq!(found[1].commit.long_append, entries[1].commit.long_append);
        place.write("-wal-1", &before);
    }
    // Bytes behind the sums mean nothing; the frame's checksum covers the sums in its head.
    flip(&place.file("-wal-1"), 512 + 128 + 72);
    assert_eq!(place.replay(salt, 0).unwrap(), entries);
    flip(&place.file("-wal-1"), 512 + 120);
    assert!(place.replay(salt, 0).unwrap_or_default().is_empty());
}
