//! Readers and writers beside locks of other programs.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use crate::db::DynDatabase;
use crate::error::ErrorKind;
use crate::format::{DataType, Field, Schema};
use crate::io::STORE;
use crate::os::{self, LockKind};
use crate::shm::{FOR_EARLIER_WRITERS, READERS};

fn make(directory: &Path) -> std::path::PathBuf {
    let path = directory.join("x");
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    DynDatabase::create(&path, &schema).unwrap().close().unwrap();
    path
}

fn lock(path: &Path, range: Range<u64>) -> File {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let len = range.end - range.start;
    assert!(os::try_lock_range(&file, range.start, len, LockKind::Exclusive).unwrap());
    file
}

/// A reader locks its entry in the reader table before it lengthens the lock file for it.
#[test]
fn a_locked_reader_entry_past_the_end_holds_checkpoints_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(directory.path());
    let database = DynDatabase::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&[0; 8]).unwrap();
    transaction.commit(crate::txn::Durability::Immediate).unwrap();
    let reader = lock(&directory.path().join("x-lock"), (1 << 20) + 1000..(1 << 20) + 1001);
    assert!(database.checkpoint().unwrap().held_back().is_some());
    drop(reader);
    assert_eq!(database.checkpoint().unwrap().held_back(), None);
}

/// Another program's lock used to keep readers from taking their locks, and they read without them.
#[test]
fn a_reader_refuses_to_read_without_its_locks() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(directory.path());
    let side = directory.path().join("x-lock");
    let foreign = [(&path, READERS), (&path, FOR_EARLIER_WRITERS), (&path, STORE), (&side, STORE)];
    for (locked, range) in foreign {
        let file = lock(locked, range.clone());
        let refused = DynDatabase::open_read_only(&path).map(drop).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Locked, "{range:?} of {locked:?}: {refused}");
        drop(file);
        drop(DynDatabase::open_read_only(&path).unwrap());
    }
}
