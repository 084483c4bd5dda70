//! Handles on one file: by other names, in other modes, beside unrelated files.

#![allow(unsafe_code, reason = "opening a file that another handle has open is unsafe")]

use std::path::Path;
#[cfg(target_os = "linux")]
use std::path::PathBuf;
#[cfg(unix)]
use std::time::Duration;

#[cfg(unix)]
use flatrec::Wait;
use flatrec::map::Mapping;
use flatrec::{CopyOptions, DataType, Durability, DynDatabase, DynStore, ErrorKind, Field, Schema};

use crate::support::files::names;

fn schema() -> Schema {
    Schema::packed([Field::new("n", DataType::UInt32)]).unwrap()
}

/// Makes a closed store of the numbers below `count`.
fn make(path: &Path, count: u32) {
    let mut store = DynStore::create(path, &schema()).unwrap();
    for n in 0..count {
        store.append(&n.to_le_bytes()).unwrap();
    }
    store.close().unwrap();
}

/// Other names of the store at `path`, each with a word for messages.
#[cfg(target_os = "linux")] // only for the next test
fn aliases(path: &Path) -> [(&'static str, PathBuf); 2] {
    let beside = |name: &str| path.with_file_name(name);
    std::fs::hard_link(path, beside("hard")).unwrap();
    std::os::unix::fs::symlink(path, beside("soft")).unwrap();
    [("hard link", beside("hard")), ("symbolic link", beside("soft"))]
}

/// Finds an edit by another name that changes records which a reader has borrowed. On Linux handles
/// lock the data file too, without blocking reads and writes.
#[cfg(target_os = "linux")]
#[test]
fn records_lent_by_another_name_do_not_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    make(&path, 10);
    for (name, alias) in aliases(&path) {
        for open in [DynStore::open_read_only, DynStore::open_private] {
            let reader = open(&alias).unwrap();
            let mut writer = DynStore::open(&path).unwrap();
            let error = writer.edit().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Locked, "{name}: {error}");
            let error = writer.truncate(3).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Locked, "{name}: {error}");
            assert_eq!(reader.get(9), Some(&9u32.to_le_bytes()[..]));
            drop(reader);
            let edit = writer.edit().unwrap();
            let error = open(&alias).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Locked, "{name}: {error}");
            edit.finish().unwrap();
            open(&alias).unwrap();
        }
    }
}

/// Finds an edit through an open file that changes records which a reader has borrowed.
#[cfg(target_os = "linux")] // as in the test above
#[test]
fn records_lent_by_path_do_not_change_through_a_handed_over_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    make(&path, 10);
    let open = || std::fs::File::options().read(true).write(true).open(&path).unwrap();
    for named in [Some(path.as_path()), None] {
        let reader = DynStore::open_read_only(&path).unwrap();
        // SAFETY: the other handle only reads, and other processes do not open the file.
        let store = unsafe { DynStore::options().from_file(open(), named) };
        let mut store = store.unwrap();
        let error = store.edit().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
        drop(reader);
        store.edit().unwrap().finish().unwrap();
    }
}

/// Finds a maker that takes a file ending in `-new` for its own leftover.
#[test]
fn making_a_store_leaves_files_of_similar_names_alone() {
    let directory = tempfile::tempdir().unwrap();
    let beside = |name: &str| directory.path().join(name);
    make(&beside("table-new"), 7);
    std::fs::remove_file(beside("table-new-lock")).unwrap(); // a copied store has no lock file
    std::fs::write(beside("notes-new"), b"mine").unwrap();
    make(&beside("table"), 1);
    make(&beside("notes"), 1);
    Mapping::open_or_create(beside("other"), 10, |_| Ok(())).unwrap();
    assert_eq!(DynStore::open_read_only(beside("table-new")).unwrap().count(), 7);
    assert_eq!(std::fs::read(beside("notes-new")).unwrap(), b"mine");
}

