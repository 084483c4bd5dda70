//! The moments when a handle writes and syncs the checksum file: before another file depends on it,
//! and not more often.

#![allow(unsafe_code, reason = "opening over the caller's backing is unsafe")]

use std::sync::{Arc, Mutex};

use flatrec::map::{Backing, FileBacking};

use super::*;
use crate::support::hooked::{Call, Hooked, Then};

/// The calls that change a store's checksum file.
type Calls = Arc<Mutex<Vec<&'static str>>>;

fn open(path: &Path) -> (DynDatabase, Calls) {
    let calls = Calls::default();
    let noted = Arc::clone(&calls);
    let hook = move |_: &Arc<dyn Backing>, suffix: &str, call: Call<'_>| {
        if suffix == "-sum" && call.changes() {
            noted.lock().unwrap().push(match call {
                Call::Write { offset: 0, .. } => "stamp",
                other => other.name(),
            });
        }
        Ok(Then::Forward)
    };
    // SAFETY: this test alone has the file.
    let file = unsafe { FileBacking::open_unchecked(path, true) }.unwrap();
    // SAFETY: as above.
    let database =
        unsafe { DynDatabase::options().over(Arc::new(Hooked::over(Arc::new(file), hook))) };
    (database.unwrap(), calls)
}

fn take(calls: &Calls) -> Vec<&'static str> {
    std::mem::take(&mut calls.lock().unwrap())
}

/// A killed process may have written the checksum of the last block without a sync. Finds a writer
/// that makes a header durable which depends on it, and not the checksum.
#[test]
fn a_writer_syncs_the_last_checksum_of_a_killed_one() {
    let place = Place::new();
    let path = place.store(100);
    let mut store = DynStore::open(&path).unwrap();
    append(&mut store, 100..200);
    store.flush().unwrap();
    let killed = copy_as_killed(&place);
    drop(store);
    let (_database, calls) = open(&killed);
    assert_eq!(take(&calls), ["write", "sync data"]);
    let (_database, calls) = open(&path);
    assert_eq!(take(&calls), [""; 0], "after a close the checksum file needs no sync");
}

/// A long append changes no counted record. Finds a checkpoint that syncs the checksums twice for
/// it.
#[test]
fn a_checkpoint_that_changes_no_record_announces_nothing() {
    let place = Place::new();
    let path = place.store(100);
    let (database, calls) = open(&path);
    let mut transaction = database.begin_write().unwrap();
    for n in 100..40_000 {
        transaction.append(&record(n)).unwrap();
    }
    transaction.commit(Durability::Immediate).unwrap();
    take(&calls);
    assert_eq!(database.checkpoint().unwrap().records(), 0);
    assert_eq!(take(&calls), ["write", "stamp", "sync data"]);
    let mut transaction = database.begin_write().unwrap();
    transaction.set(7, &record(8)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    assert_eq!(database.checkpoint().unwrap().records(), 1);
    assert_eq!(take(&calls), ["stamp", "sync data", "write", "sync data"]);
}
