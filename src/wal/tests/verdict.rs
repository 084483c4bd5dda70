//! A log on disk for every row of the table that tells a torn end from damage.

use std::cmp::Ordering;

use super::damage::{SECTOR, change, number_at, put, seal_frame, small_log};
use super::*;
use crate::wal::format::SegmentHeader;
use crate::wal::verdict::{Ruling, Witness};

/// The commit at which the walk ends.
const MISSING: u64 = 4;

const OTHER_SALT: u64 = 0x5a17;
const OTHER_CHAIN: u64 = 0xc4a1;

/// Every possible witness.
fn witnesses() -> Vec<Witness> {
    let flags = [false, true];
    let orders = [Ordering::Less, Ordering::Equal, Ordering::Greater];
    let mut all = vec![Witness::Rest, Witness::Successor, Witness::Faceless];
    all.extend(flags.map(|holds_missing| Witness::Header { holds_missing }));
    for (of_chain, has_header) in flags.iter().flat_map(|a| flags.iter().map(move |b| (*a, *b))) {
        all.extend(orders.map(|first| Witness::Segment { of_chain, has_header, first }));
    }
    // Each kind is listed: a new one does not compile without a row here.
    for witness in &all {
        match witness {
            Witness::Header { .. } | Witness::Rest | Witness::Successor => {}
            Witness::Segment { .. } | Witness::Faceless => {}
        }
    }
    all
}

/// A log of one segment whose commit `MISSING` is damaged, without any proof that it was synced.
struct Rig {
    place: Place,
    salt: u64,
    entries: Vec<Entry>,
}

impl Rig {
    fn new() -> Self {
        let place = Place::new();
        let (salt, entries) = small_log(&place, false);
        let rig = Self { place, salt, entries };
        change(&rig.place, "-wal-1", |bytes| bytes[MISSING as usize * SECTOR + 50] ^= 1);
        rig
    }

    /// The frame of the first commit, moved to another segment.
    fn frame(&self, number: u64, synced: u64, chain: u64, salt: u64) -> Vec<u8> {
        let mut frame = self.place.read("-wal-1")[SECTOR..2 * SECTOR].to_vec();
        for (at, value) in [(32, salt), (40, number), (48, synced), (96, chain)] {
            put(&mut frame, at, value);
        }
        frame[88..92].copy_from_slice(&0xbad_u32.to_le_bytes());
        seal_frame(&mut frame, 0);
        frame
    }

    /// Writes a second segment of these sectors.
    fn write(&self, header: Option<SegmentHeader>, frames: &[Vec<u8>]) {
        let mut bytes = header.map_or(vec![0; SECTOR], |header| header.encode().to_vec());
        bytes.extend(frames.concat());
        bytes.resize(8 * SECTOR, 0);
        self.place.write("-wal-2", &bytes);
    }

    fn header(&self, chain: u64, previous_salt: u64, first: u64) -> SegmentHeader {
        SegmentHeader {
            file_id: FILE_ID,
            salt: OTHER_SALT,
            chain,
            len_bytes: 8 * SECTOR as u64,
            previous_salt,
            first,
            previous_crc: 0xbad,
        }
    }

    /// Adds a witness to the log. With `says`, the witness fulfils the condition of its row.
    fn call(&self, witness: Witness, says: bool) {
        let synced = if says { MISSING } else { MISSING - 1 };
        // The first segment begins the chain.
        let chain = self.salt;
        match witness {
            Witness::Header { .. } => {}
            Witness::Rest => change(&self.place, "-wal-1", |bytes| {
                put(bytes, 6 * SECTOR + 48, synced);
                seal_frame(bytes, 6 * SECTOR);
            }),
            Witness::Successor => self.write(Some(self.header(chain, self.salt, 9)), &[]),
            Witness::Faceless => {
                let zeros = vec![0; SECTOR];
                self.write(None, &[zeros, self.frame(9, synced, chain, OTHER_SALT)]);
            }
            Witness::Segment { of_chain, has_header, first } => {
                let chain = if of_chain { chain } else { OTHER_CHAIN };
                let first = match first {
                    Ordering::Less => MISSING - 1,
                    Ordering::Equal => MISSING,
                    Ordering::Greater => MISSING + 1,
                };
                let mut begun = self.frame(first, 0, chain, OTHER_SALT);
                if has_header && !says {
                    begun[100] ^= 1;
                }
                let frames = [begun, self.frame(9, synced, chain, OTHER_SALT)];
                self.write(has_header.then(|| self.header(chain, 0x0dd, first)), &frames);
            }
        }
    }

    fn replay(&self, witness: Witness) -> Result<Vec<Entry>> {
        let holds_missing = matches!(witness, Witness::Header { holds_missing: true });
        let after = if holds_missing { MISSING } else { MISSING - 1 };
        self.place.replay(self.salt, after)
    }
}

#[test]
fn every_row_of_the_table_decides_a_log() {
    let rows = witnesses();
    assert_eq!(rows.len(), 17);
    for witness in rows {
        for says in [false, true] {
            let rig = Rig::new();
            rig.call(witness, says);
            let is_damaged = match witness.ruling() {
                Ruling::Silent => false,
                Ruling::Damaged => true,
                Ruling::DamagedIfAFrameSaysSo | Ruling::DamagedIfBegun => says,
            };
            let replayed = rig.replay(witness);
            if is_damaged {
                let said = format!("commit {MISSING} was synced and is damaged");
                let error = replayed.expect_err(&format!("{witness:?}"));
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{witness:?}");
                assert!(error.to_string().contains(&said), "{witness:?}: {error}");
            } else {
                assert_eq!(replayed.unwrap(), [], "{witness:?}, says: {says}");
            }
        }
    }
}

