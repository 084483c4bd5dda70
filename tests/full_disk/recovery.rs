//! Stores with a log, on a disk without space for a second log.

use flatrec::rebuild_checksums;

use super::*;

/// The number of records: their log takes a part of the disk.
const KEPT: u64 = 600;

fn kept(n: u64) -> [u8; 1000] {
    std::array::from_fn(|at| (n as u8).wrapping_add(at as u8))
}

/// Makes a store whose log holds `commits` changes of all records, the last one to `kept`, and
/// calls `then` while it is open.
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

/// Makes the files of a killed process, on a disk without a free byte.
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

/// A store could never be opened for writing again, because recovery needed space for a copy of the
/// log.
#[test]
fn every_writer_recovers_without_free_space() {
    let Some(disk) = SmallDisk::mount() else { return };
    let ways: [fn(&Path); 4] = [
        |path| DynDatabase::open(path).unwrap().close().unwrap(),
        |path| DynStore::open(path).unwrap().close().unwrap(),
        |path| {
            // The recovered log's space serves the next commits.
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

/// Finds a writer that overwrites a log that a reader holds, or never reuses its space.
#[test]
fn a_log_on_a_full_disk_stays_for_a_reader_and_is_reused_after_it() {
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
    // The log stays for the reader, so the disk has no space to copy it.
    database.close().unwrap();
    fill(&disk);
    let error = DynStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    for _ in 0..2 {
        let database = DynDatabase::open(&path).unwrap();
        assert_eq!(database.begin_read().unwrap().get(7), Some(&kept(9)[..]));
        // The checkpoint that the reader held back keeps no unregistered reader out.
        assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems, []);
        assert_eq!(set_all(&database, 3).unwrap_err().kind(), ErrorKind::NoSpace);
        assert_eq!(database.begin_read().unwrap().get(7), Some(&kept(9)[..]));
        assert_eq!(snapshot.get(7), Some(&kept(7)[..]), "the reader's snapshot changed");
        drop(database);
    }
    let database = DynDatabase::open(&path).unwrap();
    drop((snapshot, reader));
    set_all(&database, 0).unwrap();
    database.close().unwrap();
    holds_kept(&path);
}

/// Finds a recovery that writes into an array without space, or ends the log before the array holds
/// it.
#[cfg(not(windows))] // on Windows a file has holes only if its maker asked for them
#[test]
fn an_array_without_space_for_the_log_s_records_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = killed_without_room(&disk);
    give_back(&disk.path().join("filler"));
    // Frees the reserved blocks, as a copy to a file system with holes does.
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
