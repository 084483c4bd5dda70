//! How the golden files were made. They are never made again: a program that reads its own files
//! says nothing about those of the first program.
//!
//! `FLATREC_GOLDEN=v1 cargo test --test it golden::make -- --ignored` makes the missing cases in
//! `tests/golden/v1`, and keeps the existing ones.
//!
//! The case `log` needs a long append of 38,400 bytes. A writer puts appends of 1 MiB and more into
//! the array: this case was made with `LOGGED_TAIL_BYTES_MAX` in src/txn/engine/changes.rs lowered
//! to 32 KiB. That decides what the writer logs, and not how.

use std::fs;
use std::path::{Path, PathBuf};

use flatrec::{CreateOptions, Database, Durability, DynStore, Store};

use super::cases::{self, Row, row, row_bytes};
use super::{annotated, folder};

/// A function that makes the files of a case at the path and beside it.
type Make = fn(&Path);

/// Makes golden files of new cases. Existing files stay, because a new file would hide a change.
#[test]
#[ignore = "golden files are made once, and by hand"]
fn make_the_missing_cases() {
    let version = std::env::var("FLATREC_GOLDEN").expect("FLATREC_GOLDEN must name the version");
    assert_eq!(version, "v1", "this program writes another version");
    let cases: [(&str, Make); 7] = [
        ("annotated", annotated::make),
        ("plain", plain),
        ("deletes", deletes),
        ("sums", sums),
        ("log", log),
        ("torn", torn),
        ("editing", editing),
    ];
    for (name, make) in cases {
        let to = folder().join(name);
        if to.exists() {
            println!("{name} exists and stays");
            continue;
        }
        let made = tempfile::tempdir().unwrap();
        make(&made.path().join("store.rec"));
        // `make` copied the files in `dead` while the store was open.
        let dead = made.path().join("dead");
        let from = if dead.exists() { dead } else { made.path().to_path_buf() };
        fs::create_dir_all(&to).unwrap();
        for file in files(&from) {
            fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
}

/// The files in a folder, without lock files, which are not a part of the format.
fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file() && !path.to_string_lossy().ends_with("-lock")).collect()
}

/// Copies the files of an open store to `dead`, as a kill would leave them, without the space that
/// the writer reserved.
fn copy_as_dead(path: &Path, records_end: usize) {
    let folder = path.parent().unwrap();
    let dead = folder.join("dead");
    fs::create_dir(&dead).unwrap();
    for file in files(folder) {
        let mut bytes = fs::read(&file).unwrap();
        if file == path {
            assert!(bytes[records_end..].iter().all(|&byte| byte == 0));
            bytes.truncate(records_end);
        }
        fs::write(dead.join(file.file_name().unwrap()), bytes).unwrap();
    }
}

/// The options to make a store of rows.
fn options() -> CreateOptions<Store<Row>> {
    Store::create_options().schema(cases::row_schema())
}

fn rows(ids: std::ops::Range<u64>, version: u32) -> Vec<Row> {
    ids.map(|id| row(id, version)).collect()
}

fn plain(path: &Path) {
    let schema = cases::every_kind();
    let options = DynStore::create_options().metadata(cases::PLAIN_METADATA);
    let mut store = options.create(path, &schema).unwrap();
    for id in 0..cases::PLAIN_COUNT {
        let mut record = vec![0; schema.record_size() as usize];
        for (place, field) in (0..).zip(schema.fields()) {
            let Some(elements) = cases::elements(field, place, id) else {
                continue; // zeros mean null
            };
            match field.array_len() {
                None => field.write(&mut record, &elements[0]).unwrap(),
                Some(_) => field.write_elements(&mut record, &elements).unwrap(),
            }
        }
        store.append(&record).unwrap();
    }
    store.close().unwrap();
}

