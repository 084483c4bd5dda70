//! The files beside a store: their owners, their places, and the files that no handle may touch.
#![cfg(feature = "derive")]

use std::fs;
use std::path::Path;

use flatrec::{CopyOptions, Database, ErrorKind, Store, VerifyOptions, WindowedStore};

use crate::support::numbered::{N, add, try_add};

fn count(path: &Path) -> u64 {
    Database::<N>::open(path).unwrap().begin_read().unwrap().count()
}

/// Copies the files in `from` as a kill would leave them, because the locks of an open store live
/// as long as its process.
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

/// Finds a database that removes the log of another store which has its name now.
#[test]
fn a_store_that_is_moved_while_open_touches_no_file_of_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let old = Database::<N>::create(at("n.rec")).unwrap();
    add(&old, 1);
    for suffix in ["", "-lock", "-wal-1"] {
        fs::rename(at(&format!("n.rec{suffix}")), at(&format!("old.rec{suffix}"))).unwrap();
    }
    let new = Database::<N>::create(at("n.rec")).unwrap();
    for n in 0..10 {
        add(&new, n);
    }
    // The close cannot remove the log, but it writes the records to the moved file.
    let error = old.close().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("moved or replaced"), "{error}");
    assert_eq!(count(&copy_of(directory.path()).path().join("n.rec")), 10);
    assert_eq!(count(&at("old.rec")), 1);
    new.close().unwrap();
    assert_eq!(count(&at("n.rec")), 10);
}

/// Finds a close that removes the log of another store whose directory has the name now.
#[cfg(unix)] // Windows refuses to rename a directory with an open file
#[test]
fn stores_in_swapped_directories_keep_their_logs() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::create_dir(at("data")).unwrap();
    fs::create_dir(at("next")).unwrap();
    let old = Database::<N>::create(at("data/n.rec")).unwrap();
    add(&old, 1);
    fs::rename(at("data"), at("old")).unwrap();
    fs::rename(at("next"), at("data")).unwrap();
    let new = Database::<N>::create(at("data/n.rec")).unwrap();
    add(&new, 1);
    add(&new, 2);
    assert_eq!(old.close().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(count(&copy_of(&at("data")).path().join("n.rec")), 2);
    assert_eq!(count(&at("old/n.rec")), 1);
}

/// Finds a writer that makes a log where the data file no longer lies.
#[cfg(unix)] // as in the test above
#[test]
fn a_moved_store_refuses_commits_until_it_is_back() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::create_dir(at("data")).unwrap();
    let database = Database::<N>::create(at("data/n.rec")).unwrap();
    fs::rename(at("data"), at("elsewhere")).unwrap();
    let error = try_add(&database, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    fs::create_dir(at("data")).unwrap();
    fs::write(at("data/n.rec"), "another file").unwrap();
    assert_eq!(try_add(&database, 1).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fs::read_dir(at("data")).unwrap().count(), 1);
    fs::remove_dir_all(at("data")).unwrap();
    fs::rename(at("elsewhere"), at("data")).unwrap();
    add(&database, 2);
    database.close().unwrap();
    assert_eq!(count(&at("data/n.rec")), 1);
}

/// Finds a writer that makes a log beside the link, where other processes do not look for it.
#[cfg(unix)] // on Windows symbolic links need a privilege, and Wine has no links
#[test]
fn the_log_of_a_store_opened_through_a_link_lies_beside_the_store() {
    let live = tempfile::tempdir().unwrap();
    let data = live.path().join("data");
    fs::create_dir(&data).unwrap();
    Store::<N>::create_options()
        .checksums(true)
        .create(data.join("n.rec"))
        .unwrap()
        .close()
        .unwrap();
    let link = live.path().join("link.rec");
    std::os::unix::fs::symlink(data.join("n.rec"), &link).unwrap();
    let database = Database::<N>::open(&link).unwrap();
    add(&database, 1);
    let dead = copy_of(&data);
    assert_eq!(count(&dead.path().join("n.rec")), 1);
    database.close().unwrap();
    assert_eq!(
        fs::read_dir(live.path()).unwrap().count(),
        3,
        "there must be the data file, the link, and its lock file"
    );
    let checked = flatrec::verify(data.join("n.rec"), VerifyOptions::new()).unwrap();
    assert!(matches!(checked.checksums, flatrec::Checksums::Present { blocks: 1 }));
}

/// Finds a maker that takes a user's file for its own leftover.
#[test]
fn a_maker_removes_only_its_own_files() {
    for (other, made) in [("thesis-unfinished", false), ("thesis-unfinished-sum", true)] {
        let directory = tempfile::tempdir().unwrap();
        let other = directory.path().join(other);
        // The second file is longer than a header and begins with zeros.
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
            let summed = Store::<N>::create_options().checksums(true).create(&path).unwrap_err();
            assert_eq!(summed.kind(), ErrorKind::AlreadyExists, "{summed}");
            assert_eq!(fs::read(&other).unwrap(), text);
            assert!(!path.exists());
        }
    }
}

