//! The files beside a store: whose they are, where they lie, and what is never touched.
#![cfg(feature = "derive")]

use std::fs;
use std::path::Path;

use flatrec::{CopyOptions, Database, Durability, ErrorKind, Record, Store};

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct N {
    n: u64,
}

fn add(database: &Database<N>, n: u64) -> flatrec::Result<()> {
    let mut transaction = database.begin_write()?;
    transaction.append(&N { n })?;
    transaction.commit(Durability::Immediate).map(drop)
}

fn count(path: &Path) -> u64 {
    Database::<N>::open(path).unwrap().begin_read().count()
}

/// What a kill would leave of the files in `from`: a copy, since the locks of a store that is open
/// live as long as this process.
fn copy_of(from: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    copy
}

#[test]
fn a_store_that_is_moved_while_it_is_open_touches_nothing_of_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let old = Database::<N>::create(at("n.rec")).unwrap();
    add(&old, 1).unwrap();
    for suffix in ["", "-lock", "-wal-1"] {
        fs::rename(at(&format!("n.rec{suffix}")), at(&format!("old.rec{suffix}"))).unwrap();
    }
    let new = Database::<N>::create(at("n.rec")).unwrap();
    for n in 0..10 {
        add(&new, n).unwrap();
    }
    // Its log cannot be removed, and its records are where they belong nevertheless.
    let error = old.close().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("moved or replaced"), "{error}");
    assert_eq!(count(&copy_of(directory.path()).path().join("n.rec")), 10);
    assert_eq!(count(&at("old.rec")), 1);
    new.close().unwrap();
    assert_eq!(count(&at("n.rec")), 10);
}

#[cfg(unix)] // Windows renames no directory in which a file is open
#[test]
fn stores_in_directories_that_are_swapped_keep_their_logs() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::create_dir(at("data")).unwrap();
    fs::create_dir(at("next")).unwrap();
    let old = Database::<N>::create(at("data/n.rec")).unwrap();
    add(&old, 1).unwrap();
    fs::rename(at("data"), at("old")).unwrap();
    fs::rename(at("next"), at("data")).unwrap();
    let new = Database::<N>::create(at("data/n.rec")).unwrap();
    add(&new, 1).unwrap();
    add(&new, 2).unwrap();
    assert_eq!(old.close().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(count(&copy_of(&at("data")).path().join("n.rec")), 2);
    assert_eq!(count(&at("old/n.rec")), 1);
}

#[cfg(unix)] // as above
#[test]
fn a_commit_of_a_store_that_was_moved_is_refused_until_it_is_back() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::create_dir(at("data")).unwrap();
    let database = Database::<N>::create(at("data/n.rec")).unwrap();
    fs::rename(at("data"), at("elsewhere")).unwrap();
    let error = add(&database, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    fs::create_dir(at("data")).unwrap();
    fs::write(at("data/n.rec"), "another file").unwrap();
    assert_eq!(add(&database, 1).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fs::read_dir(at("data")).unwrap().count(), 1);
    fs::remove_dir_all(at("data")).unwrap();
    fs::rename(at("elsewhere"), at("data")).unwrap();
    add(&database, 2).unwrap();
    database.close().unwrap();
    assert_eq!(count(&at("data/n.rec")), 1);
}

#[cfg(unix)] // symbolic links take a privilege on Windows, and Wine has none
#[test]
fn the_log_of_a_store_opened_by_a_link_lies_beside_the_store() {
    let live = tempfile::tempdir().unwrap();
    let data = live.path().join("data");
    fs::create_dir(&data).unwrap();
    Store::<N>::options().checksums().create(data.join("n.rec")).unwrap().close().unwrap();
    let link = live.path().join("link.rec");
    std::os::unix::fs::symlink(data.join("n.rec"), &link).unwrap();
    let database = Database::<N>::open(&link).unwrap();
    add(&database, 1).unwrap();
    let dead = copy_of(&data);
    assert_eq!(count(&dead.path().join("n.rec")), 1);
    database.close().unwrap();
    assert_eq!(fs::read_dir(live.path()).unwrap().count(), 3, "data, the link, and its lock");
    let checked = flatrec::verify(data.join("n.rec"), 10).unwrap();
    assert!(matches!(checked.checksums, flatrec::Checksums::Present { blocks: 1 }));
}

