//! Stores in the lower layer of an overlay file system, as in the image of a container. The system
//! copies a store to the upper layer when the first writer opens it. Older views still map the
//! original.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flatrec::{
    CommitEvents, CopyOptions, Database, Durability, Error, ErrorKind, ReadOnlyDatabase, Store,
    VerifyOptions, Wait, WindowedStore, backup, verify,
};

use super::{Row, append, kill, row};
use crate::support::files::lock_file;
use crate::support::mounts::Mounts;

/// An overlay over `lower` at `mnt`, and read-only at `ro`. `make` makes a store `rows.rec` in
/// `lower`.
struct Image {
    mounts: Mounts,
}

impl Image {
    fn with(options: &str, make: impl FnOnce(&Path)) -> Option<Self> {
        const POINTS: &[&str] = &["disk", "mnt", "ro"];
        let line = "mount -t tmpfs -o size=64m none disk && mkdir disk/lower disk/upper disk/work";
        let mounts = Mounts::make(line, POINTS)?;
        make(&mounts.path("disk/lower/rows.rec"));
        let line = format!(
            "cd disk && mount -t overlay overlay ../mnt \
             -o lowerdir=lower,upperdir=upper,workdir=work{options} && cd .. && \
             mount --bind mnt ro && mount -o remount,bind,ro ro"
        );
        mounts.shell(&line).then_some(Self { mounts })
    }

    fn new(options: &str) -> Option<Self> {
        Self::with(options, make)
    }

    fn path(&self) -> PathBuf {
        self.mounts.path("mnt/rows.rec")
    }

    fn read_only_path(&self) -> PathBuf {
        self.mounts.path("ro/rows.rec")
    }

    fn is_copied(&self) -> bool {
        self.mounts.path("disk/upper/rows.rec").exists()
    }
}

/// Makes a store of ten records and closes it.
fn make(path: &Path) {
    let database = Database::<Row>::create(path).unwrap();
    append(&database, 0..10);
    database.close().unwrap();
}

