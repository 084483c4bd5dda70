//! The common code of the benches: one record type, a store of such records, the other ways to
//! reach them, and criterion's settings.
//!
//! Each bench puts all ways of doing one thing into one group, so that they are measured in one run
//! and can be compared, the raw map and the store next to each other. Ratios hold on other
//! machines, times do not. The results of each way are checked outside the timed loop.

#![allow(dead_code, reason = "each bench uses its own part")]

pub(crate) mod calls;
pub(crate) mod raw;

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use flatrec::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};
use flatrec::{DynStore, Record, Store, le};
use raw::RawMap;
use tempfile::TempDir;

/// The number of records in every measurement.
pub(crate) const RECORDS: u64 = 1_000_000;
/// The length of a record.
pub(crate) const RECORD_BYTES: usize = 125;
/// The offset of the first record in a store.
pub(crate) const DATA_OFFSET: u64 = 65_536;
/// The records that a chunk of about 1 MiB holds.
pub(crate) const CHUNK_RECORDS: usize = (1 << 20) / RECORD_BYTES;

/// The record.
#[derive(
    Clone, Copy, Debug, PartialEq, Record, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[zerocopy(crate = "flatrec::zerocopy")]
#[repr(C, packed)]
pub(crate) struct Item {
    pub(crate) id: le::U64,
    pub(crate) value: le::U64,
    words: [le::U64; 13],
    tail: [u8; 5],
}

const _: () = assert!(size_of::<Item>() == RECORD_BYTES);

impl Item {
    /// The record with number `id` in every file.
    #[inline]
    pub(crate) fn new(id: u64) -> Self {
        let value = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self {
            id: id.into(),
            value: value.into(),
            words: [value.rotate_left(31).into(); 13],
            tail: [id as u8; 5],
        }
    }

    /// The bytes of a record as an item.
    #[inline]
    pub(crate) fn of(bytes: &[u8]) -> &Self {
        Self::ref_from_bytes(bytes).expect("125 bytes")
    }

    /// A sum that touches every word.
    #[inline]
    pub(crate) fn digest(&self) -> u64 {
        let words = self.words;
        let sum = words.iter().fold(self.two_fields(), |sum, word| sum.wrapping_add(word.get()));
        sum.wrapping_add(u64::from(self.tail[4]))
    }

    /// A sum that touches two fields.
    #[inline]
    pub(crate) fn two_fields(&self) -> u64 {
        self.id.get().wrapping_add(self.value.get())
    }
}

/// The sum of `of` over all records in their first state.
pub(crate) fn expected(of: impl Fn(&Item) -> u64) -> u64 {
    (0..RECORDS).fold(0, |sum, id| sum.wrapping_add(of(&Item::new(id))))
}

/// Every record's number once, in a random order that is the same each time.
pub(crate) fn shuffled_ids() -> Vec<u64> {
    let mut ids: Vec<u64> = (0..RECORDS).collect();
    let mut random = Random(1);
    for last in (1..ids.len()).rev() {
        ids.swap(last, random.below(last as u64 + 1) as usize);
    }
    ids
}

/// `xorshift64*`, which is enough to pick records.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % end
    }
}

/// A folder for this run, beside the build products (or in `FLATREC_BENCH_DIR`), because the temp
/// folder may lie in memory.
pub(crate) fn scratch() -> TempDir {
    let parent = std::env::var_os("FLATREC_BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    std::fs::create_dir_all(&parent).expect("the folder for scratch files");
    tempfile::tempdir_in(parent).expect("a scratch folder")
}

/// A store of all records, durable and in the cache, which every way reads: a store is a flat file.
pub(crate) struct Sample {
    pub(crate) path: PathBuf,
    _scratch: TempDir,
}

impl Sample {
    pub(crate) fn make() -> Self {
        let scratch = scratch();
        let path = scratch.path().join("sample.rec");
        let mut store = Store::<Item>::create(&path).expect("create the store");
        store.append_all((0..RECORDS).map(Item::new)).expect("fill the store");
        assert_eq!(store.info().expect("ask").data_offset, DATA_OFFSET);
        store.close().expect("close the store");
        Self { path, _scratch: scratch }
    }

    pub(crate) fn open_file(&self) -> File {
        File::options().read(true).write(true).open(&self.path).expect("open the file")
    }

    pub(crate) fn map_file(&self) -> RawMap {
        RawMap::new(&self.open_file(), DATA_OFFSET)
    }

    pub(crate) fn open_store(&self) -> Store<Item> {
        Store::open_read_only(&self.path).expect("open the store")
    }

    pub(crate) fn open_dyn_store(&self) -> DynStore {
        DynStore::open_read_only(&self.path).expect("open the store")
    }
}

/// The offset of record `id` in the file of a store.
#[inline]
pub(crate) fn place(id: u64) -> u64 {
    DATA_OFFSET + id * RECORD_BYTES as u64
}

/// The offset of the field `name` in a record of `store`.
pub(crate) fn offset_of_field(store: &DynStore, name: &str) -> usize {
    store.schema().field(name).expect("the field").offset() as usize
}

/// The little-endian number at `offset` in a record.
#[inline]
pub(crate) fn word_at(record: &[u8], offset: usize) -> u64 {
    let bytes = record[offset..offset + 8].first_chunk().expect("8 bytes");
    u64::from_le_bytes(*bytes)
}

/// Criterion with the options of the command line.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args()
}

/// A group with results per element.
pub(crate) fn group<'a>(
    criterion: &'a mut Criterion,
    name: &str,
    elements: u64,
) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(elements));
    group
}

/// Measures `work`, after a check that it returns `expected`.
pub(crate) fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    expected: u64,
    mut work: impl FnMut() -> u64,
) {
    assert_eq!(work(), expected, "{name} gives a wrong result");
    group.bench_function(name, |bencher| bencher.iter(&mut work));
    assert_eq!(work(), expected, "{name} gives a wrong result after it was measured");
}