/// Finds a rebuild that takes a user's file for its own leftover.
#[test]
fn a_rebuild_of_checksums_removes_only_its_own_files() {
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

/// A writer that dies while it makes a segment leaves an empty file or zeros. The next writer
/// removes such a file, because it holds no commit. A file that only begins with zeros is a user's.
#[test]
fn a_writer_removes_only_blank_files_with_names_of_segments() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("n.rec-wal-7"), [vec![0; 300_000], b"work".to_vec()].concat()).unwrap();
    fs::write(at("n.rec-wal-8"), [vec![0; 512], b"work".to_vec()].concat()).unwrap();
    fs::write(at("n.rec-wal-9"), vec![0; 300_000]).unwrap();
    fs::write(at("n.rec-wal-10"), "").unwrap();
    let database = Database::<N>::create(at("n.rec")).unwrap();
    add(&database, 1);
    database.close().unwrap();
    let left = |name: &str| at(name).exists();
    assert!(left("n.rec-wal-7") && left("n.rec-wal-8"));
    assert!(!left("n.rec-wal-9") && !left("n.rec-wal-10"));
}

/// Finds a handle that waits for ever for the other end of a pipe.
#[cfg(unix)] // on Windows pipes have no names in directories
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
    let opened =
        wait.recv_timeout(std::time::Duration::from_secs(30)).expect("the handle waits for ever");
    for opened in opened {
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

/// Finds a log of the old store that stays beside the new one.
#[test]
fn a_replaced_store_leaves_no_log() {
    let live = tempfile::tempdir().unwrap();
    let database = Database::<N>::create(live.path().join("n.rec")).unwrap();
    add(&database, 1);
    let dead = copy_of(live.path());
    let path = dead.path().join("n.rec");
    let log = dead.path().join("n.rec-wal-1");
    assert!(log.exists());
    let other = dead.path().join("other.rec");
    Store::<N>::create(&other).unwrap().close().unwrap();
    fs::write(dead.path().join("n.rec-wal-2"), "a user's").unwrap();
    flatrec::backup(&other, &path, CopyOptions::new().replace(true)).unwrap();
    assert!(!log.exists() && dead.path().join("n.rec-wal-2").exists());
    assert_eq!(count(&path), 0);
}

/// Calls everything that looks for the lock file of a store or mapping at `path`.
fn open_every_way(path: &Path) -> Vec<(&'static str, flatrec::Result<()>)> {
    use flatrec::map::Mapping;
    let copy = path.with_extension("copy");
    vec![
        ("create", Store::<N>::create(path).map(drop)),
        ("create over", Store::<N>::create_options().create_aside(path, true).map(drop)),
        ("open", Store::<N>::open(path).map(drop)),
        ("read", Store::<N>::open_read_only(path).map(drop)),
        ("copy on write", Store::<N>::open_private(path).map(drop)),
        (
            "windows",
            WindowedStore::<N>::options()
                .max_mapped_bytes(1 << 20)
                .window_bytes(1 << 16)
                .open(path)
                .map(drop),
        ),
        ("database", Database::<N>::open(path).map(drop)),
        ("reader", Database::<N>::open_read_only(path).map(drop)),
        ("verify", flatrec::verify(path, VerifyOptions::new()).map(drop)),
        ("rebuild", flatrec::rebuild_checksums(path).map(drop)),
        ("backup", flatrec::backup(path, copy, CopyOptions::new()).map(drop)),
        ("mapping", Mapping::open_or_create(path, 100, |_| Ok(())).map(drop)),
    ]
}

/// The files in a directory, by name.
fn contents(directory: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let read = |entry: fs::DirEntry| (entry.file_name(), fs::read(entry.path()).unwrap());
    let mut files: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| read(entry.unwrap())).collect();
    files.sort();
    files
}

/// The lock file of a store that a writer has used.
fn used_lock_file() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    Store::<N>::create(&path).unwrap().close().unwrap();
    fs::read(directory.path().join("n.rec-lock")).unwrap()
}

