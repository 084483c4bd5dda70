//! Opening a store or creating it: what the call finds, and what it refuses.
#![cfg(feature = "derive")]

mod killed;
mod racing;

use std::fs;
use std::path::Path;
use std::time::Duration;

use flatrec::{
    Checksums, DataType, Database, Durability, DynDatabase, DynStore, DynWindowedStore, Error,
    ErrorKind, Field, PodRecord, Record, Result, Schema, Store, VerifyOptions, Wait, WindowedStore,
    rebuild_checksums, verify,
};

use crate::support::files::{beside, names, set_len};
use crate::support::numbered::{N, add};

fn schema() -> Schema {
    N::schema().unwrap()
}

/// A schema that differs from [`schema`] in the name of its field.
fn other_schema() -> Schema {
    Schema::packed([Field::new("m", DataType::UInt64)]).unwrap()
}

/// What a caller asks for.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    deletes: Option<bool>,
    checksums: Option<bool>,
    metadata: Option<&'static str>,
    wait: Wait,
}

/// Waits as long as it takes.
const PATIENT: Asked =
    Asked { deletes: None, checksums: None, metadata: None, wait: Wait::Forever };

macro_rules! asked {
    ($handle:ty, $asked:expr) => {{
        let asked: Asked = $asked;
        let mut options = <$handle>::create_options().wait(asked.wait);
        if let Some(deletes) = asked.deletes {
            options = options.deletes(deletes);
        }
        if let Some(checksums) = asked.checksums {
            options = options.checksums(checksums);
        }
        if let Some(metadata) = asked.metadata {
            options = options.metadata(metadata);
        }
        options
    }};
}

/// Opens or creates a store with one kind of handle, appends a record, and closes it. Returns the
/// number of the record.
type Way = fn(&Path, Asked) -> Result<u64>;

const WAYS: [(&str, Way); 6] = [
    ("Database", |path, asked| {
        let database = asked!(Database<N>, asked).open_or_create(path)?;
        let id = database.begin_read()?.count();
        add(&database, id);
        database.close()?;
        Ok(id)
    }),
    ("DynDatabase", |path, asked| {
        let database = asked!(DynDatabase, asked).open_or_create(path, &schema())?;
        let mut transaction = database.begin_write()?;
        let id = transaction.count();
        transaction.append(&id.to_ne_bytes())?;
        transaction.commit(Durability::Immediate)?;
        database.close()?;
        Ok(id)
    }),
    ("Store", |path, asked| {
        let mut store = asked!(Store<N>, asked).open_or_create(path)?;
        let id = store.append(&N { n: store.count() })?;
        store.close()?;
        Ok(id)
    }),
    ("DynStore", |path, asked| {
        let mut store = asked!(DynStore, asked).open_or_create(path, &schema())?;
        let id = store.append(&store.count().to_ne_bytes())?;
        store.close()?;
        Ok(id)
    }),
    ("WindowedStore", |path, asked| {
        let mut store = asked!(WindowedStore<N>, asked).open_or_create(path)?;
        let id = store.append(&N { n: store.count() })?;
        store.close()?;
        Ok(id)
    }),
    ("DynWindowedStore", |path, asked| {
        let mut store = asked!(DynWindowedStore, asked).open_or_create(path, &schema())?;
        let id = store.append(&store.count().to_ne_bytes())?;
        store.close()?;
        Ok(id)
    }),
];

/// The files of a directory with their bytes.
fn contents(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| (name.clone(), fs::read(directory.join(&name)).unwrap_or_default());
    names(directory).into_iter().map(read).collect()
}

