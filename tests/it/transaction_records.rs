//! What a transaction sees of its records, wherever they lie: in the array, in an image of an
//! earlier commit, in an image of its own, at their places above every count, or at the end in
//! memory.

use std::ops::Bound;
use std::path::Path;

use flatrec::{
    DataType, Database, Durability, DynDatabase, ErrorKind, Field, PodRecord, Schema, Store,
};

type Number = PodRecord<u64>;

fn number(n: u64) -> Number {
    PodRecord(n)
}

/// A database of 1000 records in the array, of which every tenth has an image of a later commit,
/// which is 1000 more.
fn layered(path: &Path) -> Database<Number> {
    let database = Database::<Number>::create(path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append_all((0..1000).map(number)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    database.checkpoint().unwrap();
    let mut transaction = database.begin_write().unwrap();
    let tenths = transaction.update_where(|id, _| id % 10 == 0, |_, record| record.0 += 1000);
    assert_eq!(tenths.unwrap(), 100);
    transaction.commit(Durability::Immediate).unwrap();
    database
}

/// Finds a record that an iterator shows as it was before, skips or shows twice.
#[test]
fn an_iterator_sees_the_changes_of_its_transaction_in_every_place() {
    let directory = tempfile::tempdir().unwrap();
    let database = layered(&directory.path().join("numbers.rec"));
    let mut transaction = database.begin_write().unwrap();
    let changed = transaction.update_where(|id, _| id % 15 == 0, |_, record| record.0 += 10_000);
    assert_eq!(changed.unwrap(), 67);
    // More than a transaction keeps in memory, and a few that it does keep.
    assert_eq!(transaction.append_all((1000..200_000).map(number)).unwrap(), 1000..200_000);
    transaction.set(150_000, &number(5)).unwrap();
    assert_eq!(transaction.append_all([number(7), number(8)]).unwrap(), 200_000..200_002);
    transaction.get_mut(200_001).unwrap().unwrap().0 = 9;
    let expected = |id: u64| match id {
        0..1000 => {
            let committed = if id % 10 == 0 { id + 1000 } else { id };
            if id % 15 == 0 { committed + 10_000 } else { committed }
        }
        150_000 => 5,
        200_000 => 7,
        200_001 => 9,
        _ => id,
    };
    let all = (0..200_002).map(|id| (id, expected(id)));
    let seen = || transaction.iter().map(|(id, record)| (id, record.0));
    assert!(seen().eq(all.clone()));
    assert!(seen().rev().eq(all.clone().rev()));
    assert!((&transaction).into_iter().map(|(id, record)| (id, record.0)).eq(all.clone()));
    assert!(all.clone().all(|(id, n)| transaction.get(id) == Some(&number(n))));
    let read = |(id, n)| transaction.try_get(id).unwrap() == &number(n);
    assert!(all.clone().step_by(997).all(read));
    let mut both = seen();
    assert_eq!(both.size_hint(), (200_002, Some(200_002)));
    assert_eq!((both.nth(14), both.nth_back(1)), (Some((14, 14)), Some((200_000, 7))));
    assert_eq!((both.next(), both.next_back()), (Some((15, 10_015)), Some((199_999, 199_999))));
    assert_eq!(both.clone().count(), 199_983);
    assert_eq!((both.nth(300_000), both.next()), (None, None));
    drop(both);
    transaction.commit(Durability::Immediate).unwrap();
    assert!(database.begin_read().unwrap().iter().map(|(id, record)| (id, record.0)).eq(all));
}

/// Finds a bound that is off by one, overflows or panics.
#[test]
fn ranges_take_bounds_of_every_kind() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::<Number>::create(directory.path().join("numbers.rec")).unwrap();
    let mut transaction = database.begin_write().unwrap();
    assert!(transaction.is_empty() && transaction.iter().next().is_none());
    transaction.append_all((0..10).map(number)).unwrap();
    assert!(!transaction.is_empty());
    assert!(transaction.contains(9) && !transaction.contains(10));
    let ids = |range: (Bound<u64>, Bound<u64>)| -> Vec<u64> {
        transaction.range(range).map(|(id, _)| id).collect()
    };
    use Bound::{Excluded, Included, Unbounded};
    assert_eq!(ids((Unbounded, Unbounded)), (0..10).collect::<Vec<_>>());
    assert_eq!(ids((Included(3), Excluded(6))), [3, 4, 5]);
    assert_eq!(ids((Included(3), Included(6))), [3, 4, 5, 6]);
    assert_eq!(ids((Excluded(3), Included(6))), [4, 5, 6]);
    assert_eq!(ids((Excluded(8), Unbounded)), [9]);
    assert_eq!(ids((Included(8), Included(u64::MAX))), [8, 9]);
    for empty in [
        (Included(10), Unbounded),
        (Excluded(u64::MAX), Unbounded),
        (Included(u64::MAX), Included(u64::MAX)),
        (Included(6), Excluded(3)),
        (Excluded(4), Excluded(4)),
        (Unbounded, Excluded(0)),
    ] {
        assert!(ids(empty).is_empty(), "{empty:?}");
    }
}

fn bytes() -> Schema {
    Schema::packed([Field::new("n", DataType::UInt64)]).unwrap()
}

/// Finds a deleted record that an iterator shows, or a hint that promises it.
#[test]
fn deleted_records_are_skipped_from_both_ends() {
    let directory = tempfile::tempdir().unwrap();
    let options = DynDatabase::create_options().deletes(true);
    let database = options.create(directory.path().join("numbers.rec"), &bytes()).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append_all((0..100u64).map(u64::to_le_bytes)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    database.checkpoint().unwrap();

    let mut transaction = database.begin_write().unwrap();
    assert_eq!(transaction.retain(|id, record| id % 3 == 0 || record[0] > 90).unwrap(), 60);
    assert_eq!(transaction.retain(|_, _| true).unwrap(), 0);
    // In place of the record that was deleted last.
    assert_eq!(transaction.insert(&7u64.to_le_bytes()).unwrap(), 89);
    let left: Vec<u64> = (0..100).filter(|id| id % 3 == 0 || *id > 90 || *id == 89).collect();
    assert_eq!(transaction.live_count(), left.len() as u64);
    let records = transaction.iter();
    assert_eq!(records.size_hint(), (0, Some(100)));
    assert!(records.clone().map(|(id, _)| id).eq(left.iter().copied()));
    assert!(records.clone().rev().map(|(id, _)| id).eq(left.iter().rev().copied()));
    assert_eq!(records.clone().nth(2).map(|(id, _)| id), Some(6));
    assert_eq!(records.clone().nth_back(10).map(|(id, _)| id), Some(left[left.len() - 11]));
    assert_eq!((records.clone().nth(100), records.clone().nth_back(100)), (None, None));
    assert_eq!(transaction.get(89), Some(&7u64.to_le_bytes()[..]));
    assert!(transaction.contains(89) && !transaction.contains(88));
    let error = transaction.try_get(88).unwrap_err();
    assert_eq!((error.kind(), error.record_number()), (ErrorKind::Deleted, Some(88)));
    assert_eq!(transaction.retain(|_, _| false).unwrap(), left.len() as u64);
    assert!(transaction.is_empty() && transaction.count() == 100);
    transaction.commit(Durability::Immediate).unwrap();
    assert!(database.begin_read().unwrap().is_empty());
}

/// Finds damage that reads as a deleted record.
#[test]
fn a_damaged_status_byte_is_an_error_only_where_there_can_be_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("numbers.rec");
    let mut store = Store::<[u8]>::create_options().deletes(true).create(&path, &bytes()).unwrap();
    store.append_all((0..10u64).map(u64::to_le_bytes)).unwrap();
    let stride = store.info().unwrap().stride;
    store.close().unwrap();
    let mut file = std::fs::read(&path).unwrap();
    let status = 65_536 + 3 * usize::try_from(stride).unwrap() + 8;
    assert_eq!(file[status], 1);
    file[status] = 7;
    std::fs::write(&path, file).unwrap();

    let database = DynDatabase::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let error = transaction.try_get(3).unwrap_err();
    assert_eq!((error.kind(), error.record_number()), (ErrorKind::Corrupt, Some(3)));
    assert!(error.to_string().contains("numbers.rec"), "{error}");
    assert!(transaction.get(3).is_none() && !transaction.contains(3));
    assert_eq!(transaction.iter().map(|(id, _)| id).collect::<Vec<_>>()[2..4], [2, 4]);
    let error = transaction.try_get(10).unwrap_err();
    assert_eq!((error.kind(), error.record_number()), (ErrorKind::OutOfRange, Some(10)));
}

/// Finds records that are lost, or a number that is wrong, when one of several is refused.
#[test]
fn calls_for_many_records_stop_at_the_first_error() {
    let directory = tempfile::tempdir().unwrap();
    let database = DynDatabase::create(directory.path().join("numbers.rec"), &bytes()).unwrap();
    let mut transaction = database.begin_write().unwrap();
    let refused = transaction.append_all([&[1; 8][..], &[2; 8], &[3; 7], &[4; 8]]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert_eq!((transaction.count(), transaction.get(1)), (2, Some(&[2; 8][..])));
    assert_eq!(transaction.append_all([[0; 8]; 0]).unwrap(), 2..2);
    let refused = transaction.retain(|id, _| id == 0).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert_eq!(transaction.retain(|_, _| true).unwrap(), 0);
    assert_eq!(transaction.iter().count(), 2);
}
