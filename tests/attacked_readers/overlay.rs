//! Stores in the lower layer of an overlay file system, as in the image of a container: the first
//! writer has it copied to the upper layer, and views that were mapped before stay with the
//! original.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flatrec::{
    CopyOptions, Database, Durability, Error, ErrorKind, ReadOnlyDatabase, Store, VerifyOptions,
    Wait, WindowedStore, backup, verify,
};

use super::{Row, append, kill, row};
use crate::support::files::lock_file;
use crate::support::mounts::Mounts;

/// An overlay at `mnt`, and at `ro` the same to be read only, over `lower`, in which `make` makes a
/// store `rows.rec`.
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

/// A store of ten records, which no handle has open.
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

/// Writes `n` by a writer that opens and closes the store.
fn write(path: &Path, n: u64) {
    let database = Database::<Row>::open(path).unwrap();
    set(&database, n);
    database.checkpoint().unwrap();
    database.close().unwrap();
}

fn open(path: &Path) -> ReadOnlyDatabase<Row> {
    Database::open_read_only(path).unwrap()
}

/// The first record by a new snapshot.
fn look(reader: &ReadOnlyDatabase<Row>) -> Result<u64, Error> {
    reader.begin_read().map(|snapshot| snapshot.get(0).unwrap().n)
}

fn assert_outdated<V: std::fmt::Debug>(result: Result<V, Error>) {
    let error = result.expect_err("this is an old state");
    assert_eq!(error.kind(), ErrorKind::Outdated, "{error}");
}

/// What a reader that was open before shows, while writers come and go: the newest record or an
/// error, and in the end an error. It went back to the records of the original, for good.
fn never_shows_old_records(path: &Path, readers_path: &Path) {
    let reader = open(readers_path);
    let snapshot = reader.begin_read().unwrap();
    let held = snapshot.get(0).unwrap();
    let mut is_outdated = false;
    for n in 1..6 {
        write(path, 660 + n);
        match look(&reader) {
            Ok(seen) => assert_eq!((seen, is_outdated), (660 + n, false)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Outdated, "{error}");
                is_outdated = true;
            }
        }
        assert_eq!(*std::hint::black_box(held), row(0));
        assert_eq!(snapshot.get(0), Some(&row(0)));
        assert_eq!(look(&open(readers_path)).unwrap(), 660 + n);
    }
    assert!(is_outdated);
}

#[test]
fn a_reader_of_the_original_never_shows_old_records() {
    let Some(image) = Image::new("") else { return };
    never_shows_old_records(&image.path(), &image.path());
}

/// It sees the words of a lock file that was copied, too, and in the original they never change.
#[test]
fn a_reader_of_the_original_lock_file_never_shows_old_records() {
    let Some(image) = Image::new("") else { return };
    never_shows_old_records(&image.path(), &image.read_only_path());
    let reader = open(&image.read_only_path());
    write(&image.path(), 700);
    assert_eq!(look(&reader).unwrap(), 700);
}

/// A lock file without words: those that a writer makes are in the copy.
#[test]
fn a_reader_beside_an_empty_lock_file_never_shows_old_records() {
    let make_blank = |path: &Path| {
        make(path);
        std::fs::write(lock_file(path), "").unwrap();
    };
    let Some(image) = Image::with("", make_blank) else { return };
    let reader = open(&image.read_only_path());
    let snapshot = reader.begin_read().unwrap();
    let database = Database::<Row>::open(image.path()).unwrap();
    set(&database, 666);
    assert_eq!(reader.commit_id(), snapshot.commit_id());
    assert!(!snapshot.is_newest());
    assert_outdated(look(&reader));
    assert_outdated(reader.wait(snapshot.commit_id(), Duration::from_secs(60)));
    assert!(database.checkpoint().unwrap().held_back().is_some());
    assert_eq!(snapshot.get(0), Some(&row(0)));
}

/// With `metacopy` a change of permissions copies no data yet, and the birth time of the upper file
/// is not that of its records.
#[test]
fn a_reader_of_a_file_whose_permissions_were_copied_never_shows_old_records() {
    let Some(image) = Image::new(",metacopy=on") else { return };
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(image.path(), mode).unwrap();
    let upper = image.mounts.path("disk/upper/rows.rec").metadata().unwrap();
    assert_eq!(upper.blocks(), 0, "its data is not copied yet");
    never_shows_old_records(&image.path(), &image.path());
}

/// A store that grows: the original ends before the records that the newest commit counts.
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

/// A writer that died: its log is in the upper layer, and the reader that comes then is right.
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

/// Handles that stay with what they have found, and reading commands.
#[test]
fn what_stays_with_one_commit_stays_right() {
    let Some(image) = Image::new("") else { return };
    let path = image.path();
    let store = Store::<Row>::open_read_only(&path).unwrap();
    let windowed = WindowedStore::<Row>::options()
        .max_mapped_bytes(1 << 20)
        .window_bytes(64 << 10)
        .open_read_only(&path)
        .unwrap();
    let private = Store::<Row>::open_private(&path).unwrap();
    assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems, []);
    assert!(!image.is_copied(), "reading has copied the store");
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

/// A store without a lock file, which its first reader makes: to see whether it may, it opened the
/// store to write, and had it copied.
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