/// Calls every way on `path`, expects an error, and that it changes no file.
fn refused(path: &Path, asked: Asked, check: impl Fn(&Error)) {
    let before = contents(path.parent().unwrap());
    for (way, open_or_create) in WAYS {
        let error = open_or_create(path, asked).expect_err(way);
        println!("{way}: {error}");
        check(&error);
        assert!(error.to_string().contains(path.file_name().unwrap().to_str().unwrap()), "{error}");
        let after = contents(path.parent().unwrap());
        let names = |files: &[(String, _)]| files.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
        assert_eq!(names(&after), names(&before), "{way}");
        assert!(after == before, "{way} has changed a file");
    }
}

/// Finds a call that creates a second store, or one that does not find the first.
#[test]
fn the_first_call_creates_and_every_later_call_opens() {
    for (first, create) in WAYS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        assert_eq!(create(&path, Asked::default()).unwrap(), 0, "{first}");
        assert_eq!(names(directory.path()), ["s", "s-lock"], "{first}");
        for (count, (then, open)) in (1..).zip(WAYS) {
            assert_eq!(open(&path, Asked::default()).unwrap(), count, "{first}, {then}");
        }
        let store = Store::<N>::open_read_only(&path).unwrap();
        assert!(store.iter().map(|(id, record)| (id, record.n)).eq((0..7).map(|n| (n, n))));
        assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems, []);
    }
}

/// Finds a short form that forgets its schema, or opens only.
#[test]
fn the_short_forms_open_and_create_as_the_options_do() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for run in 0..2 {
        let database = Database::<N>::open_or_create(at("a")).unwrap();
        add(&database, run);
        database.close().unwrap();
        Store::<N>::open_or_create(at("b")).unwrap().append(&N { n: run }).unwrap();
        WindowedStore::<N>::open_or_create(at("c")).unwrap().append(&N { n: run }).unwrap();
        let bytes = run.to_ne_bytes();
        let database = DynDatabase::open_or_create(at("d"), &schema()).unwrap();
        let mut transaction = database.begin_write().unwrap();
        transaction.append(&bytes).unwrap();
        transaction.commit(Durability::Immediate).unwrap();
        drop(database);
        DynStore::open_or_create(at("e"), &schema()).unwrap().append(&bytes).unwrap();
        let mut windowed = DynWindowedStore::open_or_create(at("f"), &schema()).unwrap();
        windowed.append(&bytes).unwrap();
    }
    for name in ["a", "b", "c", "d", "e", "f"] {
        let store = Store::<N>::open_read_only(at(name)).unwrap();
        assert!(store.iter().map(|(_, record)| record.n).eq(0..2), "{name}");
    }
}

/// Finds a store that is created without the options, and a store that is refused although it has
/// them.
#[test]
fn a_store_is_created_with_the_options_and_opened_with_them() {
    for (way, open_or_create) in WAYS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let (deletes, checksums) = (Some(true), Some(true));
        let asked = Asked { deletes, checksums, metadata: Some("v1"), wait: Wait::No };
        for id in 0..2 {
            assert_eq!(open_or_create(&path, asked).unwrap(), id, "{way}");
        }
        let store = Store::<N>::open_read_only(&path).unwrap();
        let info = store.info().unwrap();
        assert!(info.deletes, "{way}");
        assert!(matches!(info.checksums, Checksums::Present { .. }), "{way}: {}", info.checksums);
        assert_eq!(store.metadata().unwrap(), b"v1", "{way}");
        // What the caller has not set need not agree.
        assert_eq!(open_or_create(&path, Asked::default()).unwrap(), 2, "{way}");
    }
}

