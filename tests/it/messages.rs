//! What errors say: which process is in the way, each text once, and the parts on demand.

#![cfg(feature = "derive")]
#![allow(unsafe_code, reason = "opening over the caller's backing is unsafe")]

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use flatrec::map::{Backing, FileBacking};
use flatrec::{Database, Durability, Error, ErrorKind, Store, VerifyOptions, verify};

use crate::support::hooked::{Call, Hooked, Then};
use crate::support::numbered::{N, add, try_add};

/// Finds an error that does not say that the other handle is in this very process.
#[test]
fn a_handle_of_this_process_in_the_way_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    let mut store = Store::<N>::create(&path).unwrap();
    store.append(&N { n: 1 }).unwrap();
    store.flush().unwrap();
    let check = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
        assert!(error.to_string().contains(", in this very process ("), "{error}");
    };
    check(Store::<N>::open(&path).unwrap_err());
    check(Database::<N>::open(&path).unwrap_err());

    let readers = [
        Database::<N>::open_read_only(&path).unwrap(),
        Database::<N>::open_read_only(&path).unwrap(),
    ];
    check(store.edit().map(drop).unwrap_err());
    check(store.truncate(0).unwrap_err());
    drop(readers);

    let edit = store.edit().unwrap();
    check(Store::<N>::open_read_only(&path).unwrap_err());
    check(Database::<N>::open_read_only(&path).unwrap_err());
    check(verify(&path, VerifyOptions::new()).unwrap_err());
    drop(edit);
    drop(Store::<N>::open_read_only(&path).unwrap());
}

/// The texts of an error and of all errors below it.
fn chain(error: &Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut below = error.source();
    while let Some(cause) = below {
        texts.push(cause.to_string());
        below = cause.source();
    }
    texts
}

/// Finds a cause that a report of the whole chain shows twice, or not at all.
#[test]
fn a_report_of_the_chain_shows_each_text_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    Store::<N>::create(&path).unwrap().close().unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&broken);
    // SAFETY: only this test has the file.
    let file = Arc::new(unsafe { FileBacking::open_unchecked(&path, true) }.unwrap());
    let hook = move |_: &Arc<dyn Backing>, _: &str, call: Call<'_>| match call.changes()
        && asked.load(Relaxed)
    {
        true => Err(io::Error::other("the device is gone").into()),
        false => Ok(Then::Forward),
    };
    // SAFETY: only this test has the file.
    let database = unsafe { Database::<N>::options().over(Arc::new(Hooked::over(file, hook))) };
    let database = database.unwrap();
    add(&database, 1);
    broken.store(true, Relaxed);
    let failed = try_add(&database, 2).unwrap_err();
    let poisoned = try_add(&database, 3).unwrap_err();
    let checkpoint = database.checkpoint().unwrap_err();
    assert_eq!((failed.kind(), poisoned.kind()), (ErrorKind::Io, ErrorKind::Poisoned));
    for error in [&failed, &poisoned, &checkpoint] {
        let all = chain(error).join("\n");
        assert_eq!(all.matches("the device is gone").count(), 1, "{all}");
        assert!(all.contains("n.rec"), "{all}");
    }
    assert_eq!(failed.io_error().unwrap().to_string(), "the device is gone");

    let missing = Store::<N>::open(directory.path().join("no.rec")).unwrap_err();
    let own = Error::from(io::Error::other(missing));
    let all = chain(&own).join("\n");
    assert_eq!(all.matches("no.rec: not found").count(), 1, "{all}");
    let deeper = Error::from(io::Error::other(own));
    assert_eq!(chain(&deeper).join("\n").matches("no.rec: not found").count(), 1, "{deeper}");
}

/// Finds a full disk that a report shows twice, after a write that may have happened in part.
#[test]
fn a_full_disk_in_a_write_is_shown_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    Store::<N>::create(&path).unwrap().close().unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&full);
    // SAFETY: only this test has the file.
    let file = Arc::new(unsafe { FileBacking::open_unchecked(&path, true) }.unwrap());
    let hook = move |_: &Arc<dyn Backing>, suffix: &str, call: Call<'_>| match suffix == "-wal-1"
        && call.name() == "write"
        && asked.load(Relaxed)
    {
        true => Err(io::Error::from(io::ErrorKind::StorageFull).into()),
        false => Ok(Then::Forward),
    };
    // SAFETY: only this test has the file.
    let database = unsafe { Database::<N>::options().over(Arc::new(Hooked::over(file, hook))) };
    let database = database.unwrap();
    add(&database, 1);
    full.store(true, Relaxed);
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&N { n: 2 }).unwrap();
    let error = transaction.commit(Durability::Immediate).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    let all = chain(&error).join("\n");
    assert_eq!(all.matches("the disk became full during a write or sync").count(), 1, "{all}");
    assert_eq!(all.matches("no storage space").count(), 1, "{all}");
}

/// Finds a `Debug` that is no text, or one that hides a part.
#[test]
fn debug_is_the_text_and_alternate_debug_the_parts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("no.rec");
    let error = Store::<N>::open(&path).unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    let parts = format!("{error:#?}");
    let path = format!("{path:?}");
    for part in ["kind: NotFound", "operation: \"open\"", &path, "advice: Some", "source: Some"] {
        assert!(parts.contains(part), "{part}: {parts}");
    }
    for absent in ["offset: None", "record: None", "detail: None"] {
        assert!(parts.contains(absent), "{absent}: {parts}");
    }
    let past = Store::<N>::temporary().unwrap().try_get(7).map(|_| ()).unwrap_err();
    assert!(format!("{past:#?}").contains("record: Some(\n        7,\n    )"), "{past:#?}");
}
