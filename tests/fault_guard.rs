//! The fault guard: which faults it turns into errors, tested in this process, and which it leaves
//! to others, tested in children that a signal or an exception may end.

#[cfg(unix)]
#[path = "fault_guard/children.rs"]
mod children;
#[cfg(windows)]
#[path = "fault_guard/exceptions.rs"]
mod exceptions;
mod support;

use std::path::{Path, PathBuf};

use flatrec::map::{Access, Mapping};
use flatrec::{
    DataType, Durability, DynDatabase, DynStore, Error, ErrorKind, Field, PodRecord, Schema, Store,
    VerifyOptions, WindowedStore, WriteBack, install_fault_guard,
};
#[cfg(not(windows))]
use support::files::set_len;
#[cfg(windows)]
use support::skip::skip;

/// Whether the guard is a handler. On other machines the copies are system calls.
const HAS_HANDLER: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
/// The offset of the first record of a store.
const DATA_OFFSET: u64 = 65_536;
const RECORD_LEN: usize = 125;
const COUNT: u64 = 100_000;

/// A record of 125 bytes as a Rust type.
type Typed = PodRecord<[[u8; 5]; 25]>;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Makes a store of `COUNT` records whose bytes follow from their numbers.
    fn store(&self) -> PathBuf {
        let path = self.0.path().join("cut.rec");
        let schema = Schema::packed([
            Field::new("n", DataType::UInt64),
            Field::new("bytes", DataType::Binary(RECORD_LEN as u32 - 8)),
        ])
        .unwrap();
        let mut store = DynStore::create(&path, &schema).unwrap();
        let records: Vec<u8> = (0..COUNT).flat_map(record).collect();
        store.append_packed(&records).unwrap();
        store.close().unwrap();
        path
    }
}

fn record(n: u64) -> [u8; RECORD_LEN] {
    let mut record = [n as u8; RECORD_LEN];
    record[..8].copy_from_slice(&n.to_le_bytes());
    record
}

/// Installs the guard. Skips the test and returns `false` on real Windows, which refuses to
/// truncate a mapped file.
fn install_where_files_can_be_cut() -> bool {
    install_fault_guard().unwrap();
    #[cfg(windows)]
    {
        exceptions::let_lost_pages_be_in_page_errors();
        if support::shell::shell(&std::env::temp_dir(), "true").is_none() {
            skip!("Windows refuses to truncate a mapped file");
            return false;
        }
    }
    true
}

/// Truncates a file by a program of the system below Wine.
#[cfg(windows)]
fn set_len(path: &Path, len_bytes: u64) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let cut =
        support::shell::shell(path.parent().unwrap(), &format!("truncate -s {len_bytes} {name}"));
    cut.expect("the guard's installation found a shell").unwrap();
}

/// Truncates a store one byte after its first `records` records.
fn cut_to(path: &Path, records: u64) {
    set_len(path, DATA_OFFSET + records * RECORD_LEN as u64 + 1);
}

#[track_caller]
fn assert_cut(error: &Error, path: &Path, record: u64) {
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    assert_eq!(error.operation(), "read");
    assert_eq!(error.file_path(), Some(path), "{error}");
    assert_eq!(error.record_number(), Some(record), "{error}");
    assert!(error.file_offset().is_some(), "{error}");
}

/// Finds a copying call that dies of the fault, or whose error names the wrong record.
#[test]
fn copies_of_records_past_the_end_of_a_truncated_file_are_errors() {
    if !install_where_files_can_be_cut() {
        return;
    }
    let place = Place::new();
    let path = place.store();
    let store = DynStore::open_read_only(&path).unwrap();
    let typed = Store::<Typed>::open_read_only(&path).unwrap();
    cut_to(&path, 60_000);
    for id in [60_000, 60_001, 80_000, COUNT - 1] {
        assert_cut(&store.copy(id).unwrap_err(), &path, id);
        assert_cut(&typed.copy(id).unwrap_err(), &path, id);
    }
    assert_eq!(store.copy(59_999).unwrap().unwrap(), record(59_999));
    assert_eq!(typed.copy(59_999).unwrap().unwrap().0.as_flattened(), record(59_999));
    assert_eq!(store.copy(COUNT).unwrap(), None);
    assert_eq!(typed.copy(COUNT).unwrap(), None);

    let mut bytes = vec![0; 1000 * RECORD_LEN + 7];
    assert_cut(&store.copy_into(59_500, &mut bytes).unwrap_err(), &path, 60_000);
    assert_eq!(store.copy_into(59_000, &mut bytes).unwrap(), 1000);
    assert_eq!(bytes[999 * RECORD_LEN..][..RECORD_LEN], record(59_999));
    let mut records = vec![PodRecord([[0; 5]; 25]); 1000];
    assert_cut(&typed.copy_into(59_500, &mut records).unwrap_err(), &path, 60_000);
    assert_eq!(typed.copy_into(59_000, &mut records).unwrap(), 1000);
    let short = store.copy_into(0, &mut [0; RECORD_LEN - 1]).unwrap_err();
    assert_eq!(short.kind(), ErrorKind::InvalidArgument);
}

