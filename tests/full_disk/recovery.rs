//! Stores that were left with a log on a disk that has no room for another one.

use flatrec::rebuild_checksums;

use super::*;

/// The records of a store whose log takes a part of the disk.
const KEPT: u64 = 600;

fn kept(n: u64) -> [u8; 1000] {
    std::array::from_fn(|at| (n as u8).wrapping_add(at as u8))
}

/// Makes a store whose log holds `commits` changes of all its records, the last to `kept`, and
/// lets `then` do something while it is open.
fn with_log(path: &Path, commits: u64, then: impl FnOnce(DynDatabase)) {
    let schema = Schema::packed([Field::new("bytes", DataType::Binary(1000))]).unwrap();
    let options =
        DynDatabase::create_options().deletes(true).checksums(true).checkpoint_at(1 << 40);
    let database = options.create(path, &schema).unwrap();
    for commit in 1..=commits {
        let mut transaction = database.begin_write().unwrap();
        for n in 0..KEPT {
            let record = kept(n + commits - commit);
            match commit {
                1 => drop(transaction.append(&record).unwrap()),
                _ => transaction.set(n, &record).unwrap(),
            }
        }
        transaction.commit(Durability::Immediate).unwrap();
    }
    then(database);
}

/// A store as a killed process leaves it on a disk without a byte of room.
fn killed_without_room(disk: &SmallDisk) -> PathBuf {
    let elsewhere = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(disk.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    with_log(&elsewhere.path().join("store"), 4, |_database| {
        for entry in std::fs::read_dir(elsewhere.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), disk.path().join(entry.file_name())).unwrap();
        }
    });
    fill(disk);
    disk.path().join("store")
}

fn holds_kept(path: &Path) {
    let store = DynStore::open_read_only(path).unwrap();
    assert_eq!(store.count(), KEPT);
    assert!((0..KEPT).all(|n| store.get(n) == Some(&kept(n)[..])));
    assert_eq!(verify(path, flatrec::VerifyOptions::new()).unwrap().problems, []);
}

/// The store could never be opened to write again: recovery wanted room for a copy of the log.
#[test]
fn whatever_opens_to_write_needs_no_room_to_recover() {
    let Some(disk) = SmallDisk::mount() else { return };
    let ways: [fn(&Path); 4] = [
        |path| DynDatabase::open(path).unwrap().close().unwrap(),
        |path| DynStore::open(path).unwrap().close().unwrap(),
        |path| {
            // The room of the log is there for what comes next.
            let database = DynDatabase::open(path).unwrap();
            let checkpoint = database.checkpoint().unwrap();
            assert_eq!((checkpoint.commit_id().get(), checkpoint.records()), (4, KEPT));
            for n in 0..KEPT {
                let mut transaction = database.begin_write().unwrap();
                transaction.set(n, &kept(n)).unwrap();
                transaction.commit(Durability::Immediate).unwrap();
            }
            drop(database);
        },
        |path| assert_eq!(rebuild_checksums(path).unwrap().mismatched, 0),
    ];
    for way in ways {
        let path = killed_without_room(&disk);
        holds_kept(&path);
        way(&path);
        holds_kept(&path);
    }
}

#[test]
fn a_log_that_a_reader_holds_on_a_full_disk_is_kept_and_used_again_when_it_ends() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("store");
    with_log(&path, 1, |database| database.close().unwrap());
    let database = DynDatabase::options().checkpoint_at(1 << 40).open(&path).unwrap();
    let reader = DynDatabase::open_read_only(&path).unwrap();
    let snapshot = reader.begin_read().unwrap();
    let set_all = |database: &DynDatabase, by: u64| {
        let mut transaction = database.begin_write().unwrap();
        for n in 0..KEPT {
            transaction.set(n, &kept(n + by)).unwrap();
        }
        transaction.commit(Durability::Immediate)
    };
    set_all(&database, 1).unwrap();
    set_all(&database, 2).unwrap();
    // The log stays for the reader, and with it no room to copy it.
    database.close().unwrap();
    fill(&disk);
    let error = DynStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    for _ in 0..2 {
        let database = DynDatabase::open(&path).unwrap();
        assert_eq!(database.begin_read().unwrap().get(7), Some(&kept(9)[..]));
        assert_eq!(set_all(&database, 3).unwrap_err().kind(), ErrorKind::NoSpace);
        assert_eq!(database.begin_read().unwrap().get(7), Some(&kept(9)[..]));
        assert_eq!(snapshot.get(7), Some(&kept(7)[..]), "the reader's is as it was");
        drop(database);
    }
    let database = DynDatabase::open(&path).unwrap();
    drop((snapshot, reader));
    set_all(&database, 0).unwrap();
    database.close().unwrap();
    holds_kept(&path);
}

#[cfg(not(windows))] // there only those files have holes that were made to have them
#[test]
fn an_array_without_room_for_what_the_log_has_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = killed_without_room(&disk);
    give_back(&disk.path().join("filler"));
    // The blocks that were reserved for the records are gone, as on a file system without them.
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(65_536).unwrap();
    file.set_len(len).unwrap();
    fill(&disk);
    for _ in 0..2 {
        for error in [DynDatabase::open(&path).unwrap_err(), DynStore::open(&path).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        }
    }
    give_back(&disk.path().join("filler"));
    DynDatabase::open(&path).unwrap().close().unwrap();
    holds_kept(&path);
}