/// Finds a store that is opened although it was created otherwise, a difference that the error does
/// not name, and a call that changes the file.
#[test]
fn an_existing_store_with_other_options_is_refused_with_every_difference() {
    let directory = tempfile::tempdir().unwrap();
    let with = directory.path().join("with");
    let options = Store::<N>::create_options().deletes(true).checksums(true).metadata("long text");
    options.create(&with).unwrap().close().unwrap();
    let without = directory.path().join("without");
    Store::<N>::create(&without).unwrap().close().unwrap();

    let deletes = |it| Asked { deletes: Some(it), ..Asked::default() };
    let checksums = |it| Asked { checksums: Some(it), ..Asked::default() };
    let metadata = |it| Asked { metadata: Some(it), ..Asked::default() };
    let all = |it, metadata| Asked {
        deletes: Some(it),
        checksums: Some(it),
        metadata: Some(metadata),
        wait: Wait::No,
    };
    let cases: [(&Path, Asked, &[&str]); 9] = [
        (&with, deletes(false), &["deletes: expected false"]),
        (&with, checksums(false), &["checksums: expected false, found 0 blocks"]),
        (&with, metadata("short"), &["metadata: expected 5 bytes, found 9"]),
        (&with, metadata("long tale"), &["metadata: as long as expected", "from byte 6 on"]),
        (&with, all(false, ""), &["deletes", "checksums", "metadata: expected 0 bytes, found 9"]),
        (&without, deletes(true), &["deletes: expected true"]),
        (&without, checksums(true), &["checksums: expected true, found none"]),
        (&without, metadata("short"), &["metadata: expected 5 bytes, found 0"]),
        (&without, all(true, "x"), &["deletes", "checksums", "metadata: expected 1 bytes"]),
    ];
    for (path, asked, parts) in cases {
        refused(path, asked, |error| {
            assert_eq!(error.kind(), ErrorKind::OptionsMismatch, "{error}");
            let text = error.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{parts:?}: {text}");
            for name in ["deletes", "checksums", "metadata"] {
                let is_named = parts.iter().any(|part| part.starts_with(name));
                assert_eq!(text.contains(&format!("{name}: ")), is_named, "{name}: {text}");
            }
        });
    }
    // The right options open them.
    for (way, open_or_create) in WAYS {
        open_or_create(&with, all(true, "long text")).expect(way);
        open_or_create(&without, all(false, "")).expect(way);
    }
}

/// Finds checksums that are called present although no writer keeps them up to date.
#[test]
fn checksums_that_nothing_maintains_do_not_count() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let options = Store::<N>::create_options().checksums(true);
    options.create(&path).unwrap().close().unwrap();
    let sums = beside(&path, "-sum");
    let kept = fs::read(&sums).unwrap();
    fs::remove_file(&sums).unwrap();
    Store::<N>::open(&path).unwrap().append(&N { n: 7 }).unwrap();
    fs::write(&sums, kept).unwrap();
    let asked = |checksums| Asked { checksums: Some(checksums), ..Asked::default() };
    refused(&path, asked(true), |error| {
        assert_eq!(error.kind(), ErrorKind::OptionsMismatch, "{error}");
        assert!(error.to_string().contains("checksums: expected true, found none ("), "{error}");
    });
    rebuild_checksums(&path).unwrap();
    for (count, (way, open_or_create)) in (1..).zip(WAYS) {
        assert_eq!(open_or_create(&path, asked(true)).unwrap(), count, "{way}");
    }
}

/// Finds a store of another schema that is opened or replaced, and an error that does not say which
/// field differs.
#[test]
fn an_existing_store_with_another_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    DynStore::create(&path, &other_schema()).unwrap().close().unwrap();
    refused(&path, Asked { deletes: Some(true), ..Asked::default() }, |error| {
        assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{error}");
        let text = error.to_string();
        assert!(text.contains('n') && text.contains('m'), "{text}");
    });
}

