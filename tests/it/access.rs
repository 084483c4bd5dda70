//! Reading a record that is live, deleted, damaged or past the last means the same on every handle.

use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::path::{Path, PathBuf};

use flatrec::{
    DataType, Database, DynDatabase, DynStore, DynWindowedStore, Edit, ErrorKind, Field, PodRecord,
    Row, Schema, Snapshot, Store, WindowedStore, WriteTransaction,
};

use crate::support::dead;

type Twelve = PodRecord<[u8; 12]>;
type Bounds = (Bound<u64>, Bound<u64>);
/// What a call shows of a record: its bytes, or an error.
type Seen<T> = Result<T, ErrorKind>;

/// Records 0 and 3 are live, 1 is deleted, 2 has a damaged status byte. The others are past the
/// last.
const IDS: [u64; 6] = [0, 1, 2, 3, 4, u64::MAX];

fn record(id: u64) -> Vec<u8> {
    [&id.to_le_bytes()[..], &[7; 4]].concat()
}

/// What every `try_get` shows of the records `IDS`.
fn reasons() -> Vec<Seen<Vec<u8>>> {
    use ErrorKind::{Corrupt, Deleted, OutOfRange};
    let past = || Err(OutOfRange);
    vec![Ok(record(0)), Err(Deleted), Err(Corrupt), Ok(record(3)), past(), past()]
}

/// What a call shows of `IDS` that gives `None` for what is not there. If it `can_fail`, damage is
/// an error.
fn there(can_fail: bool) -> Vec<Seen<Option<Vec<u8>>>> {
    let without_damage = |seen| match seen {
        Ok(record) => Ok(Some(record)),
        Err(ErrorKind::Corrupt) if can_fail => Err(ErrorKind::Corrupt),
        Err(_) => Ok(None),
    };
    reasons().into_iter().map(without_damage).collect()
}

/// What a walk over the records from `first` on shows.
fn walked(first: u64, can_fail: bool) -> Vec<Seen<(u64, Vec<u8>)>> {
    let all = [Ok((0, record(0))), Err(ErrorKind::Corrupt), Ok((3, record(3)))];
    let skipped = usize::from(first > 0);
    all.into_iter().skip(skipped).filter(|seen| can_fail || seen.is_ok()).collect()
}

fn backwards<T>(mut seen: Vec<T>) -> Vec<T> {
    seen.reverse();
    seen
}

/// A row as bytes.
trait Bytes: Row + std::fmt::Debug {
    fn to_bytes(&self) -> Vec<u8>;
    fn owned_to_bytes(owned: &Self::Owned) -> Vec<u8>;
}

impl Bytes for [u8] {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_vec()
    }

    fn owned_to_bytes(owned: &Vec<u8>) -> Vec<u8> {
        owned.clone()
    }
}

impl Bytes for Twelve {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn owned_to_bytes(owned: &Twelve) -> Vec<u8> {
        owned.0.to_vec()
    }
}

fn seen<T, U>(found: flatrec::Result<T>, show: impl FnOnce(T) -> U) -> Seen<U> {
    found.map(show).map_err(|error| error.kind())
}

/// Compares what `$show` shows of each record of `IDS`.
macro_rules! shows {
    ($what:expr, $show:expr, $expected:expr) => {
        assert_eq!(IDS.map($show).to_vec(), $expected, $what)
    };
}

/// Compares the copies that a handle with rows `$row` makes.
macro_rules! copies {
    ($row:ty: $handle:expr) => {{
        let handle = $handle;
        let bytes = <$row>::owned_to_bytes;
        shows!("copy", |id| seen(handle.copy(id), |copy| copy.as_ref().map(bytes)), there(true));
        let item = |found| seen(found, |(id, copy)| (id, bytes(&copy)));
        let copies = || handle.copies(..).map(item);
        assert_eq!(copies().collect::<Vec<_>>(), walked(0, true), "copies");
        assert_eq!(copies().rev().collect::<Vec<_>>(), backwards(walked(0, true)), "copies back");
        let part: Vec<_> = handle.copies(1..9).map(item).collect();
        assert_eq!(part, walked(1, true), "a part of the copies");
        let mut both = handle.copies(..);
        assert_eq!(both.size_hint(), (0, Some(4)));
        assert_eq!(both.next_record_back().unwrap().unwrap().0, 3);
        assert_eq!(both.next_record().unwrap().unwrap().0, 0);
        assert_eq!(both.next_record().unwrap_err().record_number(), Some(2));
        assert!(both.next_record().unwrap().is_none() && both.next_back().is_none());
    }};
}

