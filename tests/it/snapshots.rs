//! Compares everything that a snapshot shows with a map of the records: one by one, from both ends,
//! in chunks and in batches, with and without deletes, with none, some and all of the records in
//! the log, and beside a writer.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use flatrec::{
    Chunk, CreateOptions, DataType, Database, Durability, DynDatabase, Field, PodRecord, Row,
    Schema, Snapshot, Store, WriteTransaction,
};
use proptest::prelude::*;

use crate::support::random::Random;

/// A record of three words that follow from a number.
type Words = PodRecord<[u64; 3]>;

const RECORD_BYTES: usize = 24;

fn words(n: u64) -> Words {
    PodRecord([n, n.rotate_left(7), !n])
}

/// Rows that follow from a number.
trait Numbered: Row {
    fn number(&self) -> u64;
    fn with<V>(n: u64, use_row: impl FnOnce(&Self) -> V) -> V;
    /// The numbers of a chunk's rows, if the chunk is one slice.
    fn slice(chunk: &Chunk<'_, Self>) -> Option<Vec<u64>>;
    fn create(path: &Path, options: CreateOptions<Database<Self>>) -> Database<Self>;
}

impl Numbered for Words {
    fn number(&self) -> u64 {
        assert_eq!(*self, words(self.0[0]), "a record is torn");
        self.0[0]
    }

    fn with<V>(n: u64, use_row: impl FnOnce(&Self) -> V) -> V {
        use_row(&words(n))
    }

    fn slice(chunk: &Chunk<'_, Self>) -> Option<Vec<u64>> {
        let found = chunk.as_slice().map(|rows| rows.iter().map(Numbered::number).collect());
        assert_eq!(found.is_some(), chunk.as_bytes().is_some());
        found
    }

    fn create(path: &Path, options: CreateOptions<Database<Self>>) -> Database<Self> {
        options.create(path).unwrap()
    }
}

impl Numbered for [u8] {
    fn number(&self) -> u64 {
        let word = |at: usize| u64::from_ne_bytes(self[at * 8..][..8].try_into().unwrap());
        assert_eq!(self.len(), RECORD_BYTES);
        words(word(0)).0.iter().enumerate().for_each(|(at, &it)| assert_eq!(word(at), it));
        word(0)
    }

    fn with<V>(n: u64, use_row: impl FnOnce(&Self) -> V) -> V {
        use_row(&words(n).0.map(u64::to_ne_bytes).concat())
    }

    fn slice(chunk: &Chunk<'_, Self>) -> Option<Vec<u64>> {
        Some(chunk.as_bytes()?.chunks(RECORD_BYTES).map(Numbered::number).collect())
    }

    fn create(path: &Path, options: CreateOptions<Database<Self>>) -> Database<Self> {
        let fields = ["a", "b", "c"].map(|name| Field::new(name, DataType::UInt64));
        options.create(path, &Schema::packed(fields).unwrap()).unwrap()
    }
}

/// What the records should be.
#[derive(Clone, Default)]
struct Model {
    deletes: bool,
    count: u64,
    live: BTreeMap<u64, u64>,
    /// The records in the log that the array does not hold.
    in_log: BTreeSet<u64>,
}

impl Model {
    fn set<R: Numbered + ?Sized>(
        &mut self,
        transaction: &mut WriteTransaction<'_, R>,
        id: u64,
        n: u64,
    ) {
        if let Some(there) = self.live.get_mut(&id) {
            *there = n;
            R::with(n, |row| transaction.set(id, row)).unwrap();
            self.in_log.insert(id);
        }
    }

    fn append<R: Numbered + ?Sized>(&mut self, transaction: &mut WriteTransaction<'_, R>, n: u64) {
        let id = R::with(n, |row| transaction.append(row)).unwrap();
        assert_eq!(id, self.count);
        self.count += 1;
        self.live.insert(id, n);
        self.in_log.insert(id);
    }