/// A user's `notes-lock` had 400 lines of notes. `flatrec load in.csv notes`, and even `flatrec
/// info notes`, wrote shared words into it, and a store of that name lost both headers.
#[test]
fn a_user_s_file_under_the_name_of_a_lock_file_stays() {
    let lock = used_lock_file();
    let pages = |front: &[u8], len: usize, back: &[u8]| {
        let mut bytes = vec![0; len];
        bytes[..front.len()].copy_from_slice(front);
        bytes[len - back.len()..].copy_from_slice(back);
        bytes
    };
    let store = {
        let directory = tempfile::tempdir().unwrap();
        Store::<N>::create(directory.path().join("n")).unwrap().close().unwrap();
        fs::read(directory.path().join("n")).unwrap()
    };
    let foreign = [
        ("text", b"The combination of the safe is 12-34-56.\n".repeat(400)),
        ("one byte", b"!".to_vec()),
        ("a store", store),
        ("zeros and work", pages(&[], 4096, b"work")),
        ("a blank page and work", pages(&[], 8192, &[b'w'; 4096])),
        ("more zeros and work", pages(&[], 12_288, &[b'w'; 64])),
        ("a truncated lock file", lock[..5000].to_vec()),
        ("a lock file and more", [&lock[..], b"work"].concat()),
        ("a lock file that is too long", pages(&lock, 8 << 20, &[])),
        ("more zeros than a lock file has", vec![0; 8 << 20]),
    ];
    for (what, bytes) in foreign {
        for there in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("notes");
            if there {
                Store::<N>::create(&path).unwrap().close().unwrap();
            }
            fs::write(directory.path().join("notes-lock"), &bytes).unwrap();
            let before = contents(directory.path());
            for (way, opened) in open_every_way(&path) {
                let error = opened.expect_err(&format!("{way}: {what}"));
                // Without a store, only calls that would make one look at the lock file.
                let taken = there || ["create", "create over", "mapping"].contains(&way);
                let kind = if taken { ErrorKind::AlreadyExists } else { ErrorKind::NotFound };
                assert_eq!(error.kind(), kind, "{way}: {what}: {error}");
                let refused = error.to_string();
                if taken && !(there && way == "create") {
                    assert!(refused.contains("notes-lock"), "{way}: {what}: {refused}");
                    assert!(refused.contains("rename one of the two"), "{way}: {what}: {refused}");
                }
                assert!(
                    contents(directory.path()) == before,
                    "{way}: {what}: a call changed a file"
                );
            }
        }
    }
}

/// Finds a handle that refuses a lock file of flatrec: of a maker that died, of readers only,
/// incomplete, or copied with holes.
#[test]
fn lock_files_in_every_state_are_used() {
    let by_a_reader_alone = {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("n.rec");
        Store::<N>::create(&path).unwrap().close().unwrap();
        fs::remove_file(directory.path().join("n.rec-lock")).unwrap();
        let reader = Database::<N>::open_read_only(&path).unwrap();
        let _snapshot = reader.begin_read().unwrap();
        // The reader is still open, so it has not cleared its entry.
        fs::read(directory.path().join("n.rec-lock")).unwrap()
    };
    assert!(by_a_reader_alone.iter().any(|&byte| byte != 0), "the lock file of a reader is blank");
    let states = [vec![], vec![0; 5000], vec![0; 8192], used_lock_file(), by_a_reader_alone];
    for (state, bytes) in states.iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("n.rec");
        let lock = directory.path().join("n.rec-lock");
        Store::<N>::create(&path).unwrap().close().unwrap();
        for _ in 0..2 {
            fs::write(&lock, bytes).unwrap();
            drop(Store::<N>::open_read_only(&path).unwrap_or_else(|e| panic!("{state}: {e}")));
            let database = Database::<N>::open(&path).unwrap_or_else(|e| panic!("{state}: {e}"));
            add(&database, 1);
            let reader = Database::<N>::open_read_only(&path).unwrap();
            drop(reader.begin_read().unwrap());
            drop(reader);
            database.close().unwrap();
            let left = fs::read(&lock).unwrap();
            assert_eq!(left.len() % 4096, 0, "{state}: the next handle would refuse it");
        }
        assert_eq!(count(&path), 2);
    }
}

/// Finds a handle that changes or removes a user's store because it has the name of another store's
/// side file.
#[test]
fn stores_with_names_of_side_files_stay_unchanged() {
    for name in ["n-lock", "n-sum", "n-wal-1", "n-sum-unfinished", "n-unfinished"] {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mut other = Store::<N>::create(at(name)).unwrap();
        other.append(&N { n: 7 }).unwrap();
        other.close().unwrap();
        // The user's store as it is, and as a copy without its lock file.
        for alone in [false, true] {
            if alone {
                fs::remove_file(at(&format!("{name}-lock"))).unwrap();
            }
            let before = fs::read(at(name)).unwrap();
            let made = Store::<N>::create(at("n")).and_then(Store::close).and_then(|()| {
                let database = Database::<N>::open(at("n"))?;
                try_add(&database, 1)?;
                try_add(&database, 2)?;
                drop(Database::<N>::open_read_only(at("n"))?);
                database.close()
            });
            let is_refused = matches!(name, "n-lock" | "n-unfinished");
            assert_eq!(made.is_err(), is_refused, "{name}: {made:?}");
            let summed = Store::<N>::create_options().checksums(true).create_aside(at("n"), true);
            let _ = summed.and_then(Store::close);
            let _ = flatrec::rebuild_checksums(at("n"));
            let _ = flatrec::verify(at("n"), VerifyOptions::new());
            assert!(fs::read(at(name)).unwrap() == before, "{name}, alone: {alone}");
            for entry in contents(directory.path()) {
                let left = entry.0.to_str().unwrap();
                if !left.starts_with(name) || left == "n" {
                    fs::remove_file(at(left)).unwrap();
                }
            }
        }
        let kept = Store::<N>::open_read_only(at(name)).unwrap();
        assert_eq!(kept.get(0), Some(&N { n: 7 }), "{name}");
    }
}

