//! Commits that share a sync, where the sync fails or panics.
//!
//! Linux reports a failed write-back once for each open file, and the next sync succeeds. So the
//! error that one thread gets must reach every thread that relies on that sync.

#![cfg(feature = "derive")]
#![allow(unsafe_code, reason = "opening over the caller's backing is unsafe")]

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flatrec::map::{Backing, FileBacking, OpenSide};
use flatrec::{Database, Durability, Error};

use crate::support::hooked::{Call, Hook, Hooked, Then};
use crate::support::numbered::N;
use crate::support::script::Script;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Plan {
    None,
    /// The group's sync fails before the next segment is begun.
    GroupFails,
    /// A sync panics.
    Panics,
}

/// Longer than any step of the script takes.
const LONG: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct World {
    plan: Mutex<Plan>,
    script: Script,
    /// The durable bytes of `-wal-1`.
    durable: Mutex<Vec<u8>>,
}

fn eio() -> Result<(), Error> {
    Err(io::Error::from_raw_os_error(5).into())
}

impl Hook for World {
    fn ask(&self, file: &Arc<dyn Backing>, suffix: &str, call: Call<'_>) -> Result<Then, Error> {
        let plan = *self.plan.lock().unwrap();
        match call {
            Call::SyncData if suffix == "-wal-1" => self.sync(&**file, plan).map(|()| Then::Done),
            Call::OpenSide { how: OpenSide::Create, .. } if plan == Plan::GroupFails => {
                self.script.reach("a segment is made");
                self.script.wait("the first commit has returned", LONG);
                Ok(Then::Forward)
            }
            call if call.syncs() => Ok(Then::Done),
            _ => Ok(Then::Forward),
        }
    }
}

impl World {
    fn sync(&self, file: &dyn Backing, plan: Plan) -> Result<(), Error> {
        match plan {
            Plan::None => {
                let mut bytes = vec![0; file.len_bytes()? as usize];
                file.read_at(0, &mut bytes)?;
                *self.durable.lock().unwrap() = bytes;
                Ok(())
            }
            Plan::GroupFails if !self.script.has("the group syncs") => {
                self.script.reach("the group syncs");
                self.script.wait("a segment is made", LONG);
                eio()
            }
            // The kernel has reported the error, so later syncs succeed.
            Plan::GroupFails => Ok(()),
            Plan::Panics => panic!("a panic in a sync"),
        }
    }
}

fn append(database: &Database<N>, records: usize) -> Result<(), Error> {
    let mut transaction = database.begin_write()?;
    transaction.append_slice(&vec![N { n: 7 }; records])?;
    transaction.commit(Durability::Immediate).map(drop)
}

/// Makes a database whose syncs follow a script.
fn scripted(path: &Path) -> (Database<N>, Arc<World>) {
    Database::<N>::create(path).unwrap().close().unwrap();
    let world = Arc::new(World {
        plan: Mutex::new(Plan::None),
        script: Script::default(),
        durable: Mutex::default(),
    });
    // SAFETY: only this test has the file.
    let file = Arc::new(unsafe { FileBacking::open_unchecked(path, true) }.unwrap());
    let backing = Hooked::sharing(file, Arc::clone(&world));
    // SAFETY: only this test has the file.
    let database = unsafe { Database::<N>::options().over(Arc::new(backing)) }.unwrap();
    (database, world)
}

/// Returns whether each commit succeeded, and what a database finds after a power cut.
fn play(plan: Plan) -> (bool, bool, Result<u64, Error>) {
    let live = tempfile::tempdir().unwrap();
    let path = live.path().join("n.rec");
    let (database, world) = scripted(&path);
    append(&database, 3000).unwrap();
    *world.plan.lock().unwrap() = plan;
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            let result = append(&database, 500);
            world.script.reach("the first commit has returned");
            result
        });
        world.script.wait("the group syncs", LONG);
        let second = scope.spawn(|| append(&database, 1000));
        (first.join().unwrap(), second.join().unwrap())
    });
    // The power fails. The disk has the durable bytes of the first segment, and all of the second.
    let dead = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(live.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dead.path().join(entry.file_name())).unwrap();
    }
    fs::write(dead.path().join("n.rec-wal-1"), &*world.durable.lock().unwrap()).unwrap();
    let found = Database::<N>::open(dead.path().join("n.rec"));
    let found = found.map(|database| database.begin_read().unwrap().count());
    (first.is_ok(), second.is_ok(), found)
}

/// Finds a failed sync of several commits after which the log contradicts the header.
#[test]
fn a_failed_group_sync_leaves_a_readable_store() {
    let (first, second, found) = play(Plan::GroupFails);
    assert!(!first && !second);
    assert_eq!(found.map_err(|error| error.to_string()), Ok(3000));
}

/// Finds a panic in a sync that leaves other threads waiting for ever.
#[test]
fn a_panic_in_a_sync_leaves_no_thread_waiting() {
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let live = tempfile::tempdir().unwrap();
        let (database, world) = scripted(&live.path().join("n.rec"));
        append(&database, 10).unwrap();
        *world.plan.lock().unwrap() = Plan::Panics;
        let commit = std::panic::AssertUnwindSafe(|| append(&database, 1));
        assert!(std::panic::catch_unwind(commit).is_err());
        let next = append(&database, 1);
        drop(database);
        done.send(next.is_err()).unwrap();
    });
    assert_eq!(wait.recv_timeout(Duration::from_secs(60)), Ok(true));
}