/// Finds a type without field names that ignores the schema which its caller gave.
#[test]
fn a_schema_that_is_given_by_hand_counts_for_both() {
    type Eight = PodRecord<[u8; 8]>;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let named = |name| Schema::packed([Field::new(name, DataType::Binary(8))]).unwrap();
    let options = |name| Store::<Eight>::create_options().schema(named(name));
    for run in 0..2 {
        let mut store = options("x").open_or_create(&path).unwrap();
        assert_eq!(store.schema(), &named("x"));
        assert_eq!(store.append(&PodRecord([7; 8])).unwrap(), run);
    }
    assert_eq!(options("y").open_or_create(&path).unwrap_err().kind(), ErrorKind::SchemaMismatch);
    let database = Database::<Eight>::create_options().schema(named("y"));
    assert_eq!(database.open_or_create(&path).unwrap_err().kind(), ErrorKind::SchemaMismatch);
    // Without one, the type accepts every schema of its size, as when it opens a store.
    assert_eq!(Database::<Eight>::open_or_create(&path).unwrap().schema(), &named("x"));
    let unfit = Schema::packed([Field::new("x", DataType::Binary(7))]).unwrap();
    let options = Store::<Eight>::create_options().schema(unfit);
    assert_eq!(options.open_or_create(&path).unwrap_err().kind(), ErrorKind::InvalidSchema);
}

/// Finds a call that fills an empty file, or replaces a file that is not a store.
#[test]
fn files_that_are_not_stores_stay() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("empty"), b"").unwrap();
    fs::write(at("notes"), b"notes of a user").unwrap();
    fs::create_dir(at("folder")).unwrap();
    Store::<N>::create(at("short")).unwrap().append_slice(&[N { n: 7 }; 100]).unwrap();
    set_len(&at("short"), 65_536 + 80);
    let cases = [
        ("empty", ErrorKind::NotAStore),
        ("notes", ErrorKind::NotAStore),
        ("folder", ErrorKind::InvalidArgument),
        ("short", ErrorKind::Truncated),
    ];
    for (name, kind) in cases {
        refused(&at(name), Asked::default(), |error| {
            assert_eq!(error.kind(), kind, "{error}");
            let advises = error.to_string().contains("choose another path, or remove the file");
            assert_eq!(advises, kind == ErrorKind::NotAStore, "{error}");
        });
    }
    let missing = at("no such directory").join("s");
    for (way, open_or_create) in WAYS {
        let error = open_or_create(&missing, Asked::default()).expect_err(way);
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains("create the directory first"), "{error}");
    }
}

/// Finds a store that is created in place of a link, or where a dangling link leads.
#[cfg(unix)] // Windows lets only some users make links
#[test]
fn a_link_leads_to_its_store_and_a_dangling_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::os::unix::fs::symlink("store", at("link")).unwrap();
    refused(&at("link"), Asked { wait: Wait::Forever, ..Asked::default() }, |error| {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains("a symbolic link is there"), "{error}");
    });
    for (count, (way, open_or_create)) in (0..).step_by(2).zip(WAYS) {
        assert_eq!(open_or_create(&at("store"), Asked::default()).unwrap(), count, "{way}");
        assert_eq!(open_or_create(&at("link"), Asked::default()).unwrap(), count + 1, "{way}");
    }
    assert!(at("link").symlink_metadata().unwrap().is_symlink());
    assert_eq!(names(directory.path()), ["link", "link-lock", "store", "store-lock"]);
}

/// Finds a call that uses or removes the files of another store.
#[test]
fn side_files_of_others_are_refused_or_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let expect = |path: &Path, named: &str, checksums| {
        let asked = Asked { checksums, ..Asked::default() };
        refused(path, asked, |error| {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
            assert!(error.to_string().contains(named), "{error}");
        });
    };
    fs::write(at("a-lock"), "notes that are no locks").unwrap();
    expect(&at("a"), "a-lock", None);
    fs::write(at("b-sum"), "sums of a bill").unwrap();
    expect(&at("b"), "b-sum", Some(true));
    fs::write(at("c-unfinished"), "a poem").unwrap();
    expect(&at("c"), "c-unfinished", None);
    // A store under the name of an unfinished one has a lock file of its own.
    Store::<N>::create(at("d-unfinished")).unwrap().close().unwrap();
    expect(&at("d"), "d-unfinished", None);
    assert!(["a", "b", "c", "d"].iter().all(|name| !at(name).exists()));
}