    fn delete<R: Numbered + ?Sized>(&mut self, transaction: &mut WriteTransaction<'_, R>, id: u64) {
        if self.deletes && self.live.remove(&id).is_some() {
            transaction.delete(id).unwrap();
            self.in_log.insert(id);
        }
    }

    fn range(&self, ids: Range<u64>) -> impl DoubleEndedIterator<Item = (u64, u64)> + '_ {
        let start = ids.start.min(ids.end);
        self.live.range(start..ids.end).map(|(&id, &n)| (id, n))
    }

    /// Checks the snapshot in every way.
    fn check<R: Numbered + ?Sized>(&self, snapshot: &Snapshot<R>, random: &mut Random) {
        assert_eq!((snapshot.count(), snapshot.live_count()), (self.count, self.live.len() as u64));
        let all = snapshot.iter().map(|(id, row)| (id, row.number()));
        assert!(all.eq(self.range(0..self.count)));
        for _ in 0..4 {
            let ids = random.range(self.count);
            self.check_range(snapshot, ids.clone());
            self.check_both_ends(snapshot, ids.clone(), random);
            let records = [1, 2, 7, 64, self.count.max(1), u64::MAX][random.below(6) as usize];
            self.check_chunks(snapshot, ids, records);
            self.check_batch(snapshot, random);
        }
    }

    fn check_range<R: Numbered + ?Sized>(&self, snapshot: &Snapshot<R>, ids: Range<u64>) {
        let found = || snapshot.range(ids.clone()).map(|(id, row)| (id, row.number()));
        assert!(found().eq(self.range(ids.clone())), "{ids:?}");
        assert!(found().rev().eq(self.range(ids.clone()).rev()), "{ids:?} from the end");
        // `collect` of a chain calls `fold`, not `next`.
        let folded: Vec<_> = found().chain([]).collect();
        assert!(folded.into_iter().eq(self.range(ids.clone())));
        let expected = self.range(ids.clone()).count();
        let (least, most) = snapshot.range(ids.clone()).size_hint();
        assert!(least <= expected && expected <= most.unwrap());
        assert!(self.deletes || (least, most) == (expected, Some(expected)));
    }

    /// Calls `next`, `next_back`, `nth` and `nth_back` on clones in random order.
    fn check_both_ends<R: Numbered + ?Sized>(
        &self,
        snapshot: &Snapshot<R>,
        ids: Range<u64>,
        random: &mut Random,
    ) {
        let mut found = snapshot.range(ids.clone());
        let mut expected: Vec<_> = self.range(ids.clone()).collect();
        loop {
            let skipped = [0, 0, 1, 5, 70, 1000][random.below(6) as usize];
            let len = expected.len();
            let (one, other) = if random.below(2) == 0 {
                let other = expected.drain(..(skipped + 1).min(len)).nth(skipped);
                (if skipped == 0 { found.next() } else { found.nth(skipped) }, other)
            } else {
                let from = len.saturating_sub(skipped + 1);
                let other = expected.drain(from..).rev().nth(skipped);
                (if skipped == 0 { found.next_back() } else { found.nth_back(skipped) }, other)
            };
            let one = one.map(|(id, row)| (id, row.number()));
            assert_eq!(
                one, other,
                "the iterators differ after {skipped} skipped records of {ids:?}"
            );
            assert!(self.deletes || found.size_hint().0 == expected.len());
            if random.below(8) == 0 {
                found = found.clone();
            }
            if one.is_none() {
                assert!(expected.is_empty() && found.next().is_none() && found.nth(2).is_none());
                return;
            }
        }
    }