/// An empty store looks like an unfinished one, except for its own lock file. Finds a maker that
/// removes it.
#[test]
fn an_empty_store_under_the_name_of_an_unfinished_one_stays() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    Store::<N>::create(at("n-unfinished")).unwrap().close().unwrap();
    // The lock file of a removed `n`.
    fs::write(at("n-lock"), "").unwrap();
    let before = contents(directory.path());
    let error = Store::<N>::create(at("n")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(error.to_string().contains("n-unfinished"), "{error}");
    assert!(contents(directory.path()) == before);
    // Without the lock file the two look the same.
    fs::remove_file(at("n-unfinished-lock")).unwrap();
    Store::<N>::create(at("n")).unwrap().close().unwrap();
    assert!(!at("n-unfinished").exists());
}

/// A maker leaves an unfinished file only beside a lock file. Finds a maker that removes another
/// file of that name.
#[test]
fn an_unfinished_file_without_a_lock_file_stays() {
    use flatrec::map::Mapping;
    for text in [&b"three years of work"[..], b""] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("thesis");
        let aside = directory.path().join("thesis-unfinished");
        fs::write(&aside, text).unwrap();
        // A mapping has another name while it is made.
        Mapping::open_or_create(&path, 100, |_| Ok(())).unwrap();
        assert_eq!(fs::read(&aside).unwrap(), text);
        fs::remove_file(&path).unwrap();
        fs::remove_file(directory.path().join("thesis-lock")).unwrap();
        let error = Store::<N>::create(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        assert_eq!(fs::read(&aside).unwrap(), text);
    }
}

/// An empty file may be a user's. Finds a failed maker that removes a lock file which it did not
/// make.
#[test]
fn a_failed_maker_removes_no_existing_empty_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("n-lock"), "").unwrap();
    fs::write(at("n-unfinished"), "three years of work").unwrap();
    assert!(Store::<N>::create(at("n")).is_err());
    assert!(at("n-lock").exists());
}

/// The checksum file of an unpublished store replaced any file that another program had put there.
#[test]
fn a_store_that_appears_replaces_no_other_file_by_its_checksums() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    let sums = directory.path().join("n.rec-sum");
    let made = Store::<N>::create_options().checksums(true).create_aside(&path, false).unwrap();
    fs::write(&sums, "three years of work").unwrap();
    let error = made.close().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(fs::read(&sums).unwrap(), b"three years of work");
    assert!(!path.exists());
}

/// A writer removed a file that began with 64 MiB of zeros, because it did not read on.
#[test]
fn a_long_file_under_the_name_of_a_segment_stays() {
    use std::io::{Seek, SeekFrom, Write};
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("n.rec-wal-7");
    let mut file = fs::File::create(&other).unwrap();
    file.seek(SeekFrom::Start(80 << 20)).unwrap();
    file.write_all(b"work").unwrap();
    drop(file);
    let database = Database::<N>::create(directory.path().join("n.rec")).unwrap();
    add(&database, 1);
    database.close().unwrap();
    assert!(other.exists());
}

/// Finds a writer that changes the permissions of a file of another program.
#[cfg(unix)] // on Windows files take the directory's permissions
#[test]
fn the_permissions_of_other_files_stay() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    let chmod = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    Store::<N>::create(&path).unwrap().close().unwrap();
    chmod(&path, 0o600);
    let other = directory.path().join("n.rec-sum");
    fs::write(&other, "three years of work").unwrap();
    chmod(&other, 0o644);
    Store::<N>::open(&path).unwrap().close().unwrap();
    assert_eq!(fs::metadata(&other).unwrap().permissions().mode() & 0o777, 0o644);
    fs::remove_file(&other).unwrap();
    let lock = directory.path().join("n.rec-lock");
    fs::write(&lock, "three years of work").unwrap();
    chmod(&lock, 0o644);
    assert!(Store::<N>::open(&path).is_err());
    assert_eq!(fs::metadata(&lock).unwrap().permissions().mode() & 0o777, 0o644);
}