/// Finds a maker that takes a finished store for its own leftover.
#[test]
fn a_store_that_is_named_like_an_unfinished_one_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let beside = |name: &str| directory.path().join(name);
    make(&beside("table-unfinished"), 7);
    let error = DynStore::create(beside("table"), &schema()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(error.to_string().contains("table-unfinished"), "{error}");
    // An initialised file gets a random name first.
    Mapping::open_or_create(beside("table"), 10, |_| Ok(())).unwrap();
    assert_eq!(DynStore::open_read_only(beside("table-unfinished")).unwrap().count(), 7);
}

/// A copied store without a lock file was removed by the next maker, which could not recognise it.
#[test]
fn a_whole_store_under_the_name_of_an_unfinished_one_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let beside = |name: &str| directory.path().join(name);
    make(&beside("made"), 7);
    let mut flushed = DynStore::create(beside("flushed"), &schema()).unwrap();
    flushed.append(&[1; 4]).unwrap();
    flushed.flush().unwrap();
    let mut aside =
        DynStore::create_options().create_aside(beside("aside"), &schema(), false).unwrap();
    aside.append(&[1; 4]).unwrap();
    aside.flush().unwrap();
    aside.close().unwrap();
    flatrec::backup(beside("made"), beside("backup"), CopyOptions::new()).unwrap();
    // Its header counts no record yet, and names a log that has one.
    let database = DynDatabase::create(beside("logged"), &schema()).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&[1; 4]).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    assert!(std::fs::metadata(beside("logged")).unwrap().len() > 65_536);
    for copied in ["made", "flushed", "aside", "backup", "logged"] {
        let copy = beside("new-unfinished");
        std::fs::copy(beside(copied), &copy).unwrap();
        let before = std::fs::read(&copy).unwrap();
        let refused = [
            DynStore::create(beside("new"), &schema()).map(drop),
            DynStore::create_options().create_aside(beside("new"), &schema(), true).map(drop),
            DynStore::options().resume_aside(beside("new"), true).map(drop),
            flatrec::backup(beside("made"), beside("new"), CopyOptions::new()).map(drop),
        ];
        for refused in refused {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{copied}: {error}");
            assert!(error.to_string().contains("new-unfinished"), "{copied}: {error}");
        }
        assert!(std::fs::read(&copy).unwrap() == before, "{copied}");
        assert!(!beside("new").exists());
    }
    drop((flushed, database));
}

/// Finds a maker that refuses to replace the flushed store of one that died, although its header
/// says that it is unfinished.
#[test]
fn an_unfinished_store_of_a_maker_that_died_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    for resumed in [false, true] {
        let mut store = DynStore::create_options().create_aside(&path, &schema(), false).unwrap();
        store.keep_unfinished(true);
        store.append_packed(&[7; 4 * 3]).unwrap();
        store.flush().unwrap();
        drop(store); // without a close, like a kill
        if resumed {
            let mut store = DynStore::options().resume_aside(&path, false).unwrap();
            store.append(&[8; 4]).unwrap();
            store.flush().unwrap();
            drop(store);
        }
        make(&path, 1);
        assert_eq!(names(directory.path()), ["s", "s-lock"]);
        std::fs::remove_file(&path).unwrap();
    }
}

/// A leftover of an initialiser looks like a user's file. So an initialiser works under a name that
/// users do not give, not under `other-unfinished`: a maker once removed a user's file of that
/// name.
#[test]
fn initialisers_keep_a_user_s_files_and_remove_their_own_leftovers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shared");
    let own = directory.path().join("shared-unfinished");
    std::fs::write(&own, b"three years of work").unwrap();
    for kept in [&own, &directory.path().join(".flatrec-new-notes")] {
        std::fs::write(kept, b"three years of work").unwrap();
    }
    let spare = directory.path().join("spare");
    for _ in 0..2 {
        let mut left = None;
        let failed = Mapping::open_or_create(&path, 10, |_| {
            let is_new = |name: &String| name.starts_with(".flatrec-new-") && !name.ends_with('s');
            left = names(directory.path()).into_iter().find(is_new);
            std::fs::copy(directory.path().join(left.as_ref().unwrap()), &spare).unwrap();
            Err(std::io::Error::from(std::io::ErrorKind::Interrupted).into())
        });
        failed.unwrap_err();
        // Leaves the file of a killed initialiser.
        std::fs::rename(&spare, directory.path().join(left.unwrap())).unwrap();
    }
    Mapping::open_or_create(&path, 10, |_| Ok(())).unwrap();
    assert_eq!(
        names(directory.path()),
        [".flatrec-new-notes", "shared", "shared-lock", "shared-unfinished"]
    );
    assert_eq!(std::fs::read(&own).unwrap(), b"three years of work");
}

