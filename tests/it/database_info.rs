//! `info` of databases: every handle tells the same of one store, without a wait for anything, and
//! a database counts what it has done.

#![cfg(feature = "derive")]
#![allow(unsafe_code, reason = "opening over the caller's backing is unsafe")]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use flatrec::map::{Access, Backing, FileBacking};
use flatrec::{
    Checksums, CommitId, DataType, Database, Durability, DynDatabase, DynStore, Error, ErrorKind,
    Field, ReadableDatabase, Result, Schema, SlotInfo, Store, StoreInfo,
};

use crate::support::hooked::{Call, Hooked, Then};
use crate::support::numbered::{N, add, try_add};
use crate::support::script::{Script, ends_within};

/// Longer than any step of a script takes.
const LONG: Duration = Duration::from_secs(20);

/// A new database with deletes and checksums, whose log has commits after a checkpoint.
fn busy(directory: &Path) -> (PathBuf, DynDatabase) {
    let path = directory.join("n.rec");
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let options = DynDatabase::create_options().deletes(true).checksums(true).metadata("of mine");
    let database = options.create(&path, &schema).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append_packed(&[7; 8 * 20_000]).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    database.checkpoint().unwrap();
    for id in 0..3 {
        let mut transaction = database.begin_write().unwrap();
        assert!(transaction.delete(id).unwrap());
        transaction.set(id + 10, &[8; 8]).unwrap();
        transaction.commit(Durability::Eventual).unwrap();
    }
    (path, database)
}

/// What all handles must tell alike, as text.
fn common(info: &StoreInfo) -> String {
    let StoreInfo { path, count, live_count, deletes, free_head, committed_count, .. } = info;
    let StoreInfo { record_size, stride, metadata_len_bytes, data_offset, .. } = info;
    let StoreInfo { file_len_bytes, allocated_bytes, sequence, commit_id, .. } = info;
    let StoreInfo { array_commit_id, log, writer, file_id, slots, editing, .. } = info;
    let StoreInfo { checksums, unsummed, damaged, damaged_blocks, file_system, .. } = info;
    // Only the writer knows which frames its checkpoints have covered.
    let log = log.as_ref().map(|log| (log.commits, log.records, log.segments));
    let log = format!("{log:?}");
    format!(
        "{path:?} {count} {live_count} {deletes} {free_head:?} {committed_count} {record_size} \
         {stride} {metadata_len_bytes} {data_offset} {file_len_bytes} {allocated_bytes} {sequence} \
         {commit_id} {array_commit_id} {log} {writer:?} {file_id:?} {slots:?} {editing} \
         {checksums:?} {unsummed} {damaged:?} {damaged_blocks} {file_system}"
    )
}

fn info(database: &impl ReadableDatabase) -> StoreInfo {
    database.info().unwrap()
}

