//! Stores at relative paths, in a process that changes its directory. There is one test, because
//! all threads share the directory.
#![cfg(feature = "derive")]

mod support;

use std::fs;
use std::path::Path;

use flatrec::{Database, ErrorKind, Store, VerifyOptions};
use support::numbered::{N, add};

/// The number of records that a kill would leave in `n.rec` in that directory.
fn count_after_a_kill(directory: &Path) -> u64 {
    let dead = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dead.path().join(entry.file_name())).unwrap();
    }
    Database::<N>::open(dead.path().join("n.rec")).unwrap().begin_read().unwrap().count()
}

fn go_to(directory: &Path) {
    std::env::set_current_dir(directory).unwrap();
}

/// Finds a handle that resolves its path anew after the process has changed its directory.
#[test]
fn a_relative_path_keeps_the_directory_in_which_it_was_opened() {
    let start = std::env::current_dir().unwrap();
    let home = tempfile::tempdir().unwrap();
    let (a, b) = (home.path().join("a"), home.path().join("b"));
    fs::create_dir(&a).unwrap();
    fs::create_dir(&b).unwrap();

    // The log lies beside the store, whatever the current directory is at the first commit.
    go_to(&a);
    let database = Database::<N>::create("n.rec").unwrap();
    go_to(&b);
    add(&database, 1);
    assert_eq!(fs::read_dir(&b).unwrap().count(), 0);
    assert_eq!(count_after_a_kill(&a), 1);
    database.close().unwrap();

    // Closing leaves the log of another store of the same name in the current directory alone.
    go_to(&a);
    let mine = Database::<N>::open("n.rec").unwrap();
    add(&mine, 2);
    let other = Database::<N>::create(b.join("n.rec")).unwrap();
    (0..10).for_each(|n| add(&other, n));
    go_to(&b);
    assert_eq!(mine.path().unwrap(), Path::new("n.rec"), "errors must show the path as given");
    mine.close().unwrap();
    assert_eq!(count_after_a_kill(&b), 10);
    assert!(!a.join("n.rec-wal-1").exists());
    other.close().unwrap();

    // A store appears in the directory in which it was created, and an abandoned one removes no
    // file of another store.
    go_to(&a);
    let options = || Store::<N>::create_options().checksums(true);
    let mut finished = options().create_aside("made.rec", false).unwrap();
    let given_up = options().create_aside("never.rec", false).unwrap();
    go_to(&b);
    fs::write("never.rec-unfinished", "mine").unwrap();
    fs::write("never.rec-lock", "").unwrap();
    finished.append(&N { n: 1 }).unwrap();
    finished.close().unwrap();
    drop(given_up);
    let mut names: Vec<_> =
        fs::read_dir(&b).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["n.rec", "n.rec-lock", "never.rec-lock", "never.rec-unfinished"]);
    assert!(!a.join("never.rec-lock").exists() && !a.join("never.rec-unfinished").exists());
    let checked = flatrec::verify(a.join("made.rec"), VerifyOptions::new()).unwrap();
    assert!(matches!(checked.checksums, flatrec::Checksums::Present { blocks: 1 }));
    assert_eq!(Store::<N>::open(Path::new("made.rec")).unwrap_err().kind(), ErrorKind::NotFound);
    go_to(&start);
}