fn deletes(path: &Path) {
    let options = options().deletes(true).metadata("records that come and go");
    let mut store = options.create(path).unwrap();
    store.append_slice(&rows(0..cases::DELETES_COUNT, 0)).unwrap();
    store.close().unwrap();
    let database = Database::<Row>::open(path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for id in cases::DELETED {
        assert!(transaction.delete(id).unwrap());
    }
    transaction.commit(Durability::Immediate).unwrap();
    let mut transaction = database.begin_write().unwrap();
    assert_eq!(transaction.insert(&row(20, 1)).unwrap(), 20);
    assert_eq!(transaction.insert(&row(99, 1)).unwrap(), 99);
    transaction.commit(Durability::Immediate).unwrap();
    database.close().unwrap();
}

fn sums(path: &Path) {
    let mut store = options().checksums(true).create(path).unwrap();
    store.append_slice(&rows(0..cases::SUMS_COUNT, 0)).unwrap();
    store.close().unwrap();
    let database = Database::<Row>::open(path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for id in (5..cases::SUMS_COUNT).step_by(1000) {
        transaction.set(id, &row(id, 1)).unwrap();
    }
    transaction.commit(Durability::Immediate).unwrap();
    database.close().unwrap();
}

fn log(path: &Path) {
    let options = options().deletes(true).checksums(true);
    let mut store = options.metadata("left by a writer that died").create(path).unwrap();
    store.append_slice(&rows(0..cases::LOG_COUNT, 0)).unwrap();
    store.close().unwrap();
    let database = Database::<Row>::open(path).unwrap();
    let commit = |sets: std::ops::Range<u64>, deletes: &[u64], inserts: &[u64], version| {
        let mut transaction = database.begin_write().unwrap();
        for id in sets {
            if transaction.get(id).is_some() {
                transaction.set(id, &row(id, version)).unwrap();
            }
        }
        for &id in deletes {
            assert!(transaction.delete(id).unwrap());
        }
        for &id in inserts {
            assert_eq!(transaction.insert(&row(id, version)).unwrap(), id);
        }
        transaction.commit(Durability::Immediate).unwrap();
    };
    commit(0..10, &[3, 7, 291], &[], 1);
    database.checkpoint().unwrap();
    commit(0..2, &[100], &[100], 2);
    let bulk = rows(cases::LOG_COUNT..cases::LOG_COUNT + cases::LOG_BULK, 3);
    let mut transaction = database.begin_write().unwrap();
    transaction.append_slice(&bulk).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    // More than the first segment can hold.
    for version in 4..10 {
        let mut transaction = database.begin_write().unwrap();
        for id in (10..200).filter(|&id| id != 100) {
            transaction.set(id, &row(id, version)).unwrap();
        }
        transaction.commit(Durability::Immediate).unwrap();
    }
    let mut transaction = database.begin_write().unwrap();
    transaction.set(700, &row(700, 10)).unwrap();
    transaction.append_slice(&rows(1100..1102, 10)).unwrap();
    for id in [5, 291, 7, 3] {
        // The segment holds only the first.
        assert_eq!(transaction.delete(id).unwrap(), id == 5);
    }
    transaction.commit(Durability::Immediate).unwrap();
    let end = 65_536 + 56 * (cases::LOG_COUNT + cases::LOG_BULK + 2) as usize;
    copy_as_dead(path, end);
}

fn torn(path: &Path) {
    let mut store = options().create(path).unwrap();
    store.append_slice(&rows(0..cases::TORN_COUNT, 0)).unwrap();
    store.close().unwrap();
    let database = Database::<Row>::open(path).unwrap();
    for (sets, appends, version) in [(0..20, 0, 1), (0..0, 10, 2), (100..150, 0, 3)] {
        let mut transaction = database.begin_write().unwrap();
        for id in sets {
            transaction.set(id, &row(id, version)).unwrap();
        }
        let first = transaction.count();
        transaction.append_slice(&rows(first..first + appends, version)).unwrap();
        transaction.commit(Durability::Immediate).unwrap();
    }
    copy_as_dead(path, 65_536 + 48 * (cases::TORN_COUNT + 10) as usize);
    // The disk has only a part of the last frame.
    let log = path.with_file_name("dead").join("store.rec-wal-1");
    let mut bytes = fs::read(&log).unwrap();
    let number = 4u64.to_le_bytes(); // commit 1 has the first records
    let frame = bytes.chunks(512).position(|at| at.starts_with(b"FWB1") && at[40..48] == number);
    let start = frame.unwrap() * 512;
    assert_eq!(bytes[start + 128 + 8 * 50..][..48], row_bytes(100, 3));
    bytes[start + 1024..start + 4096].fill(0);
    fs::write(log, bytes).unwrap();
}

fn editing(path: &Path) {
    let mut store = options().create(path).unwrap();
    store.append_slice(&rows(0..cases::EDITING_COUNT, 0)).unwrap();
    store.flush().unwrap();
    let mut edit = store.edit().unwrap();
    for id in 0..32 {
        edit.set(id, &row(id, 1)).unwrap();
    }
    edit.flush().unwrap();
    copy_as_dead(path, 65_536 + 48 * cases::EDITING_COUNT as usize);
    edit.finish().unwrap();
}

/// Clears what differs between two files with a header: the random file id, and the checksums over
/// it.
fn without_id(mut bytes: Vec<u8>) -> Vec<u8> {
    let is_store = bytes.starts_with(b"\x89FLATREC");
    for start in if is_store { vec![0, 4096] } else { vec![0] } {
        let slot = &mut bytes[start..start + 512];
        let id = if is_store { 32..48 } else { ID_IN_SUMS };
        assert!(slot[id.clone()].iter().any(|&byte| byte != 0), "the file has no id");
        slot[id].fill(0);
        slot[508..].fill(0);
    }
    bytes
}

/// The place of the id in the first sector of a checksum file.
const ID_IN_SUMS: std::ops::Range<usize> = 16..32;

/// Finds a call that writes other bytes on this machine than on the 64-bit, little-endian one that
/// made the files. (Every frame of a log has a random number and a checksum over it. The other
/// tests read what is in a frame.)
#[test]
fn the_same_calls_write_the_same_bytes_as_on_the_first_machine() {
    let cases: [(&str, Make); 5] = [
        ("annotated", annotated::make),
        ("plain", plain),
        ("deletes", deletes),
        ("sums", sums),
        ("editing", editing),
    ];
    for (name, make) in cases {
        let made = tempfile::tempdir().unwrap();
        make(&made.path().join("store.rec"));
        let dead = made.path().join("dead");
        let made_in = if dead.exists() { dead } else { made.path().to_path_buf() };
        let mut compared = 0;
        for golden in files(&folder().join(name)) {
            let file = golden.file_name().unwrap();
            let was = without_id(fs::read(&golden).unwrap());
            let is = without_id(fs::read(made_in.join(file)).unwrap());
            assert_eq!(is.len(), was.len(), "{name}, {file:?}");
            let differs = is.iter().zip(&was).position(|(is, was)| is != was);
            assert_eq!(differs, None, "{name}, {file:?}");
            compared += 1;
        }
        assert_eq!(files(&made_in).len(), compared, "{name}: the number of files differs");
    }
}
