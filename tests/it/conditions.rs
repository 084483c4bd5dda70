//! Conditions on whole handles: what `filter`, `count_where`, `copies(..).matching` and their
//! parallel forms find, against [`Filter::matches`] for each record.
#![cfg(feature = "query")]

use std::path::Path;

use flatrec::query::Filter;
use flatrec::{
    DataType, Durability, DynDatabase, DynStore, DynWindowedStore, ErrorKind, Field, Result, Schema,
};

/// More than two batches, in records of an odd length.
const RECORDS: u64 = 5000;
const CONDITIONS: [&str; 4] =
    ["n BETWEEN 2000 AND 4500 AND x < 50", "x = 7 OR x IS NULL", "NOT x <> 7", "n < 0"];

fn schema() -> Schema {
    Schema::packed([
        Field::new("n", DataType::Int64),
        Field::new("x", DataType::UInt8).nullable(),
        Field::new("text", DataType::Binary(90)),
    ])
    .unwrap()
}

fn record(n: u64) -> Vec<u8> {
    let mut record = vec![0xAB; 100];
    record[..8].copy_from_slice(&n.to_le_bytes());
    record[8] = u8::from(n % 11 != 0);
    record[9] = (n % 100) as u8;
    record
}

fn make(path: &Path, deletes: bool) {
    let mut store = DynStore::create_options().deletes(deletes).create(path, &schema()).unwrap();
    store.append_all((0..RECORDS).map(record)).unwrap();
    store.close().unwrap();
}

/// A commit that changes single records and adjacent ones, appends, and deletes if `deletes`.
fn change(database: &DynDatabase, deletes: bool) {
    let mut transaction = database.begin_write().unwrap();
    for id in [0, 17, 2048, 2049, 2050, 4096, RECORDS - 1] {
        transaction.set(id, &record(2000 + id / 10 * 100 + 7)).unwrap();
    }
    for n in 0..300 {
        transaction.append(&record(n)).unwrap();
    }
    if deletes {
        for id in [1, 18, 2047, 2100, 3007, RECORDS + 5] {
            assert!(transaction.delete(id).unwrap());
        }
    }
    transaction.commit(Durability::Immediate).unwrap();
}

type Found = Vec<(u64, Vec<u8>)>;

fn expected<'a>(filter: &Filter, records: impl Iterator<Item = (u64, &'a [u8])>) -> Found {
    let matching = records.filter(|(_, record)| filter.matches(record).unwrap());
    matching.map(|(id, record)| (id, record.to_vec())).collect()
}

fn owned<'a>(found: impl Iterator<Item = Result<(u64, &'a [u8])>>) -> Found {
    found.map(|it| it.map(|(id, record)| (id, record.to_vec())).unwrap()).collect()
}

/// Compares all calls of a handle with the records that it iterates over.
macro_rules! agrees {
    ($handle:expr, $what:expr) => {
        for condition in CONDITIONS {
            let filter = Filter::parse(condition, &schema()).unwrap();
            let expected = expected(&filter, $handle.iter());
            assert!(condition == "n < 0" || expected.len() > 10, "{condition}");
            let count = expected.len() as u64;
            assert!(owned($handle.filter(&filter)) == expected, "{condition}, {}", $what);
            assert_eq!($handle.count_where(&filter).unwrap(), count, "{condition}, {}", $what);
            let copies: Found =
                $handle.copies(..).matching(&filter).collect::<Result<_>>().unwrap();
            assert!(copies == expected, "{condition}, {}", $what);
            let counted = $handle.copies(..).matching(&filter).count_records().unwrap();
            assert_eq!(counted, count, "{condition}, {}", $what);
            let counted = $handle.copies(..).matching(&filter).par_count_records(2).unwrap();
            assert_eq!(counted, count, "{condition}, {}", $what);
            for ids in [0..1, 2040..2060, 18..4097, 4999..9999] {
                let within = expected.iter().filter(|(id, _)| ids.contains(id));
                let within: Found = within.cloned().collect();
                let some = $handle.filter(&filter).within(ids.clone());
                assert!(owned(some) == within, "{condition} in {ids:?}, {}", $what);
                let counted = $handle.filter(&filter).within(ids.clone()).count_records();
                assert_eq!(counted.unwrap(), within.len() as u64, "{condition} in {ids:?}");
                let copies = $handle.copies(ids).matching(&filter).count_records().unwrap();
                assert_eq!(copies, within.len() as u64);
            }
            #[cfg(feature = "rayon")]
            {
                use rayon::iter::ParallelIterator as _;
                let found: Result<Vec<_>> = $handle.par_filter(&filter).collect();
                assert!(owned(found.unwrap().into_iter().map(Ok)) == expected, "{condition}");
                assert_eq!($handle.par_count_where(&filter).unwrap(), count, "{condition}");
            }
        }
    };
}