/// Finds a leftover that stops every later maker of its path.
#[test]
fn the_leftover_of_a_maker_that_died_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let mut store = DynStore::create_options().create_aside(&path, &schema(), false).unwrap();
    let left: Vec<String> = names(directory.path());
    let aside = directory.path().join(left.iter().find(|name| *name != "s-lock").unwrap());
    store.reserve(100_000).unwrap();
    // The file is longer than an empty store, but its header counts no records.
    let reserved = std::fs::read(&aside).unwrap();
    assert!(reserved.len() > 65_536);
    store.append(&[1; 4]).unwrap();
    store.flush().unwrap();
    let bytes = std::fs::read(&aside).unwrap();
    drop(store);
    // A killed maker does not remove its lock file.
    std::fs::write(directory.path().join("s-lock"), "").unwrap();
    // A power cut keeps any part of that: the schema without the header, the length alone, or the
    // second header without the first.
    let mut headless = bytes[..9000].to_vec();
    headless[..8192].fill(0);
    assert!(headless.iter().any(|&byte| byte != 0));
    let mut second = bytes[..9000].to_vec();
    second[..4096].fill(0);
    let blank = vec![0; 65_536];
    // The maker was killed before, during and after its write of the header, but before its first
    // flush.
    for left in [&[][..], &bytes[..100], &bytes, &reserved, &headless, &second, &blank] {
        std::fs::write(&aside, left).unwrap();
        assert_eq!(DynStore::open(&path).unwrap_err().kind(), ErrorKind::NotFound);
        make(&path, 3);
        assert_eq!(names(directory.path()), ["s", "s-lock"]);
        std::fs::remove_file(&path).unwrap();
    }
}

/// Finds a failed maker that removes another program's file.
#[test]
fn a_failed_maker_removes_no_file_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("photo-lock");
    std::fs::write(&lock, b"a key in a picture").unwrap();
    let aside =
        DynStore::create_options().create_aside(directory.path().join("photo"), &schema(), false);
    assert_eq!(aside.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(names(directory.path()), ["photo-lock"]);
    assert_eq!(std::fs::read(&lock).unwrap(), b"a key in a picture");
}

/// Finds a handle that makes a lock file beside a file that is not a store.
#[test]
fn opening_a_file_that_is_not_a_store_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("picture");
    for bytes in [&b""[..], b"short", &[b'x'; 100_000]] {
        std::fs::write(&path, bytes).unwrap();
        for open in [DynStore::open, DynStore::open_read_only, DynStore::open_private] {
            assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::NotAStore);
        }
        assert_eq!(
            flatrec::verify(&path, flatrec::VerifyOptions::new().max_problems(1))
                .unwrap()
                .problems_found,
            1
        );
        assert_eq!(names(directory.path()), ["picture"]);
    }
}

/// Finds a writer that does not wait, or waits for ever, for a writer by another name of the file.
#[cfg(unix)] // on Windows a lock on the data file would block reads
#[test]
fn a_wait_for_a_writer_by_another_name_ends_when_it_closes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    make(&path, 1);
    let alias = directory.path().join("alias");
    std::fs::hard_link(&path, &alias).unwrap();
    let writer = DynStore::open(&alias).unwrap();
    let briefly = DynStore::options().wait(Wait::AtMost(Duration::from_millis(5))).open(&path);
    assert_eq!(briefly.unwrap_err().kind(), ErrorKind::Locked);
    let (sender, receiver) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        sender.send(()).unwrap();
        DynStore::options().wait(Wait::Forever).open(&path).map(|store| store.count())
    });
    receiver.recv().unwrap();
    drop(writer);
    assert_eq!(waiting.join().unwrap().unwrap(), 1);
}