/// Finds an iterator that ends before the first lost record, or names another one in its error.
#[test]
fn a_walk_gives_every_record_before_the_end_of_a_truncated_file() {
    if !install_where_files_can_be_cut() {
        return;
    }
    let place = Place::new();
    let path = place.store();
    let store = DynStore::open_read_only(&path).unwrap();
    let windowed = WindowedStore::<Typed>::options()
        .max_mapped_bytes(1 << 20)
        .window_bytes(128 << 10)
        .open(&path)
        .unwrap();
    cut_to(&path, 60_000);
    let mut copies = store.copies(1..u64::MAX);
    for id in 1..60_000 {
        assert_eq!(copies.next_record().unwrap(), Some((id, &record(id)[..])));
    }
    for id in 60_000..60_003 {
        assert_cut(&copies.next_record().unwrap_err(), &path, id);
        assert_eq!(copies.size_hint().0 as u64, COUNT - id - 1);
    }
    let mut copies = store.copies(50_000..60_003);
    for id in (60_000..60_003).rev() {
        assert_cut(&copies.next_record_back().unwrap_err(), &path, id);
    }
    for id in (50_000..60_000).rev() {
        assert_eq!(copies.next_record_back().unwrap(), Some((id, &record(id)[..])));
    }
    assert_eq!(copies.next_record_back().unwrap(), None);

    let mut range = windowed.range(0..COUNT);
    assert!((0..60_000).all(|id| range.next().unwrap().unwrap().1.0.as_flattened() == record(id)));
    assert_cut(&range.next().unwrap().unwrap_err(), &path, 60_000);
    assert_cut(&range.next().unwrap().unwrap_err(), &path, 60_001);
    drop(range);
    assert_cut(&windowed.copy(70_000).unwrap_err(), &path, 70_000);
    assert_eq!(windowed.copy(59_999).unwrap().unwrap().0.as_flattened(), record(59_999));
    // Dropped and not closed: closing would write to the truncated file.
    drop(windowed);
}

/// The rest of the last page reads as zeros and causes no fault. Finds a copy that returns them as
/// a record.
#[test]
fn zeros_after_the_end_of_a_truncated_file_are_not_records() {
    if !install_where_files_can_be_cut() {
        return;
    }
    let place = Place::new();
    let path = place.0.path().join("small.rec");
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let mut store = DynStore::create(&path, &schema).unwrap();
    store.append_packed(&[0xFF; 80]).unwrap();
    store.close().unwrap();
    let store = DynStore::open_read_only(&path).unwrap();
    set_len(&path, DATA_OFFSET + 5 * 8 + 3);
    assert_eq!(store.copy(4).unwrap(), Some(vec![0xFF; 8]));
    assert_cut(&store.copy(5).unwrap_err(), &path, 5);
    assert_cut(&store.copy(9).unwrap_err(), &path, 9);
    assert_cut(&store.copy_into(0, &mut [0; 80]).unwrap_err(), &path, 5);
}

