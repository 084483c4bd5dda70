//! Backup and compact: what a copy holds, when it appears, and what it may replace.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flatrec::{
    Checksums, CompactOptions, CopyOptions, DataType, Durability, DynDatabase, DynStore, ErrorKind,
    Field, PodRecord, Schema, VerifyOptions, Wait, WindowedStore, WriteBack, backup, compact,
    verify,
};

use crate::support::dead;
use crate::support::files::names;

fn schema(record_len: u32) -> Schema {
    Schema::packed([Field::new("bytes", DataType::Binary(record_len))]).unwrap()
}

/// Makes a closed store with deletes of `count` records. Record n begins with n.
fn numbers(directory: &Path, count: u64) -> PathBuf {
    let path = directory.join("numbers.rec");
    let options = DynStore::create_options().deletes(true).metadata("the user's");
    let mut store = options.create(&path, &schema(9)).unwrap();
    for n in 0..count {
        store.append(&record(n)).unwrap();
    }
    store.close().unwrap();
    path
}

fn record(n: u64) -> [u8; 9] {
    let mut record = [0xAB; 9];
    record[..8].copy_from_slice(&n.to_le_bytes());
    record
}

fn no_map(_: u64, _: u64) -> flatrec::Result<()> {
    Ok(())
}

/// Finds a check that does not wait as it was told, or that waits for ever.
#[test]
fn verify_waits_for_an_edit_as_long_as_it_was_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let mut store = DynStore::create(&path, &schema).unwrap();
    store.append_packed(&[0; 24]).unwrap();
    store.flush().unwrap();
    let edit = store.edit().unwrap();
    let (begun, at_most) = (Instant::now(), Duration::from_millis(30));
    let error = verify(&path, VerifyOptions::new().wait(Wait::AtMost(at_most))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    assert!(begun.elapsed() >= at_most);
    edit.finish().unwrap();
    let report = verify(&path, VerifyOptions::new().wait(Wait::Forever)).unwrap();
    assert_eq!((report.records, report.problems_found), (3, 0));
}

/// Finds a backup that renumbers records or loses the free list.
#[test]
fn a_backup_keeps_the_record_numbers_and_the_free_list() {
    let directory = tempfile::tempdir().unwrap();
    // The records fill more than one chunk.
    let path = numbers(directory.path(), 300_000);
    dead::delete(&path, &[5, 299_999, 0, 100_000]);
    let out = directory.path().join("copy.rec");
    let report = backup(&path, &out, CopyOptions::new()).unwrap();
    assert_eq!((report.records, report.deleted), (299_996, 4));
    let (from, to) = (std::fs::read(&path).unwrap(), std::fs::read(&out).unwrap());
    assert!(from[8192..] == to[8192..], "schema, metadata or records differ");
    assert_eq!(report.written_bytes, to.len() as u64);
    assert_ne!(from[32..48], to[32..48], "the copy has the file id of its source");
    let store = DynStore::open_read_only(&out).unwrap();
    let info = store.info().unwrap();
    assert_eq!((info.count, info.live_count, info.free_head), (300_000, 299_996, Some(100_000)));
    assert_eq!(store.metadata().unwrap(), b"the user's");
    assert_eq!(verify(&out, VerifyOptions::new()).unwrap().problems_found, 0);
}

/// Finds a backup that copies unflushed records of a writer.
#[test]
fn a_backup_beside_a_writer_holds_the_flushed_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plain.rec");
    let mut store = DynStore::create(&path, &schema(9)).unwrap();
    for n in 0..1000 {
        store.append(&record(n)).unwrap();
    }
    store.flush().unwrap();
    let more: Vec<u8> = (1000..200_000).flat_map(record).collect();
    store.append_packed(&more).unwrap();
    let out = directory.path().join("copy.rec");
    assert_eq!(backup(&path, &out, CopyOptions::new()).unwrap().records, 1000);
    let copy = DynStore::open(&out).unwrap();
    assert!(!copy.info().unwrap().deletes);
    assert!(
        copy.iter().map(|(_, record)| record).eq((0..1000)
            .map(record)
            .collect::<Vec<_>>()
            .iter()
            .map(|r| &r[..]))
    );
    assert_eq!(store.append(&record(7)).unwrap(), 200_000, "the backup stopped the writer");
}

