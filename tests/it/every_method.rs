//! All store handles have the same methods by the same names. The tests call each method on a store
//! of a type, on one of bytes, and on both through windows.

#![cfg(feature = "derive")]
#![allow(
    unsafe_code,
    reason = "opening a file or a backing that another handle has open is unsafe"
)]

use std::borrow::Borrow;
use std::fmt::Debug;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use flatrec::map::FileBacking;
use flatrec::{
    Copies, DataType, DynDatabase, DynEdit, DynReadOnlyDatabase, DynStore, DynWindowedStore, Edit,
    ErrorKind, Field, Record, Records, Row, Schema, Store, TryRecords, Value, WindowedStore,
};

/// The budget and the window size: eight windows of 64 KiB.
const WINDOWS: (u64, u64) = (512 << 10, 64 << 10);

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct Pair {
    n: u32,
    square: u32,
}

fn pair(n: u32) -> Pair {
    Pair { n, square: n * n }
}

/// The bytes of [`pair`], in the machine's byte order.
fn bytes(n: u32) -> Vec<u8> {
    [n.to_ne_bytes(), (n * n).to_ne_bytes()].concat()
}

fn schema() -> Schema {
    let field = |name| Field::new(name, DataType::UInt32);
    Schema::new(vec![field("n"), field("square").at(4)], 8, 4).unwrap()
}

/// The schema of another record of the same size.
fn other_schema() -> Schema {
    Schema::new(vec![Field::new("m", DataType::UInt64)], 8, 4).unwrap()
}

/// A row that the test can make, compare and change.
trait Testable: Row + PartialEq + Debug
where
    Self::Owned: PartialEq + Debug,
{
    fn make(n: u32) -> Self::Owned;
    fn become_row(&mut self, other: &Self);
}

impl Testable for Pair {
    fn make(n: u32) -> Pair {
        pair(n)
    }

    fn become_row(&mut self, other: &Self) {
        *self = *other;
    }
}

impl Testable for [u8] {
    fn make(n: u32) -> Vec<u8> {
        bytes(n)
    }

    fn become_row(&mut self, other: &Self) {
        self.copy_from_slice(other);
    }
}