/// Finds a view whose error does not name the first lost byte, or a write that lengthens the file.
#[test]
fn errors_of_views_name_the_end_of_a_truncated_file() {
    if !install_where_files_can_be_cut() {
        return;
    }
    let place = Place::new();
    let path = place.0.path().join("bytes");
    let mapping = Mapping::create_new(&path, 1 << 20).unwrap();
    mapping.view_all().unwrap().write(0, &vec![7; 1 << 20]).unwrap();
    let view = mapping.view(1000..1 << 20).unwrap();
    let private = mapping.with_access(Access::Private).unwrap().view_all().unwrap();
    let numbers = mapping.typed::<u64>(0).unwrap();
    private.write(0, b"mine").unwrap();
    drop(mapping);
    let cut_at = (100 << 10) + 5;
    set_len(&path, cut_at);
    let check = |error: Error, operation, offset| {
        assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
        assert_eq!((error.operation(), error.file_path()), (operation, Some(&*path)), "{error}");
        assert_eq!(error.file_offset(), Some(offset), "{error}");
        assert!(error.to_string().contains("the file now has 102405 bytes"), "{error}");
    };
    let mut bytes = vec![0; 200 << 10];
    check(view.read(0, &mut bytes).unwrap_err(), "read", cut_at);
    check(view.read(300 << 10, &mut bytes).unwrap_err(), "read", 1000 + (300 << 10));
    check(view.write(0, &bytes).unwrap_err(), "write", cut_at);
    check(view.write(300 << 10, b"x").unwrap_err(), "write", 1000 + (300 << 10));
    if HAS_HANDLER {
        // System calls cannot read what a private view shows.
        check(private.read(200 << 10, &mut bytes).unwrap_err(), "read", 200 << 10);
        check(private.write(200 << 10, b"x").unwrap_err(), "write", 200 << 10);
    }
    check(numbers.get(100_000).unwrap_err(), "read", 800_000);
    check(numbers.set(100_000, &1).unwrap_err(), "write", 800_000);
    assert_eq!(
        std::fs::metadata(&path).unwrap().len(),
        cut_at,
        "a refused write made the file longer"
    );
    view.read(0, &mut bytes[..50_000]).unwrap();
    private.read(0, &mut bytes[..4]).unwrap();
    assert_eq!(&bytes[..4], b"mine");
}

/// Finds appends into lost pages that succeed, or that leave the handle usable.
#[test]
fn appends_through_a_view_of_a_truncated_file_fail() {
    if !install_where_files_can_be_cut() {
        return;
    }
    let place = Place::new();
    let path = place.store();
    let mut store = DynStore::options().write_back(WriteBack::Mapped).open(&path).unwrap();
    store.append(&record(COUNT)).unwrap(); // the file has grown, and its window is mapped
    cut_to(&path, 60_000);
    let error = (COUNT + 1..COUNT + 100_000).find_map(|n| store.append(&record(n)).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    assert_eq!((error.operation(), error.file_path()), ("write", Some(&*path)), "{error}");
    let error = store.append(&record(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
}

/// Finds a handler that confuses the faults of several threads.
#[test]
fn threads_meet_faults_at_the_same_time_and_read_good_records() {
    if !install_where_files_can_be_cut() {
        return;
    }
    let place = Place::new();
    let path = place.store();
    let store = DynStore::open_read_only(&path).unwrap();
    cut_to(&path, 60_000);
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let (store, start, path) = (&store, &start, &path);
            scope.spawn(move || {
                start.wait();
                for turn in 0..500 {
                    let id = 60_000 + (thread * 7919 + turn * 613) % 40_000;
                    assert_cut(&store.copy(id).unwrap_err(), path, id);
                    let good = (id * 31) % 60_000;
                    assert_eq!(store.copy(good).unwrap().unwrap(), record(good));
                }
            });
        }
    });
}

/// Finds an export that publishes a file of fewer records.
#[cfg(feature = "exchange")]
#[test]
fn an_export_of_a_store_truncated_during_it_names_the_record_and_leaves_no_file() {
    use flatrec::exchange::{ExportFormat, Exporter};
    if !install_where_files_can_be_cut() {
        return;
    }
    for format in [ExportFormat::Csv, ExportFormat::Ndjson, ExportFormat::Npy] {
        let place = Place::new();
        let path = place.store();
        let out = place.0.path().join("out");
        let store = DynStore::open_read_only(&path).unwrap();
        let error = Exporter::new(store.schema(), format)
            .on_progress(|progress| {
                assert!(progress.rows < 60_000, "the export passed the end of the records");
                cut_to(&path, 60_000);
                Ok(())
            })
            .export_copies(store.copies(0..COUNT), &out)
            .unwrap_err();
        assert_cut(&error, &path, 60_000);
        drop(store);
        let names: Vec<_> = std::fs::read_dir(place.0.path()).unwrap().flatten().collect();
        assert!(names.iter().all(|entry| !entry.file_name().to_str().unwrap().contains("out")));
    }
}

