use super::*;
use crate::format::{DataType, Field, Schema, new_header};
use crate::io::FileBacking;

const STRIDE: u64 = 100;
const D: u64 = 65_536;

/// A data file of `count` records, and a header that counts them.
struct Rig {
    _directory: tempfile::TempDir,
    data: FileBacking,
    header: Header,
}

impl Rig {
    fn new(count: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = FileBacking::create_new(directory.path().join("x")).unwrap();
        let schema = Schema::packed([Field::new("b", DataType::Binary(100))]).unwrap();
        let (mut header, _) = new_header(&schema, &b""[..], false, [7; 16]).unwrap();
        (header.counts.records, header.counts.live) = (count, count);
        let rig = Self { _directory: directory, data, header };
        rig.fill(0, count);
        rig
    }

    fn fill(&self, from: u64, to: u64) {
        let bytes: Vec<u8> =
            (from * STRIDE..to * STRIDE).map(|at| (at % 251) as u8 ^ (at >> 12) as u8).collect();
        self.data.write_at(D + from * STRIDE, &bytes).unwrap();
    }

    fn create(&self) -> Sums {
        Sums::create(&self.data, SUM_SUFFIX, &self.header).unwrap()
    }

    fn open(&self) -> Sums {
        Sums::open(&self.data, &self.header, true).unwrap().unwrap()
    }

    fn states(&self, sums: &Sums) -> Vec<BlockState> {
        let state = |block| {
            let bytes = read_block(&self.data, sums.bytes_of(block).start, BLOCK_BYTES).unwrap();
            sums.check_block(block, &bytes).unwrap()
        };
        (0..sums.blocks()).map(state).collect()
    }

    #[track_caller]
    fn all_sound(&self, sums: &Sums, blocks: usize) {
        assert_eq!(self.states(sums), vec![BlockState::Sound; blocks]);
    }

    fn flip(&self, offset: u64) {
        let mut byte = [0];
        self.data.read_at(offset, &mut byte).unwrap();
        self.data.write_at(offset, &[byte[0] ^ 1]).unwrap();
    }
}

fn end_of(count: u64) -> u64 {
    D + count * STRIDE
}

#[test]
fn appends_extend_and_a_flip_is_found_in_its_block() {
    let mut rig = Rig::new(0);
    let mut sums = rig.create();
    for count in [1, 2, 600, 655, 656, 657, 1311, 1312, 4000] {
        rig.fill(rig.header.counts.records, count);
        sums.reserve(end_of(count)).unwrap();
        sums.update(&rig.data, &[], end_of(count)).unwrap();
        rig.header.counts.records = count;
        rig.header.counts.commit += 1;
        sums.sync(rig.header.counts.commit).unwrap();
        rig.all_sound(&sums, (count * STRIDE).div_ceil(BLOCK_LEN_BYTES) as usize);
    }
    sums.trim().unwrap();
    let sums = rig.open();
    rig.all_sound(&sums, 7);
    rig.flip(D + 3 * BLOCK_LEN_BYTES);
    let states = rig.states(&sums);
    assert_eq!(states[3], BlockState::Changed);
    assert_eq!(states.iter().filter(|state| **state == BlockState::Sound).count(), 6);
    assert_eq!(sums.records_in(&sums.bytes_of(3)), 1966..2622);
}

#[test]
fn appended_bytes_do_not_hide_damage() {
    let mut rig = Rig::new(10);
    let mut sums = rig.create();
    rig.flip(D + 5);
    rig.fill(10, 20);
    sums.update(&rig.data, &[], end_of(20)).unwrap();
    assert_eq!(rig.states(&sums), [BlockState::Changed]);
    // Nor if the entry was lost.
    rig.header.counts.records = 20;
    sums.side.write_at(512, &[0; 8]).unwrap();
    assert_eq!(rig.states(&sums), [BlockState::Uncovered(0)]);
    rig.fill(20, 30);
    sums.update(&rig.data, &[], end_of(30)).unwrap();
    assert_eq!(rig.states(&sums), [BlockState::Doubted]);
}