    fn check_chunks<R: Numbered + ?Sized>(
        &self,
        snapshot: &Snapshot<R>,
        ids: Range<u64>,
        records: u64,
    ) {
        let start = ids.start.min(self.count);
        let mut at = start;
        let end = ids.end.clamp(start, self.count);
        let chunks = snapshot.chunks(ids, records);
        assert_eq!(chunks.len() as u64, (end - at).div_ceil(records));
        let mut from_behind: Vec<_> = chunks.clone().rev().map(|chunk| chunk.ids()).collect();
        for (number, chunk) in chunks.clone().enumerate() {
            assert_eq!(chunk.ids(), at..end.min(at.saturating_add(records)));
            assert_eq!(from_behind.pop(), Some(chunk.ids()));
            assert_eq!(chunks.clone().nth(number).map(|chunk| chunk.ids()), Some(chunk.ids()));
            at = chunk.ids().end;
            let found = chunk.iter().map(|(id, row)| (id, row.number()));
            assert!(found.eq(self.range(chunk.ids())));
            let in_log = self.in_log.range(chunk.ids()).next().is_some();
            let slice = R::slice(&chunk);
            assert_eq!(slice.is_some(), !in_log && !self.deletes, "{:?}", chunk.ids());
            if let Some(rows) = slice {
                assert!(rows.into_iter().eq(self.range(chunk.ids()).map(|(_, n)| n)));
            }
        }
        assert_eq!(at, end);
        assert!(from_behind.is_empty() && chunks.clone().nth(chunks.len()).is_none());
        self.check_parallel(snapshot, start..end, records);
    }

    #[cfg(feature = "rayon")]
    fn check_parallel<R: Numbered + ?Sized>(
        &self,
        snapshot: &Snapshot<R>,
        ids: Range<u64>,
        records: u64,
    ) {
        use rayon::iter::{IndexedParallelIterator, ParallelIterator};
        let chunks = snapshot.par_chunks(ids.clone(), records);
        assert_eq!(chunks.len(), snapshot.chunks(ids.clone(), records).len());
        let rows = |chunk: Chunk<'_, R>| -> Vec<_> {
            chunk.iter().map(|(id, row)| (id, row.number())).collect()
        };
        let found: Vec<Vec<_>> = chunks.map(rows).collect();
        assert!(found.into_iter().flatten().eq(self.range(ids)));
    }

    #[cfg(not(feature = "rayon"))]
    fn check_parallel<R: Row + ?Sized>(&self, _: &Snapshot<R>, _: Range<u64>, _: u64) {}

    fn check_batch<R: Numbered + ?Sized>(&self, snapshot: &Snapshot<R>, random: &mut Random) {
        let len = [0, 1, 63, 64, 500][random.below(5) as usize];
        // Some numbers twice, some past the end.
        let mut ids: Vec<u64> = (0..len).map(|_| random.below(self.count * 9 / 8 + 1)).collect();
        ids.extend(ids.first().copied());
        if random.below(4) == 0 {
            ids.push(u64::MAX);
        }
        let found = snapshot.get_many(&ids);
        let expected = ids.iter().map(|id| self.live.get(id).copied());
        assert!(found.iter().map(|row| row.map(Numbered::number)).eq(expected), "{ids:?}");
        assert!(
            ids.iter().all(|&id| snapshot.get(id).map(R::number) == self.live.get(&id).copied())
        );
    }
}

trait Ranges {
    /// A random range, which may be empty, reversed, or end past `count`.
    fn range(&mut self, count: u64) -> Range<u64>;
}

impl Ranges for Random {
    fn range(&mut self, count: u64) -> Range<u64> {
        let start = self.below(count * 9 / 8 + 1);
        match self.below(6) {
            0 => start..start,
            1 => start..start.saturating_sub(3),
            2 => start..u64::MAX,
            3 => start..start + self.below(20),
            4 => 0..start,
            _ => start..start + self.below(count + 1),
        }
    }
}