/// Finds a copy that misses the log or mixes two commits.
#[test]
fn a_copy_beside_transactions_holds_one_commit() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 1000);
    let database = DynDatabase::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for id in [3, 999, 17] {
        assert!(transaction.delete(id).unwrap());
    }
    transaction.set(5, &record(55)).unwrap();
    assert_eq!(transaction.append(&record(1000)).unwrap(), 1000);
    transaction.commit(Durability::Immediate).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.delete(4).unwrap(); // the copies must not show this uncommitted deletion
    assert_eq!(
        std::fs::read(&path).unwrap()[65_536 + 30 + 9],
        1,
        "the array holds the newest commit already"
    );

    let out = directory.path().join("copy.rec");
    let report = backup(&path, &out, CopyOptions::new()).unwrap();
    assert_eq!((report.records, report.deleted), (998, 3));
    let windowed = || WindowedStore::<PodRecord<[u8; 9]>>::read_options();
    for path in [&path, &out] {
        assert_eq!(verify(path, VerifyOptions::new()).unwrap().problems, []);
        let store = DynStore::open_read_only(path).unwrap();
        let info = store.info().unwrap();
        assert_eq!((info.count, info.live_count, info.free_head), (1001, 998, Some(17)));
        let options = windowed().max_mapped_bytes(256 << 10).window_bytes(64 << 10);
        let windowed = options.open_read_only(path).unwrap();
        for id in 0..1002 {
            let expected = match id {
                3 | 17 | 999 | 1001 => None,
                5 => Some(record(55)),
                id => Some(record(id)),
            };
            assert_eq!(store.get(id), expected.as_ref().map(|it| &it[..]), "record {id}");
            assert_eq!(windowed.copy(id).unwrap(), expected.map(PodRecord), "record {id}");
        }
        assert_eq!(windowed.range(0..u64::MAX).count(), 998);
        assert_eq!(windowed.live_count(), 998);
    }
    let options = CopyOptions::new().replace(true);
    let report = compact(&path, &out, CompactOptions::from(options).on_renumber(no_map)).unwrap();
    assert_eq!((report.records, report.dropped), (998, 3));
    assert_eq!(DynStore::open(&out).unwrap().get(997), Some(&record(1000)[..]));
    transaction.rollback();
    database.close().unwrap();
}

/// Finds a copy of no bytes that maps an empty range.
#[test]
fn an_empty_store_can_be_copied() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 0);
    let out = directory.path().join("copy.rec");
    assert_eq!(backup(&path, &out, CopyOptions::new()).unwrap().written_bytes, 65_536);
    let options = CopyOptions::new().replace(true);
    assert_eq!(
        compact(&path, &out, CompactOptions::from(options).on_renumber(no_map)).unwrap().records,
        0
    );
    assert!(DynStore::open(&out).unwrap().is_empty());
}

/// Finds a copy that overwrites a file unasked, or its own source by another name.
#[test]
fn a_copy_replaces_only_what_it_may() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 3);
    let out = directory.path().join("copy.rec");
    std::fs::write(&out, "precious").unwrap();
    let error = backup(&path, &out, CopyOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("replace the file with CopyOptions::replace"), "{error}");
    assert_eq!(std::fs::read(&out).unwrap(), b"precious");
    backup(&path, &out, CopyOptions::new().replace(true)).unwrap();
    assert_eq!(DynStore::open(&out).unwrap().count(), 3);

    let link = directory.path().join("link.rec");
    std::fs::hard_link(&path, &link).unwrap();
    let mut same = vec![path.clone(), link];
    if cfg!(unix) {
        let symlink = directory.path().join("symlink.rec");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&path, &symlink).unwrap();
        same.push(symlink);
    }
    for out in same {
        let before = std::fs::read(&path).unwrap();
        let error = backup(&path, &out, CopyOptions::new().replace(true)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{}", out.display());
        let options = CopyOptions::new().replace(true);
        let error =
            compact(&path, &out, CompactOptions::from(options).on_renumber(no_map)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(std::fs::read(&path).unwrap() == before);
    }
}

/// Finds a copy that writes through a symbolic link. A copy replaces the link itself, as
/// `std::fs::rename` does.
#[test]
#[cfg(unix)]
fn an_export_replaces_a_link_and_keeps_its_target() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 3);
    let (store, link) = (directory.path().join("other.rec"), directory.path().join("link.rec"));
    backup(&path, &store, CopyOptions::new()).unwrap();
    let mut open = DynStore::open(&store).unwrap();
    let makes: [(&str, &dyn Fn()); 4] = [
        ("backup", &|| {
            backup(&path, &link, CopyOptions::new().replace(true)).unwrap();
        }),
        ("compact", &|| {
            compact(&path, &link, CompactOptions::new().replace(true).on_renumber(no_map)).unwrap();
        }),
        ("salvage", &|| {
            flatrec::salvage(&path, &link, flatrec::SalvageOptions::new().replace(true)).unwrap();
        }),
        ("a new store", &|| {
            let options = DynStore::create_options().deletes(true);
            let mut made = options.create_aside(&link, &schema(9), true).unwrap();
            for n in 0..3 {
                made.append(&record(n)).unwrap();
            }
            made.close().unwrap();
        }),
    ];
    for (at, (what, make)) in (0_u64..).zip(makes) {
        std::os::unix::fs::symlink("other.rec", &link).unwrap();
        make();
        assert!(!link.is_symlink(), "{what}");
        assert_eq!(DynStore::open(&link).unwrap().count(), 3, "{what}");
        open.append(&record(3 + at)).unwrap();
        std::fs::remove_file(&link).unwrap();
    }
    open.close().unwrap();
    assert_eq!(DynStore::open(&store).unwrap().count(), 7);
    assert_eq!(verify(&store, VerifyOptions::new().max_problems(1)).unwrap().problems_found, 0);
}