#[test]
fn blocks_are_compared_before_a_change_and_summed_after() {
    let rig = Rig::new(2000);
    let mut sums = rig.create();
    sums = {
        drop(sums);
        rig.open()
    };
    let range = D + 70_000..D + 70_100;
    sums.before_change(&rig.data, std::slice::from_ref(&range)).unwrap();
    rig.flip(range.start);
    assert_eq!(rig.states(&sums)[1], BlockState::Changed);
    // This handle has compared the block and may change it.
    sums.before_change(&rig.data, std::slice::from_ref(&range)).unwrap();
    sums.update(&rig.data, &[range], end_of(2000)).unwrap();
    rig.all_sound(&sums, 4);

    rig.flip(D + 2 * BLOCK_LEN_BYTES + 9);
    let across = D + 2 * BLOCK_LEN_BYTES - 1..D + 2 * BLOCK_LEN_BYTES + 1;
    let error = rig.open().before_change(&rig.data, std::slice::from_ref(&across)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!((error.file_offset(), error.record_number()), (Some(D + 131_072), Some(1310)));
    let text = error.to_string();
    assert!(text.contains("block 2, bytes 196608..262144, records 1310..1967"), "{text}");
    let mut exempted = rig.open();
    exempted.exempt(std::slice::from_ref(&across)).unwrap();
    exempted.before_change(&rig.data, &[across]).unwrap();
}

#[test]
fn an_entry_from_before_a_crash_is_brought_back_to_the_count() {
    let rig = Rig::new(1000);
    let mut sums = rig.create();
    rig.fill(1000, 1200);
    sums.update(&rig.data, &[], end_of(1200)).unwrap();
    sums.sync(1).unwrap();
    // The header still counts 1000. That causes no false alarm,
    rig.all_sound(&rig.open(), 2);
    // not even when other bytes are written behind the count.
    let mut sums = rig.open();
    sums.settle(&rig.data, true).unwrap();
    rig.flip(end_of(1000));
    rig.all_sound(&rig.open(), 2);
    // Damage in counted bytes is still found.
    sums.update(&rig.data, &[], end_of(1200)).unwrap();
    rig.flip(end_of(1000) - 1);
    rig.open().settle(&rig.data, true).unwrap();
    assert_eq!(rig.states(&rig.open()), [BlockState::Sound, BlockState::Doubted]);
}

#[test]
fn truncation_shortens_the_last_entry() {
    let mut rig = Rig::new(2000);
    let mut sums = rig.create();
    for count in [1999, 1311, 1310, 700, 1] {
        sums.truncate(&rig.data, end_of(count)).unwrap();
        rig.flip(end_of(count));
        rig.header.counts.records = count;
        rig.all_sound(&rig.open(), (count * STRIDE).div_ceil(BLOCK_LEN_BYTES) as usize);
        rig.flip(end_of(count));
    }
    rig.fill(1, 2000);
    sums.update(&rig.data, &[], end_of(2000)).unwrap();
    rig.header.counts.records = 2000;
    rig.all_sound(&rig.open(), 4);
}

#[test]
fn foreign_stale_and_damaged_files_are_told_apart() {
    let mut rig = Rig::new(5);
    let find = |rig: &Rig, writable| Sums::find(&rig.data, &rig.header, writable);
    assert!(matches!(find(&rig, true), Ok(FoundSums::Absent)));
    let mut sums = rig.create();
    assert!(matches!(find(&rig, true), Ok(FoundSums::Kept(_))));
    rig.header.counts.commit = 3;
    assert!(matches!(find(&rig, true), Ok(FoundSums::Stale)));
    sums.sync(3).unwrap();
    assert!(matches!(find(&rig, true), Ok(FoundSums::Kept(_))));
    rig.header.file_id = [8; 16];
    assert!(matches!(find(&rig, true), Ok(FoundSums::Foreign)));
    sums.side.write_at(20, &[1]).unwrap();
    assert!(matches!(find(&rig, true), Ok(FoundSums::Damaged(_))));
    assert_eq!(is_sum_file(&rig.data).unwrap(), Some(true));
    sums.side.write_at(0, b"a user's file").unwrap();
    assert_eq!(is_sum_file(&rig.data).unwrap(), Some(false));
    Sums::remove(&rig.data).unwrap();
    assert_eq!(is_sum_file(&rig.data).unwrap(), Some(false), "a user's file stays");
}

#[test]
fn a_block_set_holds_what_was_added() {
    let mut set = BlockSet::default();
    for block in [700, 3, 64, 63, 3] {
        assert!(block == 3 || !set.contains(block));
        set.insert(block);
        assert!(set.contains(block));
    }
    assert_eq!(set.take(), [3, 63, 64, 700]);
    assert_eq!(set.take(), [0; 0]);
}

/// A header that counts 4 TiB of records is cheap to forge, and so is a checksum file of the
/// matching length. Only Linux reports holes.
#[test]
#[cfg(target_os = "linux")]
fn entries_in_a_hole_are_not_read() {
    use std::sync::atomic::{AtomicU64, Ordering};

    use crate::io::hooked::{Call, Hooked, Then};

    const BLOCKS: u64 = 1 << 26;
    let mut rig = Rig::new(0);
    drop(rig.create());
    let mut path = rig.data.path().unwrap().into_os_string();
    path.push(SUM_SUFFIX);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_len(offset_of_entry(BLOCKS)).unwrap();
    let count = BLOCKS * BLOCK_LEN_BYTES / STRIDE;
    (rig.header.counts.records, rig.header.counts.live) = (count, count);
    let reads = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&reads);
    let file = Arc::new(FileBacking::open(rig.data.path().unwrap(), true).unwrap());
    let data = Hooked::over(file, move |_: &_, _: &str, call: Call<'_>| {
        counted.fetch_add(u64::from(matches!(call, Call::Read { .. })), Ordering::Relaxed);
        Ok(Then::Forward)
    });
    let sums = Sums::open(&data, &rig.header, true).unwrap().unwrap();
    let doubted = [5, BLOCKS / 2, BLOCKS - 2];
    for block in doubted {
        sums.side.write_at(offset_of_entry(block), &BlockChecksum::DOUBTED.encode()).unwrap();
    }
    reads.store(0, Ordering::Relaxed);
    assert_eq!(sums.find_doubted(2).unwrap(), (vec![5, BLOCKS / 2], 3));
    let reads = reads.load(Ordering::Relaxed);
    assert!(reads < 12, "{reads} reads of {BLOCKS} entries");
}
