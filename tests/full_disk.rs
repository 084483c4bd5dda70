//! A disk that is really full: a small memory file system, which root mounts.

#![cfg(any(target_os = "linux", windows))]

#[path = "full_disk/log.rs"]
mod log;
#[path = "full_disk/recovery.rs"]
mod recovery;
mod support;
#[path = "full_disk/temporary.rs"]
mod temporary;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flatrec::map::{Access, Mapping};
use flatrec::{
    DataType, Durability, DynDatabase, DynStore, Error, ErrorKind, Field, Schema, VerifyOptions,
    WriteBack, verify,
};
use support::shell::shell;
use support::skip::skip;

/// Held by the test that may start programs and count on the space of removed files. A child that
/// another thread is starting holds copies of all open files until it runs its program, and the
/// system frees the space of a removed file only after the last of them is closed.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mounted file system of 8 MiB. Dropping it unmounts it.
struct SmallDisk {
    home: tempfile::TempDir,
    path: PathBuf,
    /// Dropped last, after the disk is unmounted.
    _alone: MutexGuard<'static, ()>,
}

impl SmallDisk {
    /// Returns `None` and skips the test if the mount fails.
    fn mount() -> Option<Self> {
        let _alone = alone();
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        match shell(home.path(), "mount -t tmpfs -o size=8m tmpfs disk") {
            Some(Ok(())) => Some(Self { home, path, _alone }),
            Some(Err(said)) => {
                skip!("{said}");
                None
            }
            None => {
                skip!("there is no shell to mount a disk");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a line of shell in the directory of the mount point.
    fn shell(&self, line: &str) {
        shell(self.home.path(), line).expect("a shell mounted the disk").unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the files that the test itself has open do not matter.
        let _ = shell(self.home.path(), "umount -l disk");
    }
}

/// Finds an append that dies of SIGBUS on a full disk, or loses earlier records.
#[test]
fn an_append_to_a_full_disk_fails_and_loses_nothing() {
    let schema = Schema::packed([Field::new("bytes", DataType::Binary(1000))]).unwrap();
    let ways = [WriteBack::Mapped, WriteBack::Positioned];
    // Windows does not promise that views see what write calls wrote.
    for way in ways.into_iter().take(if cfg!(windows) { 1 } else { 2 }) {
        let Some(disk) = SmallDisk::mount() else { return };
        let path = disk.path().join("store");
        let mut store = DynStore::create_options().write_back(way).create(&path, &schema).unwrap();
        let record = |n: u64| [(n % 251) as u8; 1000];
        store.append_packed(&(0..1000).flat_map(record).collect::<Vec<u8>>()).unwrap();
        store.flush().unwrap();
        let error = (1000..).find_map(|n| store.append(&record(n)).err()).unwrap();
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        let text = error.to_string();
        assert!(text.contains("store") && text.contains("free some space"), "{text}");
        let count = store.count();
        assert!(count > 7000, "only {count} records fit into 8 MiB");
        let error = store.reserve(1_000_000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        assert_eq!(store.append(&record(count)).unwrap_err().kind(), ErrorKind::NoSpace);
        assert_eq!(store.get(count - 1), Some(&record(count - 1)[..]));
        store.close().unwrap();
        let store = DynStore::open_read_only(&path).unwrap();
        assert_eq!(store.count(), count);
        assert!(store.iter().all(|(n, bytes)| bytes == record(n)));
        assert_eq!(verify(&path, VerifyOptions::new().max_problems(1)).unwrap().problems, []);
    }
}

/// Finds a mapping that grows without disk space, and faults later when a view writes.
#[test]
fn a_mapping_that_cannot_grow_keeps_its_length() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("mapping");
    let error = Mapping::create_new(&path, 100 << 20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
    assert!(!path.exists(), "the failed call left its file");
    let mapping = Mapping::create_new(&path, 1 << 20).unwrap();
    let error = mapping.grow(100 << 20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
    assert_eq!(mapping.len_bytes().unwrap(), 1 << 20);
    mapping.view_all().unwrap().write(0, &vec![1; 1 << 20]).unwrap();
    drop(mapping);
    let error = Mapping::open_or_create(disk.path().join("other"), 100 << 20, |_| Ok(()));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NoSpace);
    Mapping::open(&path, Access::ReadOnly).unwrap();
}

/// Finds a maker that leaves files where it failed.
#[test]
fn creating_a_store_on_a_full_disk_leaves_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let filler = disk.path().join("filler");
    let full = Mapping::create_new(&filler, 8 << 20)
        .map(|_| ())
        .or_else(|_| Mapping::create_new(&filler, (8 << 20) - (16 << 10)).map(|_| ()));
    full.unwrap();
    let schema = Schema::packed([Field::new("n", DataType::UInt8)]).unwrap();
    let error = DynStore::create(disk.path().join("store"), &schema).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
    assert_eq!(
        std::fs::read_dir(disk.path()).unwrap().count(),
        1,
        "the failed maker left a file beside the filler"
    );
}

/// Finds a reader that demands to write, or a writer whose error hides the reason.
#[test]
fn a_store_on_a_read_only_file_system_is_readable_and_refuses_writers() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("store");
    let schema = Schema::packed([Field::new("n", DataType::UInt8)]).unwrap();
    let mut store = DynStore::create(&path, &schema).unwrap();
    store.append(&[7]).unwrap();
    store.close().unwrap();
    std::fs::remove_file(disk.path().join("store-lock")).unwrap();
    disk.shell("mount -o remount,ro disk");
    // On a read-only mount the reader locks the data file and needs no lock file.
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!(store.get(0), Some(&[7][..]));
    let error = DynStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let error = DynStore::create(disk.path().join("new"), &schema).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
}

/// Fills the disk to the last page.
fn fill(disk: &SmallDisk) {
    let path = disk.path().join("filler");
    let mut len_bytes = 0;
    let filler = Mapping::create_new(&path, 0).unwrap();
    for step in [1 << 20, 64 << 10, 4 << 10] {
        while filler.grow(len_bytes + step).is_ok() {
            len_bytes += step;
        }
    }
}

/// Empties a file and removes it, so that the disk has the space at once. A child that another test
/// is starting may hold the file open for a moment.
fn give_back(path: &Path) {
    std::fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap();
    std::fs::remove_file(path).unwrap();
}

/// After a copy, the space that a killed writer reserved behind its records may be holes. Finds a
/// writer that stores into them and faults.
#[cfg(not(windows))] // on Windows a file has holes only if its maker asked for them
#[test]
fn a_tail_of_holes_is_not_reserved_space() {
    let schema = Schema::packed([Field::new("bytes", DataType::Binary(4096))]).unwrap();
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("store");
    let mut store = DynStore::create(&path, &schema).unwrap();
    store.append(&[1; 4096]).unwrap();
    store.close().unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(4 << 20).unwrap();
    fill(&disk);
    let mut store = DynStore::options().write_back(WriteBack::Mapped).open(&path).unwrap();
    let error = store.append(&[2; 4096]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
    assert_eq!(store.get(0), Some(&[1; 4096][..]));
    store.close().unwrap();
}

/// Finds a reader that fails because it cannot make a lock file.
#[test]
fn a_store_on_a_full_disk_is_readable_without_a_lock_file() {
    let schema = Schema::packed([Field::new("n", DataType::UInt8)]).unwrap();
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("store");
    let mut store = DynStore::create(&path, &schema).unwrap();
    store.append(&[7]).unwrap();
    store.close().unwrap();
    std::fs::remove_file(disk.path().join("store-lock")).unwrap();
    // The file system now refuses even an empty new file.
    disk.shell("mount -o remount,nr_inodes=2 disk");
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!(store.get(0), Some(&[7][..]));
    let error = DynStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
}

/// Finds a reader that stays without the shared words for ever because the disk had no space for
/// them at first.
#[test]
fn a_reader_that_opened_on_a_full_disk_follows_a_later_writer() {
    let schema = Schema::packed([Field::new("n", DataType::UInt8)]).unwrap();
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("store");
    let database = DynDatabase::create(&path, &schema).unwrap();
    database.close().unwrap();
    std::fs::remove_file(disk.path().join("store-lock")).unwrap();
    let filler = disk.path().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    let reader = DynDatabase::open_read_only(&path).unwrap();
    let before = reader.begin_read().unwrap();
    assert_eq!(std::fs::metadata(disk.path().join("store-lock")).unwrap().len(), 0);
    assert!(!reader.wait(before.commit_id(), Duration::from_millis(1)).unwrap());
    drop(file);
    give_back(&filler);
    let database = DynDatabase::open(&path).unwrap();
    for n in 1..10 {
        let mut transaction = database.begin_write().unwrap();
        transaction.append(&[n]).unwrap();
        let commit = transaction.commit(Durability::Immediate).unwrap().commit_id().get();
        assert!(reader.wait((commit - 1).into(), Duration::from_secs(20)).unwrap());
        let snapshot = reader.begin_read().unwrap();
        assert_eq!((snapshot.commit_id().get(), snapshot.count()), (commit, n.into()));
        assert!(snapshot.is_newest() && !before.is_newest());
        // The snapshot of an unregistered reader holds back every checkpoint.
        assert!(database.checkpoint().unwrap().held_back().is_some());
    }
    drop((before, reader));
    assert_eq!(database.checkpoint().unwrap().held_back(), None);
}

fn thousand_bytes() -> Schema {
    Schema::packed([Field::new("bytes", DataType::Binary(1000))]).unwrap()
}

/// The bytes of record `id` after `n` changes.
fn changed(id: u64, n: u64) -> [u8; 1000] {
    [(id * 7 + n) as u8; 1000]
}

/// Appends `count` records, each unchanged, in one transaction.
fn append(database: &DynDatabase, count: u64) -> Result<(), Error> {
    let mut transaction = database.begin_write()?;
    let first = transaction.count();
    let records: Vec<u8> = (first..first + count).flat_map(|id| changed(id, 0)).collect();
    transaction.append_packed(&records)?;
    transaction.commit(Durability::Immediate).map(|_| ())
}

/// Changes the first records for the `n`-th time, in one transaction.
fn change(database: &DynDatabase, count: u64, n: u64) -> Result<(), Error> {
    let mut transaction = database.begin_write()?;
    for id in 0..count {
        transaction.set(id, &changed(id, n))?;
    }
    transaction.commit(Durability::Immediate).map(|_| ())
}

/// Whether the database has so many records, each as it was appended.
fn is_whole(database: &DynDatabase, count: u64) -> bool {
    let snapshot = database.begin_read().unwrap();
    snapshot.count() == count && snapshot.iter().all(|(id, bytes)| bytes == changed(id, 0))
}

fn assert_no_space(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
    let text = error.to_string();
    assert!(text.contains("store") && text.contains("free some space"), "{text}");
}

/// Finds an acknowledged commit without space for its records in the array.
#[test]
fn transactions_that_fill_the_disk_lose_nothing_and_continue_when_it_has_space() {
    // Transactions of a few records, which the log holds, and long appends, which it does not hold.
    for each in [7, 1200] {
        let Some(disk) = SmallDisk::mount() else { return };
        let path = disk.path().join("store");
        let filler = disk.path().join("filler");
        drop(Mapping::create_new(&filler, 2 << 20).unwrap());
        let options = DynDatabase::create_options().checkpoint_at(512 << 10);
        let database = options.create(&path, &thousand_bytes()).unwrap();
        let held = {
            append(&database, each).unwrap();
            database.begin_read().unwrap()
        };
        let (commits, error) =
            (1..).find_map(|n| append(&database, each).err().map(|error| (n, error))).unwrap();
        assert_no_space(&error);
        let count = commits * each;
        let is_whole = |count: u64| is_whole(&database, count);
        assert!(
            is_whole(count),
            "{} records instead of {count}",
            database.begin_read().unwrap().count()
        );
        assert_no_space(&append(&database, 3000).unwrap_err());
        assert_eq!(held.count(), each);
        assert!(held.iter().all(|(id, bytes)| bytes == changed(id, 0)));
        drop(held);
        // The array has space for every acknowledged commit.
        let checkpoint = database.checkpoint().unwrap();
        assert_eq!(checkpoint.held_back(), None);
        assert_eq!(checkpoint.commit_id(), database.begin_read().unwrap().commit_id());
        assert!(is_whole(count));
        give_back(&filler);
        append(&database, 500).unwrap();
        assert!(is_whole(count + 500));
        database.close().unwrap();
        assert_eq!(verify(&path, VerifyOptions::new().max_problems(1)).unwrap().problems, []);
        let store = DynStore::open(&path).unwrap();
        assert_eq!(store.count(), count + 500);
        assert!(store.iter().all(|(id, bytes)| bytes == changed(id, 0)));
    }
}

/// A held snapshot keeps the writer from reusing segments until the disk has no space for another.
/// Finds a log that stays full after the snapshot.
#[test]
fn a_log_that_fills_the_disk_is_reused_when_the_snapshot_ends() {
    [true, false].into_iter().for_each(log_that_fills_the_disk);
}

fn log_that_fills_the_disk(checkpoint: bool) {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("store");
    let options = DynDatabase::create_options().checkpoint_at(64 << 10);
    let database = options.create(&path, &thousand_bytes()).unwrap();
    append(&database, 100).unwrap();
    let held = database.begin_read().unwrap();
    let (changes, error) =
        (1..).find_map(|n| change(&database, 100, n).err().map(|error| (n - 1, error))).unwrap();
    assert_no_space(&error);
    assert!(changes > 20, "{changes} changes of 100 KB filled 8 MiB");
    let is = |n: u64| {
        let snapshot = database.begin_read().unwrap();
        snapshot.count() == 100 && snapshot.iter().all(|(id, bytes)| bytes == changed(id, n))
    };
    assert!(is(changes));
    assert_no_space(&change(&database, 100, changes + 1).unwrap_err());
    assert!(held.iter().all(|(id, bytes)| bytes == changed(id, 0)));
    drop(held);
    if checkpoint {
        assert_eq!(database.checkpoint().unwrap().held_back(), None);
    }
    for n in changes + 1..changes + 100 {
        change(&database, 100, n).unwrap(); // in existing segments
        assert!(is(n));
    }
    database.close().unwrap();
    let store = DynStore::open_read_only(&path).unwrap();
    assert!(store.iter().all(|(id, bytes)| bytes == changed(id, changes + 99)));
}

/// The system allocates a hole of a file when a view writes into it. On a full disk that is a
/// fault, and the guard turns it into the error of a write call.
#[cfg(not(windows))] // there the cache takes such bytes, and the flush reports the error
#[test]
fn stores_into_holes_of_a_full_disk_are_errors_with_the_guard() {
    let Some(disk) = SmallDisk::mount() else { return };
    flatrec::install_fault_guard().unwrap();
    let path = disk.path().join("sparse");
    let file = std::fs::File::create_new(&path).unwrap();
    file.set_len(4 << 20).unwrap();
    fill(&disk);
    let mapping = Mapping::open(&path, Access::ReadWrite).unwrap();
    let view = mapping.view_all().unwrap();
    let error = view.write(1 << 20, b"no room").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
    assert_eq!((error.operation(), error.file_path()), ("write", Some(&*path)), "{error}");
    assert_eq!(error.file_offset(), Some(1 << 20), "{error}");
    // Reading a hole through the view faults too, because it needs a page of memory. A read call
    // needs none.
    let mut bytes = [7; 8192];
    view.read(2 << 20, &mut bytes).unwrap();
    assert_eq!(bytes, [0; 8192]);
    give_back(&disk.path().join("filler"));
    view.write(1 << 20, b"room").unwrap();
    assert_eq!(mapping.read_vec(1 << 20..(1 << 20) + 4).unwrap(), b"room");
}

/// Finds an append into a hole that dies of the fault, or counts its record.
#[cfg(not(windows))] // as in the test above
#[test]
fn mapped_appends_into_holes_of_a_full_disk_are_errors_with_the_guard() {
    let Some(disk) = SmallDisk::mount() else { return };
    flatrec::install_fault_guard().unwrap();
    let path = disk.path().join("store");
    let schema = Schema::packed([Field::new("bytes", DataType::Binary(1000))]).unwrap();
    let mut store =
        DynStore::create_options().write_back(WriteBack::Mapped).create(&path, &schema).unwrap();
    store.append_packed(&[1; 10_000]).unwrap();
    store.flush().unwrap();
    store.reserve(2000).unwrap();
    // Removes the reserved space, which a sparse copy of the file would lack.
    disk.shell("fallocate --punch-hole --offset 131072 --length 1900000 disk/store");
    fill(&disk);
    let error = (0..2000).find_map(|_| store.append(&[2; 1000]).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
    assert_eq!((error.operation(), error.file_path()), ("write", Some(&*path)), "{error}");
    let count = store.count();
    assert!(count < 2000, "{count}");
    assert_eq!(store.get(count - 1), Some(&[2; 1000][..]));
    give_back(&disk.path().join("filler"));
    assert_eq!(
        store.append(&[3; 1000]).unwrap(),
        count,
        "the store must continue when the disk has space"
    );
    store.close().unwrap();
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!(store.count(), count + 1);
    assert_eq!(store.get(count), Some(&[3; 1000][..]));
}

/// Finds a maker that fails with SIGBUS, or leaves a store, when the disk has some space but too
/// little. The lock file needs some too.
#[test]
fn a_store_is_made_whole_or_not_at_all_on_a_nearly_full_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let schema = Schema::packed([Field::new("bytes", DataType::Binary(1000))]).unwrap();
    let path = disk.path().join("store");
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![1; 7 << 20]).unwrap();
    let file = std::fs::OpenOptions::new().append(true).open(&filler).unwrap();
    while (&file).write_all(&[1; 4096]).is_ok() {}
    let full = file.metadata().unwrap().len();
    let mut made = Vec::new();
    for spare in (1..49).map(|pages| pages * 4096) {
        file.set_len(full - spare).unwrap();
        let store = DynStore::create(&path, &schema);
        if let Err(error) = &store {
            assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
            assert!(!path.exists(), "the failed maker left its store: {error}");
        }
        made.push(store.is_ok());
        drop(store);
        for file in [path.clone(), disk.path().join("store-lock")] {
            let _ = std::fs::remove_file(file);
        }
        while (&file).write_all(&[1; 4096]).is_ok() {}
    }
    assert!(made.contains(&true) && made.contains(&false), "{made:?}");
}

/// Returns what a commit in `directory` survives, by its receipt.
#[cfg(target_os = "linux")]
fn survives_in(directory: &Path) -> flatrec::Survives {
    let schema = Schema::packed([Field::new("n", DataType::UInt8)]).unwrap();
    let database = DynDatabase::create(directory.join("n.rec"), &schema).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&[1]).unwrap();
    transaction.commit(Durability::Immediate).unwrap().survives()
}

/// A receipt said `Power` on an overlay whose upper layer lay in memory, and on one mounted
/// `volatile`.
#[cfg(target_os = "linux")]
#[test]
fn a_receipt_claims_only_what_is_known_of_the_disk() {
    let _alone = alone();
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let at = |name: &str| home.path().join(name);
    let disk = survives_in(home.path());
    let overlay = |layers: &str, more: &str| {
        format!(
            "mkdir -p lower {layers}/upper {layers}/work && mount -t overlay overlay \
             -o lowerdir=$PWD/lower,upperdir=$PWD/{layers}/upper,workdir=$PWD/{layers}/work{more} m"
        )
    };
    let image = |folder: &str, more: &str| {
        format!(
            "mkdir -p {folder} && truncate -s 16M {folder}/image && \
             mkfs.ext4 -q {folder}/image && mount -o loop{more} {folder}/image m"
        )
    };
    let ram = |then: String| format!("mkdir ram && mount -t tmpfs tmpfs ram && {then}");
    let hidden = "mkdir -p lower up/upper up/work && mount -t overlay overlay -o \
                  lowerdir=lower,upperdir=up/upper,workdir=up/work m";
    let moved = format!("{} && mv up away", overlay("up", ""));
    // Another disk's directory replaces the layer, and has a file of that name.
    let replaced = format!("{moved} && mkdir -p up/upper && echo of another > up/upper/n.rec");
    let xfs = |folder: &str| {
        image(folder, "").replace("16M", "320M").replace("mkfs.ext4 -q", "mkfs.xfs -q")
    };
    for (what, line, survives) in [
        ("in memory", "mount -t tmpfs tmpfs m".to_owned(), flatrec::Survives::Process),
        ("an overlay", overlay("a b", "").replace("a b", "ab"), disk),
        ("a volatile overlay", overlay("up", ",volatile"), flatrec::Survives::Process),
        ("an overlay in memory", ram(overlay("ram", "")), flatrec::Survives::Process),
        ("an overlay by relative paths", hidden.to_owned(), flatrec::Survives::Process),
        ("an overlay whose layer is elsewhere", moved, flatrec::Survives::Process),
        ("an overlay whose layer was replaced", replaced, flatrec::Survives::Process),
        ("a disk in a file", image("files", ""), disk),
        ("a disk in a file in memory", ram(image("ram", "")), flatrec::Survives::Process),
        ("an XFS in a file", xfs("files"), disk),
        ("an XFS in a file in memory", ram(xfs("ram")), flatrec::Survives::Process),
        ("a disk that keeps bytes in its cache", image("files", ",nobarrier"), {
            disk.min(flatrec::Survives::System)
        }),
    ] {
        std::fs::create_dir(at("m")).unwrap();
        let found = match shell(home.path(), &line) {
            Some(Ok(())) => Some(std::panic::catch_unwind(|| survives_in(&at("m")))),
            Some(Err(said)) => {
                skip!("{what}: {said}");
                None
            }
            None => {
                skip!("there is no shell to mount a disk");
                None
            }
        };
        // Lazily, as in `SmallDisk`.
        let _ = shell(home.path(), "umount -l m");
        let _ = shell(home.path(), "umount -l ram");
        shell(home.path(), "rm -rf m ram lower up away ab files").unwrap().unwrap();
        if let Some(found) = found {
            assert_eq!(found.unwrap(), survives, "{what}");
        }
    }
}