/// Finds unfinished files of a copy that its caller stopped.
#[test]
fn a_stopped_copy_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 300_000);
    let before = names(directory.path());
    let out = directory.path().join("copy.rec");
    let mut seen = Vec::new();
    let options = CopyOptions::new().on_progress(|done_bytes, total_bytes| {
        seen.push(done_bytes);
        assert_eq!(total_bytes, 3_000_000);
        if seen.len() == 2 { Err(io::Error::other("stopped").into()) } else { Ok(()) }
    });
    assert!(backup(&path, &out, options).unwrap_err().to_string().contains("stopped"));
    assert_eq!(seen.len(), 2);
    assert!(0 < seen[0] && seen[0] < seen[1] && seen[1] < 3_000_000, "{seen:?}");
    assert_eq!(names(directory.path()), before);
    let error = compact(
        &path,
        &out,
        CompactOptions::new().on_renumber(|old, _| match old {
            7 => Err(io::Error::other("stopped").into()),
            _ => Ok(()),
        }),
    );
    assert!(error.unwrap_err().to_string().contains("stopped"));
    assert_eq!(names(directory.path()), before);
}

/// Finds a wrong old or new record number that `compact` reports.
#[test]
fn compact_drops_deleted_records_and_reports_the_new_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 300_000);
    let dead: Vec<u64> = (0..150_000).chain([299_999]).collect();
    dead::delete(&path, &dead);
    let out = directory.path().join("compact.rec");
    let mut moved = Vec::new();
    let report = compact(
        &path,
        &out,
        CompactOptions::new().on_renumber(|old, new| {
            moved.push((old, new));
            Ok(())
        }),
    );
    let report = report.unwrap();
    assert_eq!((report.records, report.dropped, report.renumbered), (149_999, 150_001, 149_999));
    assert!(moved.into_iter().eq((150_000..299_999).zip(0..)));
    let store = DynStore::open(&out).unwrap();
    let info = store.info().unwrap();
    assert!(info.deletes, "the compacted store lost its status bytes");
    assert_eq!((info.count, info.live_count, info.free_head), (149_999, 149_999, None));
    let found = store.iter();
    assert!(found.zip(150_000..).all(|((id, r), old)| id + 150_000 == old && r == record(old)));
    drop(store);
    assert_eq!(report.written_bytes, std::fs::metadata(&out).unwrap().len());
    assert_eq!(verify(&out, VerifyOptions::new()).unwrap().problems_found, 0);
}

/// Finds a compaction that hides a damaged count or status byte.
#[test]
fn compact_refuses_a_store_that_contradicts_itself() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), 10);
    let before = names(directory.path());
    let out = directory.path().join("compact.rec");
    dead::set_header(&path, 9, u64::MAX);
    let error = compact(&path, &out, CompactOptions::new().on_renumber(no_map)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    dead::set_header(&path, 10, u64::MAX);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[65_536 + 40 + 9] = 0;
    std::fs::write(&path, bytes).unwrap();
    let error = compact(&path, &out, CompactOptions::new().on_renumber(no_map)).unwrap_err();
    assert_eq!((error.kind(), error.record_number()), (ErrorKind::Corrupt, Some(4)));
    assert_eq!(names(directory.path()), before);
}

