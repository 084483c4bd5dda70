//! How the golden files were made. They are never made again: a file that a later program makes
//! says nothing about whether it reads those of the first one.
//!
//! `FLATREC_GOLDEN=v1 cargo test --test it golden::make -- --ignored` makes the cases that are not
//! there in `tests/golden/v1`, and touches none that is.
//!
//! The case `log` needs a bulk append of 38,400 bytes that is written in place and not logged. The
//! program does that for 1 MiB and more: this case was made with `LOGGED_TAIL_BYTES_MAX` in
//! src/txn/engine/changes.rs lowered to 32 KiB, which decides what is written and not how.

use std::fs;
use std::path::{Path, PathBuf};

use flatrec::{CreateOptions, Database, Durability, DynStore, Store};

use super::cases::{self, Row, row, row_bytes};
use super::folder;

/// Makes the files of a case, at and beside the path.
type Make = fn(&Path);

/// Makes golden files of new cases; those that exist stay, since a new one would hide a change.
#[test]
#[ignore = "golden files are made once, and by hand"]
fn make_what_is_not_there() {
    let version = std::env::var("FLATREC_GOLDEN").expect("the version, to say that it is meant");
    assert_eq!(version, "v1", "the version that this program writes");
    let cases: [(&str, Make); 6] = [
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
            println!("{name} is there, and stays as it is");
            continue;
        }
        let made = tempfile::tempdir().unwrap();
        make(&made.path().join("store.rec"));
        // What `make` leaves in `dead` was copied while the store was open.
        let dead = made.path().join("dead");
        let from = if dead.exists() { dead } else { made.path().to_path_buf() };
        fs::create_dir_all(&to).unwrap();
        for file in files(&from) {
            fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
}

/// The files in a folder, without lock files, which the format does not describe.
fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file() && !path.to_string_lossy().ends_with("-lock")).collect()
}

/// Copies the files of an open store aside, as a kill would leave them. Room that the writer grew
/// ahead, in which there is nothing, is left out.
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

/// Options to make a store of rows with.
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
                continue; // zeros are null
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
    // More than the first segment has room for.
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
        // Only the first is there.
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
    // The last block reached the disk in part.
    let log = path.with_file_name("dead").join("store.rec-wal-1");
    let mut bytes = fs::read(&log).unwrap();
    let number = 4u64.to_le_bytes(); // the first was that of the records that the store began with
    let block = bytes.chunks(512).position(|at| at.starts_with(b"FWB1") && at[40..48] == number);
    let start = block.unwrap() * 512;
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

/// What is left out of a comparison of two files with a header: the number drawn at random that is
/// the file's id, and the checksums of what it is in.
fn without_id(mut bytes: Vec<u8>) -> Vec<u8> {
    let is_store = bytes.starts_with(b"\x89FLATREC");
    for start in if is_store { vec![0, 4096] } else { vec![0] } {
        let slot = &mut bytes[start..start + 512];
        let id = if is_store { 32..48 } else { ID_IN_SUMS };
        assert!(slot[id.clone()].iter().any(|&byte| byte != 0), "an id");
        slot[id].fill(0);
        slot[508..].fill(0);
    }
    bytes
}

/// The id in the first sector of a file of checksums.
const ID_IN_SUMS: std::ops::Range<usize> = 16..32;

/// The same calls make the same bytes: here, on whatever machine this is, and on the 64-bit,
/// little-endian one on which the files were made. (A log also has a number drawn at random in
/// every block, and its checksum after that: what is in one is read in the other tests.)
#[test]
fn what_is_written_here_is_byte_for_byte_what_was_written_there() {
    let cases: [(&str, Make); 4] =
        [("plain", plain), ("deletes", deletes), ("sums", sums), ("editing", editing)];
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
        assert_eq!(files(&made_in).len(), compared, "{name}: as many files");
    }
}