/// Calls what stores and windowed stores have in common.
macro_rules! goes_through_every_method {
    ($store:ident: $row:ty, $path:expr, $read:expr) => {{
        let (made, read) = (<$row>::make, $read);
        assert_eq!(($store.count(), $store.live_count(), $store.is_empty()), (0, 0, true));
        assert_eq!($store.schema().fields()[1].name(), "square");
        assert_eq!($store.metadata().unwrap(), b"made by a test");
        assert_eq!($store.path().as_deref(), Some($path));
        $store.reserve(100).unwrap();
        assert_eq!($store.append(made(0).borrow()).unwrap(), 0);
        assert_eq!($store.append_packed(&[bytes(1), bytes(2)].concat()).unwrap(), 1..3);
        assert_eq!($store.append_all((3..6).map(made)).unwrap(), 3..6);
        let error = $store.append_packed(&[0; 15]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert_eq!($store.count(), 6);
        for _ in 0..2 {
            // First from the append buffer, then from the file.
            read(&$store);
            for n in 0..6 {
                assert_eq!($store.copy(u64::from(n)).unwrap(), Some(made(n)));
            }
            assert_eq!($store.copy(6).unwrap(), None);
            let copies = $store.copies(2..99);
            assert_eq!(copies.size_hint(), (4, Some(4)));
            assert_eq!(copied(copies), (2..6).map(|n| (u64::from(n), made(n))).collect::<Vec<_>>());
            $store.flush().unwrap();
        }
        let info = $store.info().unwrap();
        assert_eq!((info.count, info.committed_count, info.record_size), (6, 6, 8));
        change($store.edit().unwrap());
        assert_eq!($store.copy(0).unwrap(), Some(made(40)));
        assert_eq!($store.copy(4).unwrap(), Some(made(40)));
        $store.truncate(5).unwrap();
        assert!(format!("{:?}", $store).contains("count: 5"), "{:?}", $store);
        $store.close().unwrap();
        let closed = DynStore::open_read_only($path).unwrap();
        assert_eq!((closed.count(), closed.get(0)), (5, Some(&bytes(40)[..])));
    }};
}

fn copied<R: Row + ?Sized>(mut copies: Copies<'_, R>) -> Vec<(u64, R::Owned)> {
    let mut copied = Vec::new();
    while let Some((id, record)) = copies.next_record().unwrap() {
        copied.push((id, record.to_owned()));
    }
    copied
}

/// Changes records 0 and 4 to `make(40)`.
fn change<R: Testable + ?Sized>(mut edit: Edit<'_, R>)
where
    R::Owned: PartialEq + Debug,
{
    assert_eq!(edit.count(), 6);
    assert_eq!(edit.get(4).unwrap(), Some(R::make(4).borrow()));
    assert_eq!(edit.try_get(4).unwrap(), R::make(4).borrow());
    edit.set(4, R::make(40).borrow()).unwrap();
    edit.get_mut(0).unwrap().unwrap().become_row(R::make(40).borrow());
    edit.set_field(5, "square", &Value::UInt(7)).unwrap();
    let error = edit.set_field(5, "cube", &Value::UInt(7)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert_eq!(edit.try_get(6).unwrap_err().kind(), ErrorKind::OutOfRange);
    assert!(edit.get(6).unwrap().is_none() && edit.get_mut(6).unwrap().is_none());
    assert_eq!((edit.live_count(), edit.is_empty()), (6, false));
    edit.flush_range(0..1).unwrap();
    edit.flush().unwrap();
    assert!(format!("{edit:?}").contains("count: 6"), "{edit:?}");
    edit.finish().unwrap();
}

/// Calls what a store of the whole file lends in place.
fn read_in_place<R: Testable + ?Sized>(store: &Store<R>)
where
    R::Owned: PartialEq + Debug,
{
    let all: Vec<R::Owned> = (0..6).map(R::make).collect();
    let rows: Vec<&R> = all.iter().map(Borrow::borrow).collect();
    assert_eq!((store.get(2), store.get(6)), (Some(rows[2]), None));
    assert_eq!(store.try_get(2).unwrap(), rows[2]);
    assert_eq!(store.try_get(6).unwrap_err().kind(), ErrorKind::OutOfRange);
    assert!(store.iter().eq((0..).zip(rows.iter().copied())));
    assert!(store.iter().rev().eq((0..6).rev().zip(rows.iter().rev().copied())));
    for first in 0..6 {
        let range: Records<'_, R> = store.range(first as u64..);
        assert_eq!(range.size_hint(), (6 - first, Some(6 - first)));
        assert!(range.clone().eq((first as u64..).zip(rows[first..].iter().copied())), "{range:?}");
        let mut skipping = store.iter();
        assert_eq!(skipping.nth(first), Some((first as u64, rows[first])));
        assert_eq!(skipping.count(), 5 - first);
    }
    let tried: TryRecords<'_, R> = store.try_iter();
    assert_eq!(tried.size_hint(), (6, Some(6)));
    assert!(tried.clone().map(Result::unwrap).eq((0..).zip(rows)), "{tried:?}");
    let backwards = store.try_range(1..3).rev().map(|found| found.unwrap().0);
    assert_eq!(backwards.collect::<Vec<_>>(), [2, 1]);
}

/// Calls what a windowed store lends and copies.
fn read_through_windows<R: Testable + ?Sized>(store: &WindowedStore<R>)
where
    R::Owned: PartialEq + Debug,
{
    let all: Vec<R::Owned> = (0..6).map(R::make).collect();
    assert_eq!(store.get(2).unwrap().as_deref(), Some(all[2].borrow()));
    assert!(store.get(6).unwrap().is_none());
    assert_eq!(store.copy(5).unwrap().as_ref(), Some(&all[5]));
    assert!(store.iter().map(|found| found.unwrap().1).eq((0..6).map(R::make)));
    assert!(store.range(4..).map(|found| found.unwrap().1).eq((4..6).map(R::make)));
    assert!(store.into_iter().map(Result::unwrap).eq((0..).zip(all)));
    assert_eq!(store.range(3..4).next_back().unwrap().unwrap(), (3, R::make(3)));
    assert!(store.view_counters().mapped_bytes <= WINDOWS.0);
    store.release_views();
}

fn in_a_directory(test: impl FnOnce(&Path)) {
    let directory = tempfile::tempdir().unwrap();
    test(&directory.path().join("pairs.rec"));
}

/// Finds a method that a typed store lacks, or that differs on it.
#[test]
fn a_store_of_a_type_has_every_method() {
    in_a_directory(|path| {
        let made = Store::<Pair>::create_options().metadata("made by a test").create(path);
        let mut store = made.unwrap();
        goes_through_every_method!(store: Pair, path, read_in_place::<Pair>);
    });
}

/// Finds a method that a store of bytes lacks, or that differs on it.
#[test]
fn a_store_of_bytes_has_every_method() {
    in_a_directory(|path| {
        let options = DynStore::create_options().metadata("made by a test");
        let mut store = options.create(path, &schema()).unwrap();
        goes_through_every_method!(store: [u8], path, read_in_place::<[u8]>);
    });
}

/// Finds a method that a typed windowed store lacks, or that differs on it.
#[test]
fn a_windowed_store_of_a_type_has_every_method() {
    in_a_directory(|path| {
        let made = Store::<Pair>::create_options().metadata("made by a test").create(path);
        made.unwrap().close().unwrap();
        let mut store = WindowedStore::<Pair>::options()
            .max_mapped_bytes(WINDOWS.0)
            .window_bytes(WINDOWS.1)
            .open(path)
            .unwrap();
        goes_through_every_method!(store: Pair, path, read_through_windows::<Pair>);
    });
}

/// Finds a method that a windowed store of bytes lacks, or that differs on it.
#[test]
fn a_windowed_store_of_bytes_has_every_method() {
    in_a_directory(|path| {
        let options = DynStore::create_options().metadata("made by a test");
        options.create(path, &schema()).unwrap().close().unwrap();
        let mut store = DynWindowedStore::options()
            .max_mapped_bytes(WINDOWS.0)
            .window_bytes(WINDOWS.1)
            .open(path)
            .unwrap();
        goes_through_every_method!(store: [u8], path, read_through_windows::<[u8]>);
    });
}

/// Finds a slice that a typed store reads or appends as bytes, or a store of bytes as records.
#[test]
fn stores_read_and_append_slices_of_their_own_rows() {
    in_a_directory(|path| {
        let mut typed = Store::<Pair>::create(path).unwrap();
        assert_eq!(typed.append_slice(&[pair(0), pair(1)]).unwrap(), 0..2);
        typed.flush().unwrap();
        assert_eq!(typed.slice(0..2), Some(&[pair(0), pair(1)][..]));
        let mut pairs = [pair(9); 3];
        assert_eq!(typed.copy_into(1, &mut pairs).unwrap(), 1);
        assert_eq!(pairs[0], pair(1));
        typed.close().unwrap();

        let mut windowed = WindowedStore::<Pair>::options()
            .max_mapped_bytes(WINDOWS.0)
            .window_bytes(WINDOWS.1)
            .open(path)
            .unwrap();
        assert_eq!(windowed.append_slice(&[pair(2)]).unwrap(), 2..3);
        assert_eq!(windowed.copy_into(1, &mut pairs).unwrap(), 2);
        assert_eq!(pairs[..2], [pair(1), pair(2)]);
        assert_eq!(windowed.window(1).unwrap().unwrap().get(1), Some(&pair(1)));
        windowed.close().unwrap();

        let mut room = [0; 23];
        let store = DynStore::open_read_only(path).unwrap();
        assert_eq!(store.copy_into(1, &mut room).unwrap(), 2);
        assert_eq!(room[..16], [bytes(1), bytes(2)].concat());
        let error = store.copy_into(1, &mut room[..7]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        let store = DynWindowedStore::read_options()
            .max_mapped_bytes(WINDOWS.0)
            .window_bytes(WINDOWS.1)
            .open_read_only(path)
            .unwrap();
        assert_eq!(store.copy_into(2, &mut room).unwrap(), 1);
        assert_eq!(room[..8], bytes(2));
        let error = store.copy_into(2, &mut room[..7]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    });
}

/// Finds an alias that names another type. These names were once types of their own.
#[test]
fn the_names_of_stores_of_bytes_are_aliases() {
    let mut store: DynStore = DynStore::temporary(&schema()).unwrap();
    store.append(&bytes(3)).unwrap();
    let edit: DynEdit<'_> = store.edit().unwrap();
    edit.finish().unwrap();
    let records: Records<'_, [u8]> = store.iter();
    assert_eq!(records.collect::<Vec<_>>(), [(0, &bytes(3)[..])]);
}

/// A store of bytes once opened a file of any schema, although the caller had given one. Typed
/// stores compared theirs.
#[test]
fn every_way_of_opening_compares_a_given_schema() {
    in_a_directory(|path| {
        let asking = || DynStore::options().schema(other_schema());
        let reading = || DynStore::read_options().schema(other_schema());
        DynStore::create(path, &schema()).unwrap().close().unwrap();
        let mut aside = DynStore::create_options().create_aside(path, &schema(), true).unwrap();
        aside.keep_unfinished(true);
        aside.append(&bytes(1)).unwrap();
        aside.flush().unwrap();
        drop(aside);
        let windows = || DynWindowedStore::options().schema(other_schema());
        let read_windows = || DynWindowedStore::read_options().schema(other_schema());
        let open = || File::options().read(true).write(true).open(path).unwrap();
        let backing = || Arc::new(FileBacking::open(path, false).unwrap());
        let refused = [
            asking().open(path).map(drop),
            reading().open_read_only(path).map(drop),
            reading().open_private(path).map(drop),
            windows().open(path).map(drop),
            read_windows().open_read_only(path).map(drop),
            DynDatabase::options().schema(other_schema()).open(path).map(drop),
            DynReadOnlyDatabase::options().schema(other_schema()).open(path).map(drop),
            asking().resume_aside(path, true).map(drop),
            // SAFETY: no other handle changes the file.
            unsafe { asking().from_file(open(), Some(path)) }.map(drop),
            // SAFETY: as above.
            unsafe { reading().from_file(open(), Some(path)) }.map(drop),
            // SAFETY: as above.
            unsafe { reading().over(backing()) }.map(drop),
        ];
        for (way, refused) in refused.into_iter().enumerate() {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "way {way}: {error}");
            assert!(error.to_string().contains("pairs.rec"), "way {way}: {error}");
        }
        let agreeing = DynStore::options().schema(schema());
        assert_eq!(agreeing.resume_aside(path, true).unwrap().count(), 1);
    });
}

/// Finds a store that opens over an empty backing, with a guess for a schema.
#[test]
fn a_store_over_an_empty_backing_is_created_and_not_opened() {
    let empty = || Arc::new(FileBacking::temporary(0).unwrap());
    // SAFETY: no other handle has these files.
    let opened = unsafe { Store::<Pair>::options().over(empty()) };
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotAStore);
    // SAFETY: as above.
    let typed = unsafe { Store::<Pair>::create_options().create_over(empty()) };
    assert!(typed.unwrap().is_empty());
    // SAFETY: as above.
    let known = unsafe { DynStore::create_options().create_over(empty(), &schema()) };
    assert_eq!(known.unwrap().schema().fields().len(), 2);
}

/// Finds checksums that the caller asked for and did not get.
#[test]
fn a_store_without_a_path_is_not_created_with_checksums() {
    let empty = || Arc::new(FileBacking::temporary(0).unwrap());
    let stores = || DynStore::create_options().checksums(true);
    let databases = || DynDatabase::create_options().checksums(true);
    let refused = [
        stores().temporary(&schema()).map(drop),
        // SAFETY: no other handle has the file.
        unsafe { stores().create_over(empty(), &schema()) }.map(drop),
        // SAFETY: as above.
        unsafe { databases().create_over(empty(), &schema()) }.map(drop),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

/// Finds a windowed store that maps more than its budget while its maker fills it.
#[test]
fn a_windowed_store_is_created_within_its_budget() {
    in_a_directory(|path| {
        let options = WindowedStore::<Pair>::create_options();
        let options = options.max_mapped_bytes(512 << 10).window_bytes(64 << 10).deletes(true);
        let mut store = options.create(path).unwrap();
        store.append_all((0..60_000).map(pair)).unwrap();
        store.flush().unwrap();
        for id in (0..60_000).step_by(97) {
            assert_eq!(*store.get(id).unwrap().unwrap(), pair(id as u32));
            assert!(store.view_counters().mapped_bytes <= 512 << 10);
        }
        assert!(store.view_counters().evictions > 0, "the budget is smaller than the store");
        store.close().unwrap();
        let store = Store::<Pair>::open_read_only(path).unwrap();
        assert!(store.info().unwrap().deletes && store.count() == 60_000);
        let other = path.with_file_name("other.rec");
        let error = WindowedStore::<Pair>::create_options().max_mapped_bytes(1000).create(&other);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert!(!other.exists(), "a store that could not be opened is not left behind");
    });
}

/// Finds copies of a type that are misaligned because status bytes lie between the records.
#[test]
fn copies_of_a_type_are_aligned_despite_status_bytes() {
    let mut store = Store::<Pair>::create_options().deletes(true).temporary().unwrap();
    store.append_all((0..1000).map(pair)).unwrap();
    assert!(copied(store.copies(0..1000)).into_iter().eq((0..).zip((0..1000).map(pair))));
}