/// Finds a fact that handles of one store tell differently.
#[test]
fn every_handle_tells_the_same_of_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let (path, database) = busy(directory.path());
    // Windows counts a page as resident when this process has read it.
    assert_eq!(database.begin_read().unwrap().iter().count(), 19_997);
    let own = info(&database);
    assert_eq!((own.count, own.live_count, own.free_head), (20_000, 19_997, Some(2)));
    assert_eq!((own.commit_id.get(), own.array_commit_id.get()), (4, 1));
    assert_eq!((own.access, own.metadata_len_bytes), (Access::ReadWrite, 7));
    let log = own.log.clone().unwrap();
    assert_eq!((log.commits, log.records), (3, 6));
    assert_eq!(own.checksums, Checksums::Present { blocks: 3 });
    assert!(own.residency.unwrap().resident_pages > 0 && own.mapped_bytes >= own.file_len_bytes);
    assert_eq!((own.readers.len(), own.windows), (0, None));

    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!(common(&own), common(&store.info().unwrap()));
    let longer = store.info().unwrap().log.unwrap().len_bytes;
    assert!(log.len_bytes == 3 * 512 && longer > 8 * 20_000, "{log:?}, {longer}");
    drop(store);
    let reader = DynDatabase::open_read_only(&path).unwrap();
    let theirs = info(&reader);
    assert_eq!(common(&own), common(&theirs));
    assert_eq!(theirs.access, Access::ReadOnly);
    assert_eq!((theirs.checkpoints, theirs.activity), (None, None), "a reader does nothing");

    // The reader follows, and each sees the other.
    let snapshot = reader.begin_read().unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.insert(&[9; 8]).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let own = info(&database);
    assert_eq!(common(&own), common(&info(&reader)));
    assert_eq!((own.readers.len(), own.readers[0].oldest), (1, Some(CommitId::from(4))));
    assert!(info(&reader).readers.is_empty(), "a handle is no other reader to itself");
    drop(snapshot);

    database.checkpoint().unwrap();
    let own = info(&database);
    assert_eq!((own.array_commit_id, own.log.as_ref().unwrap().commits), (own.commit_id, 0));
    assert_eq!(common(&own), common(&info(&reader)));
    let in_force = own.slots.iter().filter(|slot| match slot {
        SlotInfo::Valid { sequence, .. } => *sequence == own.sequence,
        _ => false,
    });
    assert_eq!(in_force.count(), 1, "{:?}", own.slots);

    database.close().unwrap();
    let after = info(&reader);
    assert_eq!((after.writer, after.log), (None, None));
    assert_eq!((after.count, after.commit_id), (own.count, own.commit_id));
}

/// Finds an `info` of a store that shows its header slots as they were when it was opened.
#[test]
fn a_store_shows_the_slots_that_it_wrote() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    let mut store = Store::<N>::create(&path).unwrap();
    for count in 1..4 {
        store.append(&N { n: 1 }).unwrap();
        store.flush().unwrap();
        let info = store.info().unwrap();
        let newest = SlotInfo::Valid { sequence: info.sequence, count };
        assert!(info.slots.contains(&newest), "{:?}", info.slots);
        assert_eq!(info.array_commit_id, info.commit_id);
    }
}

/// Finds an `info` that waits for a transaction, or fails beside one.
#[test]
fn info_waits_for_no_transaction() {
    ends_within(LONG, || {
        let directory = tempfile::tempdir().unwrap();
        let (_, database) = busy(directory.path());
        let before = common(&info(&database));
        let mut transaction = database.begin_write().unwrap();
        transaction.append(&[1; 8]).unwrap();
        assert_eq!(common(&info(&database)), before);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(common(&info(&database)), before)).join().unwrap();
        });
        transaction.commit(Durability::Immediate).unwrap();
        assert_eq!((info(&database).count, info(&database).live_count), (20_001, 19_998));
    });
}

/// A database over a file that asks the hook before each call, in a new directory.
fn over_hook<H>(path: &Path, hook: H) -> Database<N>
where
    H: Fn(&str, Call<'_>) -> Result<Then> + Send + Sync + 'static,
{
    Store::<N>::create(path).unwrap().close().unwrap();
    // SAFETY: only this test has the file.
    let file = Arc::new(unsafe { FileBacking::open_unchecked(path, true) }.unwrap());
    let hook = move |_: &Arc<dyn Backing>, suffix: &str, call: Call<'_>| hook(suffix, call);
    // SAFETY: only this test has the file.
    unsafe { Database::<N>::options().over(Arc::new(Hooked::over(file, hook))) }.unwrap()
}

/// Finds an `info` that waits for the sync of a commit, or for a checkpoint.
#[test]
fn info_waits_for_no_sync() {
    ends_within(6 * LONG, || {
        let directory = tempfile::tempdir().unwrap();
        let script = Arc::new(Script::default());
        let (stops, asked) = (Arc::new(AtomicBool::new(false)), Arc::clone(&script));
        let stopped = Arc::clone(&stops);
        let database = over_hook(&directory.path().join("n.rec"), move |suffix, call| {
            if call.name() == "sync data" && stopped.load(Relaxed) {
                let (begun, ended) = match suffix {
                    "" => ("the checkpoint syncs", "info came beside the checkpoint"),
                    _ => ("the commit syncs", "info came beside the commit"),
                };
                asked.reach(begun);
                asked.wait(ended, LONG);
            }
            Ok(Then::Forward)
        });
        add(&database, 1);
        stops.store(true, Relaxed);
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                add(&database, 2);
                database.checkpoint().unwrap();
            });
            script.wait("the commit syncs", LONG);
            let info = database.info().unwrap();
            assert_eq!((info.count, info.commit_id.get()), (1, 1), "readers do not see it yet");
            script.reach("info came beside the commit");
            script.wait("the checkpoint syncs", LONG);
            let info = database.info().unwrap();
            assert_eq!((info.count, info.array_commit_id.get()), (2, 0));
            assert_eq!(info.checkpoints.unwrap().made, 0);
            script.reach("info came beside the checkpoint");
            writing.join().unwrap();
        });
        assert_eq!(database.info().unwrap().checkpoints.unwrap().made, 1);
    });
}