/// Finds a copy that sums damaged records anew.
#[test]
fn a_copy_has_checksums_if_the_store_has_and_does_not_hide_damage() {
    let directory = tempfile::tempdir().unwrap();
    let (path, out) = (directory.path().join("n.rec"), directory.path().join("copy.rec"));
    let options = DynStore::create_options().deletes(true).checksums(true);
    let mut store = options.create(&path, &schema(9)).unwrap();
    store.append_packed((0..30_000).map(record).collect::<Vec<_>>().as_flattened()).unwrap();
    store.close().unwrap();
    backup(&path, &out, CopyOptions::new()).unwrap();
    let report = verify(&out, VerifyOptions::new()).unwrap();
    assert_eq!((report.problems_found, report.checksums), (0, Checksums::Present { blocks: 5 }));
    std::fs::remove_file(&out).unwrap();

    let mut bytes = std::fs::read(&path).unwrap();
    bytes[2 * 65_536 + 77] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = backup(&path, &out, CopyOptions::new()).unwrap_err();
    assert_eq!((error.kind(), error.file_offset()), (ErrorKind::Corrupt, Some(2 * 65_536)));
    let error = compact(&path, &out, CompactOptions::new().on_renumber(no_map)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(!out.exists());
}

/// Compares random histories of stores with deletes with a vector of records.
mod model {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    #[derive(Clone, Debug)]
    enum Operation {
        Append(u8),
        AppendMany(u8, u16),
        Flush,
        Reopen(bool),
        /// Drops the records appended since the last flush.
        Unappend,
        Delete(Vec<Index>),
        Edit(Vec<(Index, u8)>),
        Backup,
        Compact,
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let index = any::<Index>;
        prop_oneof![
            6 => any::<u8>().prop_map(Operation::Append),
            3 => (any::<u8>(), 1u16..900).prop_map(|(n, len)| Operation::AppendMany(n, len)),
            2 => Just(Operation::Flush),
            2 => any::<bool>().prop_map(Operation::Reopen),
            1 => Just(Operation::Unappend),
            4 => prop::collection::vec(index(), 0..20).prop_map(Operation::Delete),
            3 => prop::collection::vec((index(), any::<u8>()), 0..20).prop_map(Operation::Edit),
            1 => Just(Operation::Backup),
            1 => Just(Operation::Compact),
        ]
    }

    struct Rig {
        directory: tempfile::TempDir,
        way: WriteBack,
        record_len: usize,
        store: Option<DynStore>,
        model: Vec<Option<Vec<u8>>>,
        flushed: usize,
    }

    impl Rig {
        fn path(&self) -> PathBuf {
            self.directory.path().join("store.rec")
        }

        fn store(&mut self) -> &mut DynStore {
            let (path, way) = (self.path(), self.way);
            let open = || DynStore::options().write_back(way).open(path).unwrap();
            self.store.get_or_insert_with(open)
        }

        fn close(&mut self) {
            self.store().flush().unwrap();
            self.flushed = self.model.len();
            self.store.take().unwrap().close().unwrap();
        }

        fn record(&self, n: u8) -> Vec<u8> {
            (0..self.record_len).map(|at| (at as u8).wrapping_add(n)).collect()
        }

        fn apply(&mut self, operation: &Operation) {
            match operation {
                Operation::Append(n) => {
                    let record = self.record(*n);
                    let id = self.store().append(&record).unwrap();
                    assert_eq!(id, self.model.len() as u64);
                    self.model.push(Some(record));
                }
                Operation::AppendMany(n, len) => {
                    let records: Vec<Vec<u8>> =
                        (0..*len).map(|at| self.record(n.wrapping_add(at as u8))).collect();
                    self.store().append_packed(&records.concat()).unwrap();
                    self.model.extend(records.into_iter().map(Some));
                }
                Operation::Flush => {
                    self.store().flush().unwrap();
                    self.flushed = self.model.len();
                }
                Operation::Reopen(true) => self.close(),
                Operation::Reopen(false) => {
                    self.store = None; // this closes the store
                    self.flushed = self.model.len();
                }
                Operation::Unappend => {
                    let flushed = self.flushed;
                    self.store().truncate(flushed as u64).unwrap();
                    self.model.truncate(flushed);
                }
                Operation::Delete(places) => self.delete(places),
                Operation::Edit(changes) => self.edit(changes),
                Operation::Backup => self.backup(),
                Operation::Compact => self.compact(),
            }
        }

        /// Deletes records in one transaction, and inserts one in place of the last of them.
        fn delete(&mut self, places: &[Index]) {
            self.close();
            let database = DynDatabase::open(self.path()).unwrap();
            let mut transaction = database.begin_write().unwrap();
            let (count, mut last) = (self.model.len(), None);
            for at in places.iter().filter(|_| count > 0).map(|place| place.index(count)) {
                let lived = self.model[at].take().is_some();
                assert_eq!(transaction.delete(at as u64).unwrap(), lived);
                last = if lived { Some(at) } else { last };
            }
            if let Some(at) = last.filter(|_| places.len() % 2 == 0) {
                let record = self.record(places.len() as u8);
                assert_eq!(transaction.insert(&record).unwrap(), at as u64);
                self.model[at] = Some(record);
            }
            transaction.commit(Durability::Eventual).unwrap();
            // Reads beside the live log, because the array alone is not the state.
            check(&DynStore::open_read_only(self.path()).unwrap(), &self.model);
            assert_eq!(verify(self.path(), VerifyOptions::new()).unwrap().problems, []);
            database.close().unwrap();
        }

        fn edit(&mut self, changes: &[(Index, u8)]) {
            let places: Vec<(usize, Vec<u8>)> = changes
                .iter()
                .filter(|_| !self.model.is_empty())
                .map(|(place, n)| (place.index(self.model.len()), self.record(*n)))
                .collect();
            let lives: Vec<bool> = self.model.iter().map(Option::is_some).collect();
            let mut edit = self.store().edit().unwrap();
            for (at, record) in &places {
                match edit.set(*at as u64, record) {
                    Ok(()) => assert!(lives[*at]),
                    Err(error) => assert!(!lives[*at] && error.kind() == ErrorKind::Deleted),
                }
            }
            edit.finish().unwrap();
            self.flushed = self.model.len();
            for (at, record) in places.into_iter().filter(|(at, _)| lives[*at]) {
                self.model[at] = Some(record);
            }
        }

        fn backup(&mut self) {
            self.store();
            let out = self.directory.path().join("backup.rec");
            let options = CopyOptions::new().replace(true);
            backup(self.path(), &out, options).unwrap();
            let copy = DynStore::open_read_only(&out).unwrap();
            check(&copy, &self.model[..self.flushed]);
            drop(copy);
            assert_eq!(verify(&out, VerifyOptions::new()).unwrap().problems, []);
        }

        /// Replaces the store by its compacted copy.
        fn compact(&mut self) {
            self.close();
            let out = self.directory.path().join("compact.rec");
            let mut map = Vec::new();
            let options = CopyOptions::new().replace(true);
            let report = compact(
                self.path(),
                &out,
                CompactOptions::from(options).on_renumber(|old, new| {
                    map.push((old, new));
                    Ok(())
                }),
            );
            let living = |(at, record): (u64, &Option<Vec<u8>>)| record.as_ref().map(|_| at);
            let old = (0..).zip(&self.model).filter_map(living);
            assert!(map.into_iter().eq(old.zip(0..)));
            self.model.retain(Option::is_some);
            self.flushed = self.model.len();
            assert_eq!(report.unwrap().records, self.model.len() as u64);
            std::fs::rename(out, self.path()).unwrap();
        }
    }

    fn check(store: &DynStore, model: &[Option<Vec<u8>>]) {
        assert_eq!(store.count(), model.len() as u64);
        assert_eq!(store.live_count(), model.iter().flatten().count() as u64);
        for (id, expected) in (0..).zip(model) {
            assert!(store.get(id) == expected.as_deref(), "record {id}");
        }
        assert!(store.get(store.count()).is_none());
        assert!(store.iter().map(|(_, record)| record).eq(model.iter().flatten()));
        assert!(store.iter().rev().map(|(_, record)| record).eq(model.iter().rev().flatten()));
        let third = model.len() / 3;
        let range = third as u64..2 * third as u64;
        assert!(
            store
                .range(range)
                .map(|(_, record)| record)
                .eq(model[third..2 * third].iter().flatten())
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// Finds a copy whose records differ from those of the model.
        #[test]
        fn every_history_agrees_with_a_vector(
            record_len in prop_oneof![Just(8u32), Just(125), Just(5000)],
            way in prop_oneof![
                Just(WriteBack::Auto), Just(WriteBack::Mapped), Just(WriteBack::Positioned)
            ],
            operations in prop::collection::vec(operation(), 1..40),
        ) {
            // Windows refuses positioned writing, because its views do not see the calls.
            let way = if cfg!(windows) { WriteBack::Auto } else { way };
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("store.rec");
            let options = DynStore::create_options().deletes(true).write_back(way);
            let store = Some(options.create(path, &schema(record_len)).unwrap());
            let record_len = record_len as usize;
            let mut rig = Rig { directory, way, record_len, store, model: Vec::new(), flushed: 0 };
            for operation in &operations {
                rig.apply(operation);
                let model = std::mem::take(&mut rig.model);
                check(rig.store(), &model);
                rig.model = model;
            }
            rig.close();
            prop_assert_eq!(verify(rig.path(), VerifyOptions::new()).unwrap().problems, []);
        }
    }
}