/// Finds a copy that misses the log or shows a deleted record, while references in place do not.
#[test]
fn copies_see_the_log_and_leave_deleted_records_out() {
    install_fault_guard().unwrap();
    let place = Place::new();
    let path = place.0.path().join("deletes.rec");
    let schema = Schema::packed([Field::new("bytes", DataType::Binary(125))]).unwrap();
    let database = DynDatabase::create_options().deletes(true).create(&path, &schema).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for n in 0..5000 {
        transaction.append(&record(n)).unwrap();
    }
    transaction.commit(Durability::Eventual).unwrap();
    database.checkpoint().unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(4000, &record(7)).unwrap();
    assert!(transaction.delete(3000).unwrap());
    transaction.commit(Durability::Immediate).unwrap();

    let store = DynStore::open_read_only(&path).unwrap();
    let windowed = WindowedStore::<Typed>::read_options()
        .max_mapped_bytes(512 << 10)
        .window_bytes(64 << 10)
        .open_read_only(&path)
        .unwrap();
    let expected = |id| if id == 4000 { record(7) } else { record(id) };
    let ids: Vec<u64> = (0..5000).filter(|&id| id != 3000).collect();
    let mut copies = store.copies(0..u64::MAX);
    assert_eq!(copies.size_hint(), (0, Some(5000)));
    for &id in &ids {
        assert_eq!(copies.next_record().unwrap(), Some((id, &expected(id)[..])));
    }
    assert_eq!(copies.next_record().unwrap(), None);
    let found: Vec<Typed> = windowed.iter().map(|found| found.unwrap().1).collect();
    assert!(
        found.iter().map(|found| found.0.as_flattened()).eq(ids.iter().map(|&id| expected(id)))
    );
    for id in [0, 2999, 4000, 4999] {
        assert_eq!(store.copy(id).unwrap().unwrap(), expected(id));
        assert_eq!(windowed.copy(id).unwrap().unwrap().0.as_flattened(), expected(id));
    }
    assert_eq!(store.copy(3000).unwrap(), None);
    assert_eq!(windowed.copy(3000).unwrap(), None);
    // A record that only the log has is copied alone, and with its neighbours.
    let snapshot = database.begin_read().unwrap();
    for first in [3999, 4000, 4001] {
        for count in 1..4 {
            let mut bytes = vec![0; count * RECORD_LEN];
            assert_eq!(snapshot.copy_into(first, &mut bytes).unwrap(), count);
            let expected: Vec<u8> = (first..first + count as u64).flat_map(expected).collect();
            assert!(bytes == expected, "{count} records from {first}");
        }
    }
    let mut bytes = vec![0; 4000 * RECORD_LEN];
    let error = store.copy_into(0, &mut bytes).unwrap_err();
    assert_eq!((error.kind(), error.record_number()), (ErrorKind::Deleted, Some(3000)), "{error}");
    assert_eq!(store.copy_into(3001, &mut bytes).unwrap(), 1999);
    assert_eq!(bytes[999 * RECORD_LEN..][..RECORD_LEN], record(7));
}

/// Finds a guard that breaks handles of sound files, or a second installation that fails.
#[test]
fn whole_files_are_read_and_written_under_the_guard() {
    install_fault_guard().unwrap();
    install_fault_guard().unwrap();
    let place = Place::new();
    let path = place.store();
    assert_eq!(flatrec::verify(&path, VerifyOptions::new()).unwrap().problems_found, 0);
    let mut store = DynStore::open(&path).unwrap();
    store.append(&record(COUNT)).unwrap(); // the append buffer holds it, and the file does not
    let mut copies = store.copies(0..u64::MAX);
    for id in 0..=COUNT {
        assert_eq!(copies.next_record().unwrap(), Some((id, &record(id)[..])));
    }
    assert_eq!(copies.next_record().unwrap(), None);
    let (start, end) = (5, 3);
    assert_eq!(store.copies(start..end).next_record().unwrap(), None);
    assert_eq!(store.copies(COUNT + 5..COUNT + 9).size_hint(), (0, Some(0)));
    store.close().unwrap();
}