/// Commits random changes to parts of the records, with checkpoints between some of them.
fn history<R: Numbered + ?Sized>(deletes: bool, records: u64, part: u64, seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let options = Database::<R>::create_options().checkpoint_at(u64::MAX).deletes(deletes);
    let database = R::create(&directory.path().join("numbers.rec"), options);
    let random = &mut Random::new(seed);
    let mut model = Model { deletes, ..Model::default() };
    let mut held = Vec::new();
    for round in 0..7 {
        let mut transaction = database.begin_write().unwrap();
        for _ in 0..random.below(records) / (round + 1) {
            model.append(&mut transaction, random.below(1 << 40));
        }
        for _ in 0..model.count * part / 100 {
            let id = random.below(model.count);
            match random.below(5) {
                0 => model.delete(&mut transaction, id),
                _ => model.set(&mut transaction, id, random.below(1 << 40)),
            }
        }
        if part == 100 {
            (0..model.count).for_each(|id| model.set(&mut transaction, id, id ^ round));
        }
        transaction.commit(Durability::Eventual).unwrap();
        model.check(&database.begin_read().unwrap(), random);
        if random.below(2) == 0 {
            held.push((database.begin_read().unwrap(), model.clone()));
        } else if random.below(2) == 0 {
            held.drain(..).for_each(|(snapshot, model)| model.check(&snapshot, random));
            assert_eq!(database.checkpoint().unwrap().held_back(), None);
            model.in_log.clear();
            model.check(&database.begin_read().unwrap(), random);
        }
    }
    held.into_iter().for_each(|(snapshot, model)| model.check(&snapshot, random));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Finds a way to read a snapshot that shows other records than the model.
    #[test]
    fn a_snapshot_shows_the_committed_records(
        deletes in any::<bool>(),
        records in prop_oneof![1u64..40, 1u64..3000],
        part in prop_oneof![Just(0u64), Just(1), 2u64..20, Just(100)],
        seed in any::<u64>(),
    ) {
        history::<Words>(deletes, records, part, seed);
        history::<[u8]>(deletes, records, part, seed);
    }
}

