//! The modification time of the data file changes with every install, because backup tools rely on
//! it. On Windows a change by views alone may leave it.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use flatrec::{CreateOptions, Database, Durability, Record, Store, WriteBack};

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct Sample {
    id: u64,
    value: u64,
}

/// A place for stores, and the time to which the tests set their files back.
struct Place(tempfile::TempDir);

impl Place {
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn long_ago() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
    }

    /// Runs `change`, which must change the time that was set back.
    #[track_caller]
    fn shows<V>(path: &Path, what: &str, change: impl FnOnce() -> V) -> V {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(Self::long_ago()).unwrap();
        drop(file);
        let result = change();
        let modified = std::fs::metadata(path).unwrap().modified().unwrap();
        let age = SystemTime::now().duration_since(modified).unwrap_or_default();
        assert!(age < Duration::from_secs(3600), "{what}: {modified:?}");
        result
    }
}

fn options(way: WriteBack) -> CreateOptions<Store<Sample>> {
    Store::<Sample>::create_options().write_back(way)
}

/// Finds an install of a store after which a backup tool would skip the file.
#[test]
fn every_install_of_a_store_changes_the_modification_time() {
    for way in [WriteBack::Auto, WriteBack::Mapped] {
        let place = Place(tempfile::tempdir().unwrap());
        let path = place.path("x.rec");
        let mut store = options(way).create(&path).unwrap();
        store.append_slice(&[Sample { id: 1, value: 2 }; 9000]).unwrap();
        Place::shows(&path, "flush", || store.flush().unwrap());
        let mut edit = Place::shows(&path, "begin an edit", || store.edit().unwrap());
        edit.get_mut(7).unwrap().unwrap().value = 3;
        Place::shows(&path, "finish an edit", || edit.finish().unwrap());
        Place::shows(&path, "truncate", || store.truncate(100).unwrap());
        store.append(&Sample { id: 2, value: 2 }).unwrap();
        Place::shows(&path, "close", || store.close().unwrap());
    }
}

/// Finds an install of a database after which a backup tool would skip the file.
#[test]
fn every_install_of_a_database_changes_the_modification_time() {
    let place = Place(tempfile::tempdir().unwrap());
    let path = place.path("x.rec");
    let database = Database::<Sample>::create(&path).unwrap();
    let commit = |value: u64| {
        let mut transaction = database.begin_write().unwrap();
        match transaction.get(0) {
            Some(_) => transaction.set(0, &Sample { id: 0, value }).unwrap(),
            None => {
                transaction.append(&Sample { id: 0, value }).unwrap();
            }
        }
        transaction.commit(Durability::Immediate).unwrap();
    };
    commit(1);
    Place::shows(&path, "checkpoint", || database.checkpoint().unwrap());
    commit(2);
    // The files of a killed writer.
    let copied = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(place.0.path()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_str().unwrap().ends_with("-lock") {
            std::fs::copy(entry.path(), copied.path().join(entry.file_name())).unwrap();
        }
    }
    Place::shows(&path, "close", || database.close().unwrap());
    let path = copied.path().join("x.rec");
    let recovered = Place::shows(&path, "recovery", || Database::<Sample>::open(&path).unwrap());
    assert_eq!(recovered.begin_read().unwrap().get(0).unwrap().value, 2);
}