fn eio() -> Error {
    io::Error::from_raw_os_error(5).into()
}

/// Finds a count that leaves something out, or counts it twice.
#[test]
fn a_database_counts_what_it_has_done() {
    let directory = tempfile::tempdir().unwrap();
    let written = Arc::new(AtomicU64::new(0));
    let full = Arc::new(AtomicBool::new(false));
    let (counted, is_full) = (Arc::clone(&written), Arc::clone(&full));
    let path = directory.path().join("n.rec");
    let database = over_hook(&path, move |suffix, call| match call {
        // The first sector of the log's first segment is written with its zeros, not by a commit.
        Call::Write { bytes, offset: 512.. } if suffix == "-wal-1" => {
            counted.fetch_add(bytes.len() as u64, Relaxed);
            Ok(Then::Forward)
        }
        Call::Grow { .. } if is_full.load(Relaxed) => {
            Err(io::Error::from(io::ErrorKind::StorageFull).into())
        }
        _ => Ok(Then::Forward),
    });
    let activity = || database.info().unwrap().activity.unwrap();
    assert_eq!(activity(), Default::default());

    add(&database, 1);
    for _ in 0..3 {
        let mut transaction = database.begin_write().unwrap();
        transaction.append(&N { n: 2 }).unwrap();
        transaction.commit(Durability::Eventual).unwrap();
    }
    let now = activity();
    assert_eq!((now.commits, now.aborted, now.log_syncs, now.largest_group), (4, 0, 1, 1));
    add(&database, 3);
    let now = activity();
    assert_eq!((now.commits, now.log_syncs, now.largest_group), (5, 2, 4), "one sync for four");

    // Without a change there is no commit, and nothing was aborted.
    database.begin_write().unwrap().commit(Durability::Immediate).unwrap();
    assert_eq!(activity(), now);
    assert_eq!(now.log_written_bytes, written.load(Relaxed));
    let len_bytes = database.info().unwrap().log.unwrap().len_bytes;
    assert_eq!(now.log_written_bytes, len_bytes, "one segment has all frames");

    drop(database.begin_write().unwrap());
    assert_eq!(activity().aborted, 1);
    drop(database.begin_write_owned().unwrap());
    let panics = catch_unwind(AssertUnwindSafe(|| {
        let _transaction = database.begin_write().unwrap();
        panic!("a panic within a transaction");
    }));
    assert!(panics.is_err());
    assert_eq!(activity().aborted, 3);
    full.store(true, Relaxed);
    let mut large = database.begin_write().unwrap();
    large.append_slice(&vec![N { n: 4 }; 20_000]).unwrap();
    assert_eq!(large.commit(Durability::Immediate).unwrap_err().kind(), ErrorKind::NoSpace);
    full.store(false, Relaxed);
    let running = database.begin_write().unwrap();
    assert_eq!((activity().aborted, activity().commits), (4, 5), "that one has not ended");
    drop(running);
    assert_eq!(activity().aborted, 5);

    database.close().unwrap();
    let reopened = Database::<N>::open(&path).unwrap();
    assert_eq!(reopened.info().unwrap().activity.unwrap(), Default::default());
}