/// Compares what a walk over a handle with rows `$row` shows, of `(id, &row)` or of results.
macro_rules! walks {
    ($row:ty: $walk:expr, $item:expr, $can_fail:expr) => {{
        let (walk, item) = ($walk, $item);
        let all = |bounds| walk(bounds).map(item);
        assert_eq!(all((Unbounded, Unbounded)).collect::<Vec<_>>(), walked(0, $can_fail));
        let back: Vec<_> = all((Unbounded, Unbounded)).rev().collect();
        assert_eq!(back, backwards(walked(0, $can_fail)));
        assert_eq!(all((Excluded(0), Unbounded)).collect::<Vec<_>>(), walked(1, $can_fail));
        let back: Vec<_> = all((Included(1), Included(u64::MAX))).rev().collect();
        assert_eq!(back, backwards(walked(1, $can_fail)));
        assert_eq!(all((Included(4), Unbounded)).count(), 0);
        assert_eq!(all((Included(3), Excluded(1))).count(), 0);
        assert_eq!(all((Unbounded, Unbounded)).size_hint(), (0, Some(4)));
    }};
}

/// Compares what a handle lends in place.
macro_rules! in_place {
    ($row:ty: $handle:expr) => {{
        let handle = $handle;
        assert_eq!((handle.count(), handle.live_count(), handle.is_empty()), (4, 3, false));
        shows!("get", |id| Ok(handle.get(id).map(<$row>::to_bytes)), there(false));
        shows!("try_get", |id| seen(handle.try_get(id), <$row>::to_bytes), reasons());
        for id in IDS {
            let number = handle.try_get(id).err().map(|error| error.record_number());
            assert!(number.is_none_or(|number| number == Some(id)));
        }
        let item = |(id, record): (u64, &$row)| Ok((id, record.to_bytes()));
        walks!($row: |bounds: Bounds| handle.range(bounds), item, false);
        assert!(handle.iter().map(item).eq(walked(0, false)));
        assert!(handle.into_iter().map(item).eq(walked(0, false)));
        let item = |found| seen(found, |(id, record): (u64, &$row)| (id, record.to_bytes()));
        walks!($row: |bounds: Bounds| handle.try_range(bounds), item, true);
        assert!(handle.try_iter().map(item).eq(walked(0, true)));
        copies!($row: handle);
    }};
}

fn store<R: Bytes + ?Sized>(store: &Store<R>) {
    in_place!(R: store);
}

fn snapshot<R: Bytes + ?Sized>(snapshot: &Snapshot<R>) {
    in_place!(R: snapshot);
}

fn windowed<R: Bytes + ?Sized>(store: &WindowedStore<R>) {
    assert_eq!((store.count(), store.live_count(), store.is_empty()), (4, 3, false));
    let get = |id| seen(store.get(id), |found| found.map(|record| record.to_bytes()));
    shows!("get", get, there(true));
    shows!("try_get", |id| seen(store.try_get(id), |record| record.to_bytes()), reasons());
    let item = |found| seen(found, |(id, record)| (id, R::owned_to_bytes(&record)));
    walks!(R: |bounds: Bounds| store.range(bounds), item, true);
    assert!(store.iter().map(item).eq(walked(0, true)));
    assert!(store.into_iter().map(item).eq(walked(0, true)));
    copies!(R: store);
}

fn edit<R: Bytes + ?Sized>(mut edit: Edit<'_, R>) {
    assert_eq!((edit.count(), edit.live_count(), edit.is_empty()), (4, 3, false));
    shows!("get", |id| seen(edit.get(id), |found| found.map(R::to_bytes)), there(true));
    shows!("try_get", |id| seen(edit.try_get(id), R::to_bytes), reasons());
    let get_mut = |id| seen(edit.get_mut(id), |found| found.map(|row| row.to_bytes()));
    shows!("get_mut", get_mut, there(true));
}

fn transaction<R: Bytes + ?Sized>(mut transaction: WriteTransaction<'_, R>) {
    assert_eq!((transaction.count(), transaction.live_count()), (4, 3));
    shows!("get", |id| Ok(transaction.get(id).map(R::to_bytes)), there(false));
    shows!("try_get", |id| seen(transaction.try_get(id), R::to_bytes), reasons());
    let item = |(id, record): (u64, &R)| Ok((id, record.to_bytes()));
    walks!(R: |bounds: Bounds| transaction.range(bounds), item, false);
    assert!(transaction.iter().map(item).eq(walked(0, false)));
    let item = |found| seen(found, |(id, record): (u64, &R)| (id, record.to_bytes()));
    walks!(R: |bounds: Bounds| transaction.try_range(bounds), item, true);
    assert!(transaction.try_iter().map(item).eq(walked(0, true)));
    // Damage is an error of both, though the closures do not see it.
    let mut shown = Vec::new();
    let kept = transaction.retain(|id, _| {
        shown.push(id);
        true
    });
    let changed = transaction.update_where(|_, _| true, |id, _| shown.push(id));
    for failed in [kept, changed] {
        let error = failed.unwrap_err();
        assert_eq!((error.kind(), error.record_number()), (ErrorKind::Corrupt, Some(2)));
        assert!(error.file_path().is_some());
    }
    assert_eq!(shown, [0, 0]);
    let get_mut = |id| seen(transaction.get_mut(id), |found| found.map(|row| row.to_bytes()));
    shows!("get_mut", get_mut, there(true));
    let deleted = IDS.map(|id| seen(transaction.delete(id), |deleted| deleted));
    let expected = there(true).into_iter().map(|there| there.map(|record| record.is_some()));
    assert_eq!(deleted.to_vec(), expected.collect::<Vec<_>>(), "delete");
}