/// Finds a batch that misses an image of the log, shows what lies beneath it, or counts deleted
/// records.
#[test]
fn every_handle_finds_the_records_that_match() {
    for deletes in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("numbers.rec");
        make(&path, deletes);
        let store = DynStore::open_read_only(&path).unwrap();
        agrees!(store, "a store");
        drop(store);

        let database = DynDatabase::open(&path).unwrap();
        let snapshot = database.begin_read().unwrap();
        agrees!(snapshot, "a snapshot without images");
        drop(snapshot);
        change(&database, deletes);
        let snapshot = database.begin_read().unwrap();
        assert_eq!(snapshot.count(), RECORDS + 300);
        agrees!(snapshot, "a snapshot beside a log");
        let store = DynStore::open_read_only(&path).unwrap();
        agrees!(store, "a store beside a log");
        let windowed = DynWindowedStore::open_read_only(&path).unwrap();
        for condition in CONDITIONS {
            let filter = Filter::parse(condition, &schema()).unwrap();
            let expected = expected(&filter, store.iter());
            assert_eq!(windowed.count_where(&filter).unwrap(), expected.len() as u64);
            let found: Result<Found> = windowed.filter(&filter).collect();
            assert!(found.unwrap() == expected, "{condition}");
        }
    }
}

/// Finds a batch that misses records in an append buffer.
#[test]
fn appended_records_match_before_a_flush() {
    let mut store = DynStore::temporary(&schema()).unwrap();
    store.append_all((0..3000).map(record)).unwrap();
    store.flush().unwrap();
    store.append_all((3000..RECORDS).map(record)).unwrap();
    agrees!(store, "a store with appended records");
}

/// Damages presence bytes of `x` and status bytes in the file of a closed store.
fn damage(path: &Path, presence: &[u64], status: &[u64]) {
    let stride = 101;
    let mut bytes = std::fs::read(path).unwrap();
    for id in presence {
        bytes[65_536 + usize::try_from(id * stride).unwrap() + 8] = 7;
    }
    for id in status {
        bytes[65_536 + usize::try_from(id * stride).unwrap() + 100] = 9;
    }
    std::fs::write(path, bytes).unwrap();
}

/// Finds damage that is passed over, named with another record, or that ends the walk.
#[test]
fn damaged_records_are_errors_and_the_walk_continues() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("numbers.rec");
    make(&path, true);
    damage(&path, &[3, 2100, 2101], &[5, 4000]);
    let store = DynStore::open_read_only(&path).unwrap();
    let database = DynDatabase::open_read_only(&path).unwrap();
    let snapshot = database.begin_read().unwrap();
    // `x` is not asked for where `n` decides.
    for (condition, damaged) in [
        ("x = 7", vec![3, 5, 2100, 2101, 4000]),
        ("n > 2100 AND x = 7", vec![5, 2101, 4000]),
        ("n < 2101 OR x = 7", vec![5, 2101, 4000]),
        ("n = 4", vec![5, 4000]),
    ] {
        let filter = Filter::parse(condition, &schema()).unwrap();
        let in_place: Vec<_> = store.filter(&filter).map(|it| it.map(|(id, _)| id)).collect();
        let in_snapshot: Vec<_> = snapshot.filter(&filter).map(|it| it.map(|(id, _)| id)).collect();
        let copied = store.copies(..).matching(&filter).map(|it| it.map(|(id, _)| id));
        for found in [in_place, in_snapshot, copied.collect()] {
            let (found, errors): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
            let errors: Vec<_> = errors.into_iter().map(Result::unwrap_err).collect();
            let numbers: Vec<_> = errors.iter().filter_map(|it| it.record_number()).collect();
            assert_eq!(numbers, damaged, "{condition}");
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                assert_eq!(error.file_path(), Some(path.as_path()), "{error}");
            }
            let expected =
                (0..RECORDS).filter(|n| !damaged.contains(n)).filter(|n| match condition {
                    "n < 2101 OR x = 7" if *n < 2101 => true,
                    "n = 4" => *n == 4,
                    "n > 2100 AND x = 7" if *n <= 2100 => false,
                    _ => n % 11 != 0 && n % 100 == 7,
                });
            let found: Vec<u64> = found.into_iter().map(Result::unwrap).collect();
            assert_eq!(found, expected.collect::<Vec<_>>(), "{condition}");
        }
        for error in [
            store.count_where(&filter).unwrap_err(),
            snapshot.count_where(&filter).unwrap_err(),
            store.copies(..).matching(&filter).count_records().unwrap_err(),
            snapshot.copies(..).matching(&filter).par_count_records(3).unwrap_err(),
            #[cfg(feature = "rayon")]
            store.par_count_where(&filter).unwrap_err(),
        ] {
            assert_eq!(error.record_number(), damaged.first().copied(), "{condition}: {error}");
        }
    }
}