fn set(database: &Database<Row>, n: u64) {
    let mut transaction = database.begin_write().unwrap();
    transaction.set(0, &row(n)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
}

/// Opens the store, writes `n`, and closes it.
fn write(path: &Path, n: u64) {
    let database = Database::<Row>::open(path).unwrap();
    set(&database, n);
    database.checkpoint().unwrap();
    database.close().unwrap();
}

fn open(path: &Path) -> ReadOnlyDatabase<Row> {
    Database::open_read_only(path).unwrap()
}

/// Returns the first record of a new snapshot.
fn look(reader: &ReadOnlyDatabase<Row>) -> Result<u64, Error> {
    reader.begin_read().map(|snapshot| snapshot.get(0).unwrap().n)
}

const LONG: Duration = Duration::from_secs(60);

/// Events that wait for a commit after the newest one.
fn armed_events(reader: &ReadOnlyDatabase<Row>) -> CommitEvents {
    let events = reader.commit_events().unwrap();
    events.acknowledge(&reader.begin_read().unwrap()).unwrap();
    assert!(!events.wait(Duration::ZERO).unwrap());
    events
}

fn assert_outdated<V: std::fmt::Debug>(result: Result<V, Error>) {
    let error = result.expect_err("the reader showed an old state");
    assert_eq!(error.kind(), ErrorKind::Outdated, "{error}");
}

/// Checks that an open reader fails after each writer, and that its snapshot does not change. The
/// reader once showed the records of the original again.
fn never_shows_old_records(path: &Path, readers_path: &Path) {
    let reader = open(readers_path);
    let snapshot = reader.begin_read().unwrap();
    let held = snapshot.get(0).unwrap();
    for n in 1..6 {
        write(path, 660 + n);
        assert_outdated(look(&reader));
        assert_eq!(*std::hint::black_box(held), row(0));
        assert_eq!(snapshot.get(0), Some(&row(0)));
        assert_eq!(look(&open(readers_path)).unwrap(), 660 + n);
    }
}

/// Finds a reader whose views map the original of a copied data file.
#[test]
fn a_reader_of_the_original_never_shows_old_records() {
    let Some(image) = Image::new("") else { return };
    never_shows_old_records(&image.path(), &image.path());
}

/// Finds a reader that trusts the shared words of an original lock file, which no writer changes.
#[test]
fn a_reader_of_the_original_lock_file_never_shows_old_records() {
    let Some(image) = Image::new("") else { return };
    never_shows_old_records(&image.path(), &image.read_only_path());
    let reader = open(&image.read_only_path());
    write(&image.path(), 700);
    assert_eq!(look(&reader).unwrap(), 700);

    // The copy of the lock file has all words of later writers, and no view of this reader.
    let Some(image) = Image::new("") else { return };
    let reader = open(&image.read_only_path());
    let events = armed_events(&reader);
    write(&image.path(), 701);
    assert!(events.wait(LONG).unwrap());
    assert_outdated(look(&reader));
}

/// Finds a reader beside a lock file without shared words that misses the words of the copy.
#[test]
fn a_reader_beside_an_empty_lock_file_never_shows_old_records() {
    let make_blank = |path: &Path| {
        make(path);
        std::fs::write(lock_file(path), "").unwrap();
    };
    let Some(image) = Image::with("", make_blank) else { return };
    let reader = open(&image.read_only_path());
    let snapshot = reader.begin_read().unwrap();
    let events = armed_events(&reader);
    let database = Database::<Row>::open(image.path()).unwrap();
    assert!(events.wait(LONG).unwrap());
    set(&database, 666);
    assert_eq!(reader.commit_id(), snapshot.commit_id());
    assert!(!snapshot.is_newest());
    assert_outdated(look(&reader));
    assert_outdated(reader.wait(snapshot.commit_id(), Duration::from_secs(60)));
    assert!(database.checkpoint().unwrap().held_back().is_some());
    assert_eq!(snapshot.get(0), Some(&row(0)));
}

/// With `metacopy` a change of permissions copies no data, and the birth time of the upper file is
/// not that of the records. Finds a reader that takes the original for the copy.
#[test]
fn a_reader_beside_a_copy_of_permissions_alone_never_shows_old_records() {
    let Some(image) = Image::new(",metacopy=on") else { return };
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(image.path(), mode).unwrap();
    let upper = image.mounts.path("disk/upper/rows.rec").metadata().unwrap();
    assert_eq!(upper.blocks(), 0, "the system has copied the data already");
    never_shows_old_records(&image.path(), &image.path());
}

/// Finds a reader that reads past the end of an original, whose newest commit counts more records.
#[test]
fn a_reader_of_the_original_reads_no_records_past_its_end() {
    let Some(image) = Image::new("") else { return };
    let path = image.path();
    let (reader, other) = (open(&path), open(&path));
    let mut store = Store::<Row>::options().wait(Wait::No).open(&path).unwrap();
    store.append_slice(&vec![row(7); 100_000]).unwrap();
    store.flush().unwrap();
    assert_outdated(look(&reader));
    store.close().unwrap();
    assert!(other.wait((reader.commit_id().get() - 1).into(), Duration::ZERO).unwrap());
    assert_outdated(look(&other));
    let reader = open(&path);
    assert_eq!(reader.begin_read().unwrap().get(100_009), Some(&row(7)));
}

/// Finds a reader that refuses a store after the copy, or misses the log of a crashed writer in the
/// upper layer.
#[test]
fn a_reader_that_opens_after_the_copy_follows() {
    let Some(image) = Image::new("") else { return };
    let path = image.path();
    let database = Database::<Row>::open(&path).unwrap();
    set(&database, 1);
    kill(database);
    let reader = open(&path);
    for n in 2..6 {
        write(&path, n);
        assert_eq!(look(&reader).unwrap(), n);
    }
}

/// Finds a handle of one commit that changes after the copy, or a reading command that copies the
/// store.
#[test]
fn handles_of_one_commit_stay_right_and_reading_copies_nothing() {
    let Some(image) = Image::new("") else { return };
    let path = image.path();
    let store = Store::<Row>::open_read_only(&path).unwrap();
    let windowed = WindowedStore::<Row>::read_options()
        .max_mapped_bytes(1 << 20)
        .window_bytes(64 << 10)
        .open_read_only(&path)
        .unwrap();
    let private = Store::<Row>::open_private(&path).unwrap();
    assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems, []);
    assert!(!image.is_copied(), "a reader made the system copy the store");
    for n in 1..4 {
        write(&path, n);
        assert_eq!((store.get(0), private.get(0)), (Some(&row(0)), Some(&row(0))));
        assert_eq!(*windowed.get(0).unwrap().unwrap(), row(0));
        assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems, []);
        let copy = image.mounts.path("disk/copy.rec");
        backup(&path, &copy, CopyOptions::new().replace(true)).unwrap();
        assert_eq!(look(&open(&copy)).unwrap(), n);
    }
}

/// The first reader makes a missing lock file. To learn whether it may, it opened the store for
/// writing, and the system copied the store.
#[test]
fn making_a_lock_file_copies_no_store() {
    let make_alone = |path: &Path| {
        make(path);
        std::fs::remove_file(lock_file(path)).unwrap();
    };
    let Some(image) = Image::with("", make_alone) else { return };
    assert_eq!(look(&open(&image.path())).unwrap(), 0);
    assert!(lock_file(&image.path()).exists());
    assert!(!image.is_copied());
    never_shows_old_records(&image.path(), &image.path());
}
