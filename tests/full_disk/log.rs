//! A log that has no room for the next commit on a full disk.

use super::*;

const RECORD_LEN: usize = 1000;

/// Writes over the first records, all in one commit.
fn set_all(database: &DynDatabase, count: u64, value: u8) -> Result<(), Error> {
    let mut transaction = database.begin_write()?;
    for id in 0..count {
        transaction.set(id, &[value; RECORD_LEN])?;
    }
    transaction.commit(Durability::Immediate).map(drop)
}

/// Takes what room the disk has left.
fn fill(disk: &SmallDisk) {
    let mut filler = std::fs::File::create(disk.path().join("filler")).unwrap();
    while filler.write(&[1; 4096]).is_ok() {}
}

/// Finds a commit that is refused although the log, all of which the array holds, takes the room
/// that it needs: the log's only segment was made for one large commit and is still in use.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_leaves_no_room_on_a_full_disk_is_begun_anew() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("store");
    let schema = Schema::packed([Field::new("bytes", DataType::Binary(1000))]).unwrap();
    let mut store = DynStore::create(&path, &schema).unwrap();
    store.append_packed(&vec![0; 200 * RECORD_LEN]).unwrap();
    store.close().unwrap();
    let database = DynDatabase::options().checkpoint_at(64 << 10).open(&path).unwrap();
    set_all(&database, 150, 1).unwrap();
    fill(&disk);
    for value in 2..5 {
        set_all(&database, 100, value).unwrap();
    }
    // As a copy that is taken while the database is open: what counts is in the files.
    let elsewhere = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(disk.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "filler" && name != "store-lock" {
            std::fs::copy(disk.path().join(&name), elsewhere.path().join(&name)).unwrap();
        }
    }
    for path in [&elsewhere.path().join("store"), &path] {
        let reader = DynStore::open_read_only(path).unwrap();
        let expected = (0..200).map(|id| if id < 100 { 4 } else { u8::from(id < 150) });
        assert!(reader.iter().map(|bytes| bytes[0]).eq(expected));
    }
    // Nothing is begun anew that a snapshot still reads.
    let snapshot = database.begin_read().unwrap();
    set_all(&database, 10, 5).unwrap();
    let error = (6..).find_map(|value| set_all(&database, 100, value).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
    assert_eq!(snapshot.get(0).unwrap()[0], 4);
    drop(snapshot);
    set_all(&database, 100, 9).unwrap();
    database.close().unwrap();
    assert_eq!(verify(&path, flatrec::VerifyOptions::new()).unwrap().problems, []);
}