/// Finds a part of a long range that no thread counts, or two count, records that were taken before
/// and are counted again, and an error of another record than the first.
#[test]
fn threads_count_all_parts_of_a_range() {
    let count = 100_000; // three parts
    let mut store = DynStore::temporary(&schema()).unwrap();
    store.append_all((0..count).map(record)).unwrap();
    let filter = Filter::parse("x = 7", &schema()).unwrap();
    let matches = |n: &u64| n % 11 != 0 && n % 100 == 7;
    for ids in [0..count, 1..count - 1, 41_942..41_944, 50_000..50_000, 99_000..200_000] {
        let expected = (ids.start..ids.end.min(count)).filter(matches).count() as u64;
        for threads in [0, 1, 2, 5] {
            let counted = store.copies(ids.clone()).matching(&filter).par_count_records(threads);
            assert_eq!(counted.unwrap(), expected, "{ids:?} by {threads}");
        }
    }
    let mut some = store.copies(..).matching(&filter);
    assert_eq!(some.next_record().unwrap().unwrap().0, 7);
    let left = (8..count).filter(matches).count() as u64;
    assert_eq!(some.par_count_records(2).unwrap(), left);
    for damaged in [[50_000, 90_000], [90_000, 41_943]] {
        let records = (0..count).map(|n| {
            let mut record = record(n);
            record[8] = if damaged.contains(&n) { 7 } else { record[8] };
            record
        });
        let mut store = DynStore::temporary(&schema()).unwrap();
        store.append_all(records).unwrap();
        for threads in [1, 2, 3] {
            let counted = store.copies(..).matching(&filter).par_count_records(threads);
            let first = damaged.iter().min().copied();
            assert_eq!(counted.unwrap_err().record_number(), first, "{threads} threads");
        }
    }
    let other =
        Filter::parse("n = 5", &Schema::packed([Field::new("n", DataType::Int64)]).unwrap());
    let refused = store.copies(..).matching(other.as_ref().unwrap()).par_count_records(2);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

/// Finds a condition that reads fields where its schema's fields do not lie.
#[test]
fn a_condition_for_records_of_another_size_is_refused() {
    let other = Schema::packed([Field::new("n", DataType::Int64)]).unwrap();
    let filter = Filter::parse("n = 5", &other).unwrap();
    let mut store = DynStore::temporary(&schema()).unwrap();
    store.append(&record(5)).unwrap();
    let found: Vec<_> = store.filter(&filter).map(|it| it.unwrap_err().kind()).collect();
    assert_eq!(found, [ErrorKind::InvalidArgument]);
    let found: Vec<_> = store.copies(..).matching(&filter).map(|it| it.unwrap_err()).collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().contains("needs records of 8 bytes, not 100"), "{}", found[0]);
    assert_eq!(store.count_where(&filter).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

/// Finds a walk that forgets what it has taken.
#[test]
fn a_walk_that_has_begun_can_be_narrowed() {
    let mut store = DynStore::temporary(&schema()).unwrap();
    store.append_all((0..RECORDS).map(record)).unwrap();
    let filter = Filter::parse("n >= 10", &schema()).unwrap();
    let mut matches = store.filter(&filter);
    assert_eq!(matches.next().unwrap().unwrap().0, 10);
    let mut matches = matches.within(5..13);
    assert_eq!(matches.size_hint(), (0, Some(2)));
    assert_eq!(matches.next().unwrap().unwrap().0, 11);
    assert_eq!(matches.next().unwrap().unwrap().0, 12);
    assert!(matches.next().is_none() && matches.next().is_none());
}
