//! Names that are too long for the file system, or too long for the files beside the store.

#![cfg(unix)] // tests/windows_paths.rs is about names on Windows

use std::path::{Path, PathBuf};

use flatrec::{
    CopyOptions, DataType, Durability, DynDatabase, DynStore, Error, ErrorKind, Field, Result,
    Schema, VerifyOptions, backup, verify,
};

use crate::support::files::names;

/// Lengths of names around each one at which some file beside the store has no name any more:
/// of 255 characters a log takes 6, a lock file 5, and a store that is being made up to 15.
const LENS: [usize; 12] = [230, 239, 240, 241, 244, 245, 249, 250, 251, 254, 255, 256];

fn schema() -> Schema {
    Schema::packed([Field::new("n", DataType::UInt64)]).unwrap()
}

/// A path in `directory` whose name has `len` characters.
fn named(directory: &Path, len: usize) -> PathBuf {
    directory.join("n".repeat(len))
}

/// A closed store with one record, and its path.
fn make(directory: &Path) -> PathBuf {
    let path = directory.join("short");
    let mut store = DynStore::create(&path, &schema()).unwrap();
    store.append(&[7; 8]).unwrap();
    store.close().unwrap();
    path
}

fn append_and_commit(database: &DynDatabase) -> Result<()> {
    let mut transaction = database.begin_write()?;
    transaction.append(&[9; 8])?;
    transaction.commit(Durability::Immediate).map(drop)
}

fn is_refusal(error: &Error) -> bool {
    let says_what_to_do = error.to_string().contains("choose a shorter name");
    error.kind() == ErrorKind::InvalidArgument && says_what_to_do
}

/// Finds a store that is made under a name under which no log has room, and a refusal that leaves
/// files behind.
#[test]
fn a_store_is_made_with_room_for_every_name_beside_it_or_not_at_all() {
    type Way = fn(&Path) -> Result<()>;
    let ways: [(&str, Way); 5] = [
        ("store", |path| DynStore::create(path, &schema())?.close()),
        ("sums", |path| {
            DynStore::create_options().checksums(true).create(path, &schema())?.close()
        }),
        ("aside", |path| DynStore::create_options().create_aside(path, &schema(), false)?.close()),
        ("database", |path| DynDatabase::create(path, &schema())?.close()),
        ("copy", |path| {
            let from = tempfile::tempdir().unwrap();
            backup(make(from.path()), path, CopyOptions::new()).map(drop)
        }),
    ];
    for (what, make) in ways {
        let mut refused = Vec::new();
        for len in LENS {
            let directory = tempfile::tempdir().unwrap();
            let path = named(directory.path(), len);
            let Err(error) = make(&path) else {
                let database = DynDatabase::open(&path).unwrap();
                let before = database.begin_read().unwrap().count();
                append_and_commit(&database).unwrap();
                database.close().unwrap();
                let store = DynStore::open_read_only(&path).unwrap();
                assert_eq!(store.count(), before + 1, "{what} of {len}");
                assert_eq!(
                    verify(&path, VerifyOptions::new()).unwrap().problems,
                    [],
                    "{what} of {len}"
                );
                continue;
            };
            assert!(is_refusal(&error), "{what} of {len}: {error}");
            assert_eq!(names(directory.path()), [""; 0], "{what} of {len}");
            refused.push(len);
        }
        assert!(refused.contains(&256) && !refused.contains(&239), "{what}: {refused:?}");
        assert!(LENS.ends_with(&refused), "{what}: {refused:?}, and not a longer one");
    }
}

/// Finds a handle that changes a store whose log or lock file has no room for its name, or says
/// nothing of the name.
#[test]
fn a_store_that_got_a_long_name_is_refused_as_it_is() {
    for len in [250, 251, 255] {
        let directory = tempfile::tempdir().unwrap();
        let path = named(directory.path(), len);
        std::fs::rename(make(directory.path()), &path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        if len == 250 {
            // It has a lock file, and no log.
            let database = DynDatabase::open(&path).unwrap();
            let error = append_and_commit(&database).unwrap_err();
            assert!(is_refusal(&error), "{error}");
            assert_eq!(database.begin_read().unwrap().count(), 1);
            drop(database);
            let mut store = DynStore::open(&path).unwrap();
            assert_eq!((store.count(), store.append(&[8; 8]).unwrap()), (1, 1));
            store.close().unwrap();
            assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems, []);
            continue;
        }
        let before = names(directory.path());
        for (what, opened) in [
            ("store", DynStore::open(&path).map(drop)),
            ("reading store", DynStore::open_read_only(&path).map(drop)),
            ("database", DynDatabase::open(&path).map(drop)),
            ("reader", DynDatabase::open_read_only(&path).map(drop)),
            ("verify", verify(&path, VerifyOptions::new()).map(drop)),
            ("backup", backup(&path, directory.path().join("out"), CopyOptions::new()).map(drop)),
        ] {
            let error = opened.unwrap_err();
            assert!(is_refusal(&error), "{what} of {len}: {error}");
            assert!(error.to_string().contains("nnn-lock"), "{what} of {len}: {error}");
        }
        assert_eq!(names(directory.path()), before);
        assert!(std::fs::read(&path).unwrap() == whole);
    }
}