fn filled(path: &Path, records: u64) -> Database<Words> {
    let database = Database::<Words>::create(path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for n in 0..records {
        transaction.append(&words(n)).unwrap();
    }
    transaction.commit(Durability::Immediate).unwrap();
    assert_eq!(database.checkpoint().unwrap().held_back(), None);
    database
}

/// Finds an iterator that maps an empty range or divides by its length.
#[test]
fn an_empty_store_gives_empty_iterators() {
    let directory = tempfile::tempdir().unwrap();
    let database = filled(&directory.path().join("numbers.rec"), 0);
    let snapshot = database.begin_read().unwrap();
    assert!(snapshot.iter().next().is_none() && snapshot.iter().next_back().is_none());
    assert!(snapshot.range(3..9).nth(1).is_none());
    assert_eq!(snapshot.chunks(0..9, 4).len(), 0);
    assert!(snapshot.chunks(0..9, 4).next().is_none());
    assert!(snapshot.chunks(0..9, 4).next_back().is_none());
    assert_eq!(snapshot.get_many(&[0, 1]), [None, None]);
    assert_eq!(snapshot.get_many(&[5; 1000]), [None; 1000]);
    assert!(snapshot.get_many(&[]).is_empty());
}

/// Finds an iterator over chunks of zero records, which would never end.
#[test]
#[should_panic(expected = "a chunk must have at least one record")]
fn chunks_of_zero_records_panic() {
    let directory = tempfile::tempdir().unwrap();
    let database = filled(&directory.path().join("numbers.rec"), 3);
    let _chunks = database.begin_read().unwrap().chunks(0..3, 0);
}

/// Finds a chunk that is not a slice although none of its records is in the log.
#[test]
fn a_record_in_the_log_affects_the_slice_of_its_chunk_only() {
    let directory = tempfile::tempdir().unwrap();
    let database = filled(&directory.path().join("numbers.rec"), 10_000);
    for id in [0, 2999, 5000, 9999] {
        let mut transaction = database.begin_write().unwrap();
        transaction.set(id, &words(id + 1)).unwrap();
        transaction.commit(Durability::Immediate).unwrap();
    }
    let snapshot = database.begin_read().unwrap();
    let slices: Vec<bool> =
        snapshot.chunks(0..10_000, 1000).map(|chunk| chunk.as_slice().is_some()).collect();
    assert_eq!(slices, [false, true, false, true, true, false, true, true, true, false]);
    let chunk = snapshot.chunks(3000..5000, 9999).next().unwrap();
    assert_eq!(chunk.as_slice().map(<[Words]>::len), Some(2000));
    // The slice lies in the array and is not a copy.
    let rows = chunk.as_slice().unwrap();
    assert!(std::ptr::eq(&raw const rows[7], snapshot.get(3007).unwrap()));
    assert_eq!(snapshot.get_many(&[2999, 3000]), [Some(&words(3000)), Some(&words(3000))]);
}

/// Finds a row that includes the status byte. Records of 9 bytes with deletes lie 10 bytes apart
/// and have no alignment.
#[test]
fn rows_of_bytes_exclude_the_status_byte() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bytes.rec");
    let schema = Schema::packed([Field::new("b", DataType::Binary(9))]).unwrap();
    let database = DynDatabase::create_options().deletes(true).create(&path, &schema).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for n in 0..200 {
        transaction.append(&[n, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    }
    transaction.delete(77).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    for _ in 0..2 {
        let snapshot = database.begin_read().unwrap();
        let expected =
            (0..200).filter(|&n| n != 77).map(|n| (u64::from(n), [n, 1, 2, 3, 4, 5, 6, 7, 8]));
        assert!(snapshot.iter().map(|(id, row)| (id, row.try_into().unwrap())).eq(expected));
        assert!(snapshot.chunks(0..200, 50).all(|chunk| chunk.as_bytes().is_none()));
        assert_eq!(snapshot.range(70..80).map(|(id, _)| id).nth(7), Some(78));
        drop(snapshot);
        database.checkpoint().unwrap();
    }
}

/// Sets a flag when it is dropped, also in a panic, so that the other threads end.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Finds a snapshot that changes while a writer commits and brings its log to the array.
#[test]
fn a_snapshot_does_not_change_beside_a_writer() {
    const RECORDS: u64 = 5000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("numbers.rec");
    drop(filled(&path, RECORDS));
    let database = Database::<Words>::options().checkpoint_at(64 << 10).open(&path).unwrap();
    let (done, checkpoints) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let (database, done, checkpoints) = (&database, &done, &checkpoints);
        let writer = scope.spawn(move || {
            let random = &mut Random::new(5);
            for commit in 1.. {
                let mut transaction = database.begin_write().unwrap();
                // A commit changes all records of one residue class to its number.
                let step = 1 + random.below(40);
                for id in (random.below(step)..RECORDS).step_by(step as usize) {
                    transaction.set(id, &words(commit)).unwrap();
                }
                transaction.commit(Durability::Eventual).unwrap();
                if commit % 16 == 0 {
                    let written = database.checkpoint().unwrap().records();
                    checkpoints.fetch_add(u64::from(written > 0), Relaxed);
                }
                if done.load(Relaxed) {
                    break;
                }
            }
        });
        let _end = SetAtEnd(done);
        let random = &mut Random::new(9);
        let mut snapshots = 0;
        while snapshots < 300 || checkpoints.load(Relaxed) < 3 {
            let snapshot = database.begin_read().unwrap();
            let one_by_one = (0..RECORDS).map(|id| (id, snapshot.get(id).unwrap().number()));
            let live: BTreeMap<u64, u64> = one_by_one.collect();
            let count = RECORDS;
            let model = Model { count, live, ..Model::default() };
            model.check_range(&snapshot, random.range(RECORDS));
            model.check_both_ends(&snapshot, random.range(RECORDS), random);
            model.check_batch(&snapshot, random);
            for chunk in snapshot.chunks(0..RECORDS, 1 + random.below(500)) {
                if let Some(rows) = Words::slice(&chunk) {
                    assert!(rows.into_iter().eq(model.range(chunk.ids()).map(|(_, n)| n)));
                }
                let found = chunk.iter().map(|(id, row)| (id, row.number()));
                assert!(found.eq(model.range(chunk.ids())));
            }
            snapshots += 1;
            assert!(!writer.is_finished(), "the writer panicked");
        }
    });
    database.close().unwrap();
    assert_eq!(Store::<Words>::open(&path).unwrap().iter().count(), 5000);
}