/// Finds a writer that waits for a lock and then appends to the replaced file.
#[cfg(unix)] // on Windows an open file cannot be replaced
#[test]
fn a_writer_that_waited_gets_the_file_that_replaced_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    make(&path, 1);
    let mut maker = DynStore::create_options().create_aside(&path, &schema(), true).unwrap();
    maker.append_packed(&[0; 4 * 5]).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn({
        let path = path.clone();
        move || {
            sender.send(()).unwrap();
            let mut store = DynStore::options().wait(Wait::Forever).open(&path).unwrap();
            store.append(&[9; 4]).unwrap();
            store.close().unwrap();
        }
    });
    receiver.recv().unwrap();
    maker.close().unwrap();
    waiting.join().unwrap();
    assert_eq!(DynStore::open_read_only(&path).unwrap().count(), 6);
}

/// An edit that panicked leaves records half changed. Finds a later edit that clears its mark.
#[test]
fn a_later_edit_keeps_the_mark_of_an_edit_that_panicked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    make(&path, 10);
    let mut store = DynStore::open(&path).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut edit = store.edit().unwrap();
        edit.set(3, &[0xAA; 4]).unwrap();
        std::panic::resume_unwind(Box::new("midway"));
    }));
    panicked.unwrap_err();
    let error = store.edit().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InterruptedEdit, "{error}");
    store.append(&[1; 4]).unwrap();
    store.close().unwrap();
    let error = DynStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InterruptedEdit, "{error}");
    let accepted = DynStore::options().accept_interrupted_edit(true).open(&path).unwrap();
    assert_eq!(accepted.count(), 11);
}

/// Finds an option that turns the comparison of type and schema off.
#[cfg(feature = "derive")]
#[test]
fn a_given_schema_does_not_replace_the_check_of_the_type() {
    use flatrec::{PodRecord, Record, Store};
    #[derive(Clone, Copy, Debug, Record)]
    #[repr(C)]
    struct Point {
        x: u32,
        y: u32,
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let swapped = Schema::new(
        vec![Field::new("y", DataType::UInt32), Field::new("x", DataType::UInt32).at(4)],
        8,
        4,
    )
    .unwrap();
    let error = Store::<Point>::create_options().schema(swapped.clone()).create(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{error}");
    assert!(error.to_string().contains("x: expected"), "{error}");
    DynStore::create(&path, &swapped).unwrap().close().unwrap();
    let error = Store::<Point>::options().schema(swapped).open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{error}");

    let path = directory.path().join("pod");
    let error =
        Store::<PodRecord<u64>>::create_options().schema(schema()).create(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{error}");
}

/// Finds a header slot that would bring truncated records back if the slot in force were lost.
#[test]
fn after_a_truncation_neither_slot_counts_the_removed_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    make(&path, 10);
    let mut store = DynStore::open(&path).unwrap();
    store.truncate(4).unwrap();
    for slot in DynStore::open_read_only(&path).unwrap().info().unwrap().slots {
        assert!(matches!(slot, flatrec::SlotInfo::Valid { count: 4, .. }), "{slot:?}");
    }
}

/// A removed lock file locks nothing. Finds a maker that waited for another and holds the lock file
/// that this one removed.
#[cfg(target_os = "linux")]
#[test]
fn a_maker_that_waited_holds_the_lock_file_with_the_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let lock = directory.path().join("s-lock");
    let handles_of_lock = || {
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        links.filter(|link| *link == lock).count()
    };
    let maker = DynStore::create_options().create_aside(&path, &schema(), false).unwrap();
    let waiting = std::thread::spawn({
        let path = path.clone();
        move || DynStore::create_options().wait(Wait::Forever).create(&path, &schema()).unwrap()
    });
    while handles_of_lock() < 2 {
        std::thread::yield_now(); // until the other maker has the lock file open and waits
    }
    drop(maker);
    let store = waiting.join().unwrap();
    assert_eq!(names(directory.path()), ["s", "s-lock"]);
    assert_eq!(DynStore::open(&path).unwrap_err().kind(), ErrorKind::Locked);
    drop(store);
}

/// Finds two writers that resume one unfinished store.
#[test]
fn an_unfinished_store_is_resumed_by_one_writer_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let resume = |replace| DynStore::options().resume_aside(&path, replace);
    assert_eq!(resume(false).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(names(directory.path()).is_empty(), "the failed call left a file");

    let mut store = DynStore::create_options().create_aside(&path, &schema(), false).unwrap();
    store.keep_unfinished(true);
    store.append_packed(&[7; 4 * 3]).unwrap();
    store.flush().unwrap();
    store.append(&[8; 4]).unwrap();
    assert_eq!(resume(false).unwrap_err().kind(), ErrorKind::Locked, "its maker has it open");
    drop(store);
    assert_eq!(names(directory.path()), ["s-lock", "s-unfinished"]);

    let mut store = resume(false).unwrap();
    assert_eq!(
        (store.count(), store.path()),
        (3, Some(path.clone())),
        "the resumed store is not that of the last flush"
    );
    assert_eq!(resume(false).unwrap_err().kind(), ErrorKind::Locked);
    let other = DynStore::create_options().create_aside(&path, &schema(), true);
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Locked);
    store.append(&[9; 4]).unwrap();
    drop(store); // it stays, unfinished
    resume(false).unwrap().close().unwrap();
    assert_eq!(names(directory.path()), ["s", "s-lock"]);
    assert_eq!(DynStore::open_read_only(&path).unwrap().count(), 3);
}

