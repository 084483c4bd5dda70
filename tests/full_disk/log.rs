//! A log without space for the next commit on a full disk.

use super::*;

const RECORD_LEN: usize = 1000;

/// Overwrites the first records in one commit.
fn set_all(database: &DynDatabase, count: u64, value: u8) -> Result<(), Error> {
    let mut transaction = database.begin_write()?;
    for id in 0..count {
        transaction.set(id, &[value; RECORD_LEN])?;
    }
    transaction.commit(Durability::Immediate).map(drop)
}

/// Takes all free space of the disk.
fn fill(disk: &SmallDisk) {
    let mut filler = std::fs::File::create(disk.path().join("filler")).unwrap();
    while filler.write(&[1; 4096]).is_ok() {}
}

/// Finds a commit that is refused for want of space although the array holds the whole log. The
/// log's only segment was made for one large commit and is still in use.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_fills_the_disk_starts_over_when_the_array_holds_it() {
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
    // Copies the files of the open database: they must hold every commit.
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
        assert!(reader.iter().map(|(_, bytes)| bytes[0]).eq(expected));
    }
    // The log does not start over while a snapshot reads it.
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