/// The table itself, row by row, so that a change shows beside its reasons.
#[test]
fn the_table_is_as_docs_durability_argues() {
    let damaged = [
        (Witness::Header { holds_missing: true }, Ruling::Damaged),
        (Witness::Successor, Ruling::Damaged),
        (Witness::Rest, Ruling::DamagedIfAFrameSaysSo),
        (Witness::Faceless, Ruling::DamagedIfAFrameSaysSo),
    ];
    let segment = |witness: &Witness| match *witness {
        Witness::Segment { of_chain: true, has_header: true, first: Ordering::Greater } => {
            Ruling::DamagedIfBegun
        }
        Witness::Segment { of_chain: true, has_header: false, .. } => Ruling::DamagedIfAFrameSaysSo,
        _ => Ruling::Silent,
    };
    for witness in witnesses() {
        let listed = damaged.iter().find(|(listed, _)| *listed == witness);
        let expected = listed.map_or_else(|| segment(&witness), |(_, ruling)| *ruling);
        assert_eq!(witness.ruling(), expected, "{witness:?}");
    }
}

/// Finds a log that is called damaged for what frames say that do not continue it: those of another
/// store or segment, and those of a chain that an earlier writer gave up.
#[test]
fn only_a_later_frame_of_the_same_segment_proves_a_sync() {
    let rig = Rig::new();
    let beside = |field: usize, value: u64| {
        let mut frame = rig.frame(9, MISSING, rig.salt, rig.salt);
        put(&mut frame, field, value);
        seal_frame(&mut frame, 0);
        change(&rig.place, "-wal-1", |bytes| bytes[6 * SECTOR..7 * SECTOR].copy_from_slice(&frame));
        rig.replay(Witness::Rest)
    };
    assert_corrupt(beside(40, 9), "commit 9 records the sync, at byte 3072");
    for (field, value) in
        [(16, 7), (32, OTHER_SALT), (40, MISSING), (48, MISSING - 1), (96, OTHER_CHAIN)]
    {
        assert_eq!(beside(field, value).unwrap(), [], "the frame has {value} at byte {field}");
    }
}

/// Finds a search that does not look at the last bytes of a file that was cut, or reads past them.
#[test]
fn a_frame_in_the_last_bytes_of_a_file_proves_a_sync() {
    let rig = Rig::new();
    rig.call(Witness::Rest, true);
    let whole = rig.place.read("-wal-1");
    let last = 6 * SECTOR;
    let frame_len = 128 + 2 * (8 + IMAGE_LEN as usize);
    for (len, is_whole) in
        [(frame_len + 1, true), (frame_len, true), (frame_len - 1, false), (50, false), (4, false)]
    {
        rig.place.write("-wal-1", &whole[..last + len]);
        let replayed = rig.replay(Witness::Rest);
        match is_whole {
            true => assert_corrupt(replayed, "commit 4 was synced and is damaged"),
            false => assert_eq!(replayed.unwrap(), [], "{len} bytes of the frame"),
        }
    }
}

/// Finds a search that sums the wrong bytes of a frame in which a damaged one ends.
#[test]
fn a_frame_in_which_another_ends_proves_a_sync() {
    let rig = Rig::new();
    rig.call(Witness::Rest, true);
    let images: usize = 13;
    assert_eq!((128 + images * 32) % SECTOR, 32, "inside the next frame");
    change(&rig.place, "-wal-1", |bytes| {
        put(bytes, 5 * SECTOR + 48, MISSING);
        put(bytes, 5 * SECTOR + 80, images as u64);
        put(bytes, 5 * SECTOR + 8, images as u64 * 32);
    });
    assert_corrupt(rig.replay(Witness::Rest), "commit 6 records the sync, at byte 3072");
}

/// Finds a log that is called damaged after a power cut, because a segment of it was used again and
/// still has a frame of its earlier use.
#[test]
fn a_frame_of_an_earlier_use_does_not_begin_a_segment() {
    let rig = Rig::new();
    let header = rig.header(rig.salt, 0x0dd, MISSING + 1);
    for (salt, is_begun) in [(OTHER_SALT - 1, false), (OTHER_SALT, true)] {
        rig.write(Some(header), &[rig.frame(MISSING + 1, 0, rig.salt, salt)]);
        let replayed = rig.replay(Witness::Rest);
        match is_begun {
            true => assert_corrupt(replayed, "commit 5 was written after it"),
            false => assert_eq!(replayed.unwrap(), []),
        }
    }
}

/// Finds a log that goes on, without an error, in a segment that continues another commit than the
/// last one that is left.
#[test]
fn a_successor_continues_the_log_in_number_and_checksum() {
    let rig = Rig::new();
    let last_crc = u32::try_from(number_at(&rig.place.read("-wal-1"), 3 * SECTOR) >> 32).unwrap();
    for (first, previous_crc, is_lost) in
        [(MISSING, last_crc, false), (MISSING, 0xbad, true), (MISSING + 1, last_crc, true)]
    {
        let header = rig.header(rig.salt, rig.salt, first);
        rig.write(Some(SegmentHeader { previous_crc, ..header }), &[]);
        let replayed = rig.replay(Witness::Successor);
        match is_lost {
            true => assert_corrupt(replayed, &format!("was begun after it, with commit {first}")),
            false => assert_eq!(replayed.unwrap(), []),
        }
    }
}

/// A power cut leaves such a log.
#[test]
fn without_a_witness_the_end_is_torn() {
    let rig = Rig::new();
    assert_eq!(rig.place.replay(rig.salt, 0).unwrap(), rig.entries[..MISSING as usize - 1]);
}