/// Makes a closed store with the records `IDS`.
fn made(directory: &Path) -> PathBuf {
    let path = directory.join("numbers.rec");
    let fields = [Field::new("n", DataType::UInt64), Field::new("rest", DataType::Binary(4)).at(8)];
    let schema = Schema::new(fields.to_vec(), 12, 1).unwrap();
    let mut store = DynStore::create_options().deletes(true).create(&path, &schema).unwrap();
    store.append_all((0..4).map(record)).unwrap();
    store.close().unwrap();
    dead::delete(&path, &[1]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[65_536 + 2 * 13 + 12] = 9;
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Finds a handle that gives another meaning to the same call.
#[test]
fn every_handle_tells_live_deleted_damaged_and_missing_records_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path());
    store(&Store::<Twelve>::open_read_only(&path).unwrap());
    store(&DynStore::open_read_only(&path).unwrap());
    let mut private = DynStore::open_private(&path).unwrap();
    store(&private);
    edit(private.edit().unwrap());
    drop(private);
    let windows = || DynWindowedStore::options().max_mapped_bytes(256 << 10);
    windowed(&WindowedStore::<Twelve>::open_read_only(&path).unwrap());
    let read_windows = DynWindowedStore::read_options().max_mapped_bytes(256 << 10);
    windowed(&read_windows.window_bytes(64 << 10).open_read_only(&path).unwrap());
    edit(windows().window_bytes(64 << 10).open(&path).unwrap().edit().unwrap());
    edit(Store::<Twelve>::open(&path).unwrap().edit().unwrap());
    let reader = Database::<Twelve>::open_read_only(&path).unwrap();
    snapshot(&reader.begin_read().unwrap());
    let database = DynDatabase::open(&path).unwrap();
    snapshot(&database.begin_read().unwrap());
    transaction(database.begin_write().unwrap());
    drop(database);
    let database = Database::<Twelve>::open(&path).unwrap();
    transaction(database.begin_write().unwrap());
}

/// Finds a snapshot or a store beside it that reads a record of the log in another way.
#[test]
fn records_in_the_log_are_read_in_the_same_way() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path());
    let database = DynDatabase::open(&path).unwrap();
    let held = database.begin_read().unwrap(); // keeps the commit in the log
    let mut transaction = database.begin_write().unwrap();
    transaction.set(0, &record(0)).unwrap();
    transaction.set(3, &record(3)).unwrap();
    transaction.commit(flatrec::Durability::Immediate).unwrap();
    snapshot(&database.begin_read().unwrap());
    store(&DynStore::open_read_only(&path).unwrap());
    windowed(&WindowedStore::<Twelve>::open_read_only(&path).unwrap());
    snapshot(&held);
}

/// Finds a search that a deleted or damaged record leads astray, or that other handles answer
/// otherwise.
#[test]
fn searches_skip_records_that_are_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = made(directory.path());
    let store = Store::<Twelve>::open_read_only(&path).unwrap();
    let database = Database::<Twelve>::open_read_only(&path).unwrap();
    let snapshot = database.begin_read().unwrap();
    let number = |row: &Twelve| u64::from_le_bytes(row.0[..8].try_into().unwrap());
    for (sought, found) in [(0, Ok(0)), (1, Err(3)), (2, Err(3)), (3, Ok(3)), (4, Err(4))] {
        let point = found.unwrap_or_else(|place| place);
        assert_eq!(store.partition_point(|row| number(row) < sought), point);
        assert_eq!(snapshot.partition_point(|row| number(row) < sought), point);
        assert_eq!(store.binary_search_by(|row| number(row).cmp(&sought)), found);
        assert_eq!(snapshot.binary_search_by(|row| number(row).cmp(&sought)), found);
        assert_eq!(store.binary_search_by_key(&sought, number), found);
        assert_eq!(snapshot.binary_search_by_key(&sought, number), found);
    }
}