#[test]
fn creating_a_store_removes_no_file_that_is_not_its_own() {
    for (other, made) in [("thesis-unfinished", false), ("thesis-unfinished-sum", true)] {
        let directory = tempfile::tempdir().unwrap();
        let other = directory.path().join(other);
        // Longer than a header without records, and blank where it would begin.
        for text in [b"three years of work".to_vec(), [vec![0; 100_000], b"work".to_vec()].concat()]
        {
            fs::write(&other, &text).unwrap();
            let path = directory.path().join("thesis");
            let created = Store::<N>::create(&path).and_then(Store::close);
            assert_eq!(created.as_ref().map_err(flatrec::Error::kind).is_ok(), made, "{created:?}");
            if let Err(error) = created {
                assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
                assert!(!directory.path().join("thesis-lock").exists());
            } else {
                fs::remove_file(&path).unwrap();
            }
            let summed = Store::<N>::options().checksums().create(&path).unwrap_err();
            assert_eq!(summed.kind(), ErrorKind::AlreadyExists, "{summed}");
            assert_eq!(fs::read(&other).unwrap(), text);
            assert!(!path.exists());
        }
    }
}

#[test]
fn making_checksums_anew_removes_no_file_that_is_not_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    Store::<N>::create(&path).unwrap().close().unwrap();
    let other = directory.path().join("n.rec-sum-unfinished");
    fs::write(&other, "a sum that is not finished").unwrap();
    let error = flatrec::rebuild_checksums(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(other.exists());
    fs::write(&other, "").unwrap();
    flatrec::rebuild_checksums(&path).unwrap();
    assert!(!other.exists());
}

/// A segment's maker that dies leaves zeros, or nothing: a file of either is removed under a
/// segment's name, since nothing is lost. One that only begins with zeros is somebody's.
#[test]
fn of_files_called_like_segments_only_blank_ones_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("n.rec-wal-7"), [vec![0; 300_000], b"work".to_vec()].concat()).unwrap();
    fs::write(at("n.rec-wal-8"), [vec![0; 512], b"work".to_vec()].concat()).unwrap();
    fs::write(at("n.rec-wal-9"), vec![0; 300_000]).unwrap();
    fs::write(at("n.rec-wal-10"), "").unwrap();
    let database = Database::<N>::create(at("n.rec")).unwrap();
    add(&database, 1).unwrap();
    database.close().unwrap();
    let left = |name: &str| at(name).exists();
    assert!(left("n.rec-wal-7") && left("n.rec-wal-8"));
    assert!(!left("n.rec-wal-9") && !left("n.rec-wal-10"));
}

#[cfg(unix)] // elsewhere pipes have no names among the files
#[test]
fn a_pipe_in_the_lock_files_place_is_an_error() {
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("n.rec");
        Store::<N>::create(&path).unwrap().close().unwrap();
        let lock = directory.path().join("n.rec-lock");
        fs::remove_file(&lock).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&lock).status().unwrap().success());
        let read = Store::<N>::open_read_only(&path).map(drop);
        let written = Store::<N>::open(&path).map(drop);
        done.send([read, written]).unwrap();
    });
    let opened = wait.recv_timeout(std::time::Duration::from_secs(30)).expect("it waits for ever");
    for opened in opened {
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

#[test]
fn a_store_that_is_replaced_takes_its_log_along() {
    let live = tempfile::tempdir().unwrap();
    let database = Database::<N>::create(live.path().join("n.rec")).unwrap();
    add(&database, 1).unwrap();
    let dead = copy_of(live.path());
    let path = dead.path().join("n.rec");
    let log = dead.path().join("n.rec-wal-1");
    assert!(log.exists());
    let other = dead.path().join("other.rec");
    Store::<N>::create(&other).unwrap().close().unwrap();
    fs::write(dead.path().join("n.rec-wal-2"), "somebody's").unwrap();
    flatrec::backup(&other, &path, CopyOptions::new().replace(true)).unwrap();
    assert!(!log.exists() && dead.path().join("n.rec-wal-2").exists());
    assert_eq!(count(&path), 0);
}
