//! Stores given by relative paths, in a process that changes its directory: one test, since the
//! directory is the process's.
#![cfg(feature = "derive")]

mod support;

use std::fs;
use std::path::Path;

use flatrec::{Database, ErrorKind, Store, VerifyOptions};
use support::numbered::{N, add};

/// How many records a kill would leave of `n.rec` in that directory.
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

#[test]
fn a_relative_path_means_the_directory_of_the_time_of_opening() {
    let start = std::env::current_dir().unwrap();
    let home = tempfile::tempdir().unwrap();
    let (a, b) = (home.path().join("a"), home.path().join("b"));
    fs::create_dir(&a).unwrap();
    fs::create_dir(&b).unwrap();

    // The log lies beside the store, wherever the process is when it first commits.
    go_to(&a);
    let database = Database::<N>::create("n.rec").unwrap();
    go_to(&b);
    add(&database, 1);
    assert_eq!(fs::read_dir(&b).unwrap().count(), 0);
    assert_eq!(count_after_a_kill(&a), 1);
    database.close().unwrap();

    // Closing leaves the log of another store alone, of the same name in another directory.
    go_to(&a);
    let mine = Database::<N>::open("n.rec").unwrap();
    add(&mine, 2);
    let other = Database::<N>::create(b.join("n.rec")).unwrap();
    (0..10).for_each(|n| add(&other, n));
    go_to(&b);
    assert_eq!(mine.path().unwrap(), Path::new("n.rec"), "errors show the path as given");
    mine.close().unwrap();
    assert_eq!(count_after_a_kill(&b), 10);
    assert!(!a.join("n.rec-wal-1").exists());
    other.close().unwrap();

    // A store appears in the directory of its creation, and giving one up removes no file of
    // another store.
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