/// Finds a new store that takes the log of an earlier one for its own, or removes it.
#[test]
fn a_stale_log_of_another_store_stays_and_is_not_read() {
    for (way, open_or_create) in WAYS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let old = Database::<N>::create(&path).unwrap();
        (0..9).for_each(|n| add(&old, n));
        let log = fs::read(beside(&path, "-wal-1")).unwrap();
        drop(old);
        fs::remove_file(&path).unwrap();
        fs::write(beside(&path, "-wal-1"), &log).unwrap();
        for id in 0..3 {
            assert_eq!(open_or_create(&path, Asked::default()).unwrap(), id, "{way}");
        }
        assert!(fs::read(beside(&path, "-wal-1")).unwrap() == log, "{way}");
    }
}

/// Finds a call that opens a store without the commits that a killed writer left in its log.
#[test]
fn an_existing_store_is_recovered() {
    for (way, open_or_create) in WAYS {
        let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let database = Database::<N>::create(directory.path().join("s")).unwrap();
        (0..9).for_each(|n| add(&database, n));
        // A kill would leave these files.
        for name in names(directory.path()) {
            fs::copy(directory.path().join(&name), copy.path().join(&name)).unwrap();
        }
        let asked = Asked { deletes: Some(false), metadata: Some(""), ..Asked::default() };
        assert_eq!(open_or_create(&copy.path().join("s"), asked).unwrap(), 9, "{way}");
    }
}

/// Finds a store with the mark of an interrupted edit that is opened, or created anew.
#[test]
fn an_interrupted_edit_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let mut store = Store::<N>::create(directory.path().join("edited")).unwrap();
    store.append(&N { n: 1 }).unwrap();
    store.flush().unwrap();
    let mut edit = store.edit().unwrap();
    edit.set(0, &N { n: 2 }).unwrap();
    fs::copy(directory.path().join("edited"), &path).unwrap();
    edit.finish().unwrap();
    store.close().unwrap();
    for (way, open_or_create) in WAYS {
        let error = open_or_create(&path, Asked::default()).expect_err(way);
        assert_eq!(error.kind(), ErrorKind::InterruptedEdit, "{way}: {error}");
    }
    Store::<N>::options().accept_interrupted_edit(true).open(&path).unwrap().close().unwrap();
    assert_eq!(Database::<N>::open_or_create(&path).unwrap().begin_read().unwrap().count(), 1);
}

/// Finds a call that waits although it was not asked to, or does not wait although it was.
#[test]
fn a_call_waits_for_a_writer_as_asked() {
    for (way, open_or_create) in WAYS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let writer = Store::<N>::open_or_create(&path).unwrap();
        for wait in [Wait::No, Wait::AtMost(Duration::from_millis(5))] {
            let error = open_or_create(&path, Asked { wait, ..Asked::default() }).expect_err(way);
            assert_eq!(error.kind(), ErrorKind::Locked, "{way}: {error}");
        }
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| open_or_create(&path, PATIENT));
            std::thread::yield_now();
            writer.close().unwrap();
            assert_eq!(waiting.join().unwrap().unwrap(), 0, "{way}");
        });
    }
}

/// Finds a maker that keeps its lock when it does not get a store. The waiting caller was then
/// refused although the path was free.
#[test]
fn a_caller_that_waits_for_a_maker_creates_the_store_if_the_maker_gives_up() {
    for (way, open_or_create) in WAYS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let maker = Store::<N>::create_options().create_aside(&path, false).unwrap();
        let error = open_or_create(&path, Asked::default()).expect_err(way);
        assert_eq!(error.kind(), ErrorKind::Locked, "{way}: {error}");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| open_or_create(&path, PATIENT));
            std::thread::yield_now();
            drop(maker);
            assert_eq!(waiting.join().unwrap().unwrap(), 0, "{way}");
        });
        assert_eq!(names(directory.path()), ["s", "s-lock"], "{way}");
    }
}