/// Finds a checkpoint that is counted though it copied nothing, or is not counted.
#[test]
fn a_database_counts_its_checkpoints() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::<N>::create(directory.path().join("n.rec")).unwrap();
    (0..5).for_each(|n| add(&database, n));
    database.checkpoint().unwrap();
    let checkpoints = database.info().unwrap().checkpoints.unwrap();
    assert_eq!((checkpoints.made, checkpoints.records), (1, 5));
    assert!(checkpoints.total_time >= checkpoints.longest && !checkpoints.longest.is_zero());
    database.checkpoint().unwrap();
    assert_eq!(database.info().unwrap().checkpoints.unwrap().made, 1, "nothing was left to copy");
    add(&database, 5);
    database.checkpoint().unwrap();
    let again = database.info().unwrap().checkpoints.unwrap();
    assert_eq!((again.made, again.records), (2, 6));
    assert!(again.total_time >= checkpoints.total_time && again.longest >= checkpoints.longest);
}

/// Finds an `info` that hides why the log grows.
#[test]
fn info_tells_what_holds_checkpoints_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    let database = Database::<N>::create(&path).unwrap();
    add(&database, 1);
    let reader = Database::<N>::open_read_only(&path).unwrap();
    let snapshot = reader.begin_read().unwrap();
    add(&database, 2);
    let held_back = database.checkpoint().unwrap().held_back().map(str::to_owned);
    let info = database.info().unwrap();
    assert!(held_back.as_ref().unwrap().contains("has read commit 1"), "{held_back:?}");
    assert_eq!((info.array_commit_id.get(), info.commit_id.get()), (1, 2));
    assert_eq!(info.checkpoints.unwrap().held_back, held_back);
    drop(snapshot);
    database.checkpoint().unwrap();
    assert_eq!(database.info().unwrap().checkpoints.unwrap().held_back, None);
}

/// Finds an `info` that fails, or hides the failure, after a handle is poisoned.
#[test]
fn info_tells_why_a_handle_is_poisoned() {
    let directory = tempfile::tempdir().unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&broken);
    let database = over_hook(&directory.path().join("n.rec"), move |_, call| {
        if call.syncs() && asked.load(Relaxed) { Err(eio()) } else { Ok(Then::Forward) }
    });
    add(&database, 1);
    broken.store(true, Relaxed);
    database.checkpoint().unwrap_err();
    assert_eq!(try_add(&database, 2).unwrap_err().kind(), ErrorKind::Poisoned);
    let info = database.info().unwrap();
    assert_eq!((info.count, info.array_commit_id.get()), (1, 0));
    let failure = info.checkpoints.unwrap().failure;
    let said = std::io::Error::from_raw_os_error(5).to_string();
    assert!(failure.as_ref().unwrap().contains(&said), "{failure:?}");
    assert_eq!(failure, database.checkpoint_failure());
    assert_eq!(info.activity.unwrap().aborted, 0, "no transaction could begin");
}

/// Finds records of an earlier writer's log that `info` forgets or counts twice.
#[test]
fn info_tells_of_a_recovered_log() {
    let directory = tempfile::tempdir().unwrap();
    let (path, database) = busy(directory.path());
    let before = info(&database).log.unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let to = path.with_file_name(name.replace("n.rec", "dead.rec"));
        if !name.ends_with("-lock") {
            std::fs::copy(path.with_file_name(name), to).unwrap();
        }
    }
    let recovered = DynDatabase::open(path.with_file_name("dead.rec")).unwrap();
    let info = recovered.info().unwrap();
    let log = info.log.unwrap();
    assert_eq!((log.commits, log.records, log.len_bytes), (3, 6, before.len_bytes));
    assert_eq!((info.unsummed, info.activity.unwrap()), (0, Default::default()));
    recovered.checkpoint().unwrap();
    let info = recovered.info().unwrap();
    assert_eq!((info.log.unwrap().commits, info.checkpoints.unwrap().made), (0, 1));
}