/// Finds a resumed store that replaces another one unasked.
#[test]
fn a_resumed_store_replaces_another_only_if_asked_and_can_be_abandoned() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let mut store = DynStore::create_options().create_aside(&path, &schema(), false).unwrap();
    store.keep_unfinished(true);
    store.append(&[7; 4]).unwrap();
    store.flush().unwrap();
    drop(store);
    std::fs::rename(directory.path().join("s-unfinished"), directory.path().join("kept")).unwrap();
    make(&path, 5);
    std::fs::rename(directory.path().join("kept"), directory.path().join("s-unfinished")).unwrap();

    let resume = |replace| DynStore::options().resume_aside(&path, replace);
    assert_eq!(resume(false).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(names(directory.path()), ["s", "s-lock", "s-unfinished"]);
    let mut store = resume(true).unwrap();
    store.keep_unfinished(false);
    drop(store);
    assert_eq!(names(directory.path()), ["s", "s-lock"]);
    assert_eq!(DynStore::open_read_only(&path).unwrap().count(), 5);
}

/// Finds an error that does not say where the other writer is.
#[test]
fn a_writer_in_the_way_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let database = DynDatabase::create(&path, &schema()).unwrap();
    let error = DynStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    assert!(error.to_string().contains("in this very process"), "{error}");
    let info = DynStore::open_read_only(&path).unwrap().info().unwrap();
    assert_eq!(info.writer.unwrap().process, Some(u64::from(std::process::id())));
    drop(database);
}

/// Finds a resumed store whose interrupted edit goes unnoticed, and an option of resuming that does
/// nothing.
#[test]
fn a_resumed_store_has_the_mark_of_an_interrupted_edit() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let mut store = DynStore::create_options().create_aside(at("s"), &schema(), false).unwrap();
    store.keep_unfinished(true);
    store.append(&[7; 4]).unwrap();
    store.flush().unwrap();
    let mut edit = store.edit().unwrap();
    edit.set(0, &[8; 4]).unwrap();
    // As a kill would leave it.
    std::fs::copy(at("s-unfinished"), at("kept")).unwrap();
    edit.finish().unwrap();
    drop(store);
    std::fs::rename(at("kept"), at("s-unfinished")).unwrap();
    let resume =
        |accept| DynStore::options().accept_interrupted_edit(accept).resume_aside(at("s"), false);
    assert_eq!(resume(false).unwrap_err().kind(), ErrorKind::InterruptedEdit);
    assert_eq!(resume(true).unwrap().count(), 1);
}
