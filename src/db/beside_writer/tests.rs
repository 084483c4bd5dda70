//! A reader that is overtaken by the writer in the midst of reading.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use super::{Needed, OVERTAKEN_TIMES, reader_locks, take_up};
use crate::db::core::Core;
use crate::db::engine;
use crate::db::locks::Locks;
use crate::db::sharing::{Presence, store_word};
use crate::error::Result;
use crate::map::{Access, Backing, FileBacking, Grown, OpenSide, Properties, View, Wait};
use crate::{Database, Durability, PodRecord};

/// A commit of three of them fills a large part of a log's smallest segment.
type Row = PodRecord<[u64; 512]>;

fn store(count: usize) -> (tempfile::TempDir, PathBuf, Database<Row>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.rec");
    let options = Database::<Row>::options().checkpoint_at(64 << 10);
    let database = options.create(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for _ in 0..count {
        transaction.append(&PodRecord([0; 512])).unwrap();
    }
    transaction.commit(Durability::Eventual).unwrap();
    (directory, path, database)
}

/// Commits `number` as all there is in every record.
fn commit(database: &Database<Row>, number: u64) {
    let mut transaction = database.begin_write().unwrap();
    for id in 0..transaction.count() {
        transaction.set(id, &PodRecord([number; 512])).unwrap();
    }
    transaction.commit(Durability::Eventual).unwrap();
}

fn open(path: &Path) -> (Arc<FileBacking>, Locks) {
    let file = Arc::new(FileBacking::open(path, false).unwrap());
    let locks = reader_locks(path, &file, Wait::No).unwrap();
    (file, locks)
}

/// The segment that the header names may end with the very commit up to which the array holds
/// everything: only what comes behind is needed, and that it does is known from that segment.
#[test]
fn a_log_is_there_for_whom_it_was_promised_wherever_its_segments_end() {
    let (_directory, path, database) = store(3);
    let mut number = 0;
    for round in 0..12 {
        let (file, locks) = open(&path);
        let core = Core::open(file as _).unwrap();
        let presence = Presence::new(locks, store_word(core.header().file_id)).unwrap();
        let (mark, published) = presence.mark();
        let _needed = Needed(&presence);
        assert!(presence.need(core.header().commit + 1, mark), "nothing has gone on");
        for _ in 0..40 {
            number += 1;
            commit(&database, number);
            database.checkpoint().unwrap();
        }
        let found = engine::read_log_through(&core, 1, published);
        assert!(found.is_ok(), "round {round}: {}", found.err().unwrap());
        number += 1;
        commit(&database, number);
    }
}

/// A file in front of whose log, whenever somebody looks for it, the writer goes on, so far that
/// nothing is left of what there was: no reader may make it keep as much.
#[derive(Debug)]
struct Overtaken {
    file: Arc<FileBacking>,
    database: Database<Row>,
    /// How often a checkpoint was made meanwhile, and how often it was not.
    made: AtomicU64,
    kept_away: AtomicU64,
}

impl Backing for Overtaken {
    fn path(&self) -> Option<PathBuf> {
        self.file.path()
    }
    fn properties(&self) -> &Properties {
        self.file.properties()
    }
    fn len_bytes(&self) -> Result<u64> {
        self.file.len_bytes()
    }
    fn allocated_bytes(&self) -> Result<u64> {
        self.file.allocated_bytes()
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.file.read_at(offset, into)
    }
    fn write_at(&self, offset: u64, from: &[u8]) -> Result<()> {
        self.file.write_at(offset, from)
    }
    fn grow(&self, len_bytes: u64) -> Result<Grown> {
        self.file.grow(len_bytes)
    }
    fn trim(&self, len_bytes: u64) -> Result<()> {
        self.file.trim(len_bytes)
    }
    fn view(&self, offset: u64, len_bytes: usize, access: Access) -> Result<View> {
        self.file.view(offset, len_bytes, access)
    }
    fn flush_view(&self, view: &View, range: Range<usize>) -> Result<()> {
        self.file.flush_view(view, range)
    }
    fn sync_data(&self) -> Result<()> {
        self.file.sync_data()
    }
    fn sync_full(&self) -> Result<()> {
        self.file.sync_full()
    }
    fn rename(&self, to: &Path, replace: bool) -> Result<()> {
        self.file.rename(to, replace)
    }
    fn sync_directory(&self) -> Result<()> {
        self.file.sync_directory()
    }
    fn open_side(&self, suffix: &str, how: OpenSide) -> Result<Option<Arc<dyn Backing>>> {
        self.file.open_side(suffix, how)
    }
    fn list_sides(&self) -> Result<Vec<String>> {
        for _ in 0..4 {
            let number = self.database.begin_read().commit() + 1;
            commit(&self.database, number);
            let made = self.database.checkpoint()?.held_back().is_none();
            let count = if made { &self.made } else { &self.kept_away };
            count.fetch_add(1, SeqCst);
        }
        self.file.list_sides()
    }
}

#[test]
fn who_is_overtaken_again_and_again_keeps_the_writer_from_it_for_a_while() {
    // Three commits are more than is kept for a reader, and less than a segment may have.
    let (_directory, path, database) = store(768);
    let (file, locks) = open(&path);
    let (made, kept_away) = Default::default();
    let overtaken = Arc::new(Overtaken { file, database, made, kept_away });
    let mut core = Core::open(Arc::clone(&overtaken) as _).unwrap();
    let (found, hold) = take_up(&mut core, &locks, 1).unwrap();
    let (found, hold) = (found.unwrap(), hold.unwrap());
    assert!(overtaken.made.load(SeqCst) >= 4 * u64::from(OVERTAKEN_TIMES) - 4, "{overtaken:?}");
    assert!(overtaken.kept_away.load(SeqCst) > 0, "{overtaken:?}");
    assert_eq!(found.commit, hold.taken().commit);
    assert_eq!(found.overlay.find(500), None, "the array has been kept as it was");
    let mut first = [0; 8];
    core.backing()
        .read_at(engine::Layout::of(&core, 1).unwrap().geometry.offset_of(500).unwrap(), &mut first)
        .unwrap();
    assert_eq!(u64::from_le_bytes(first), found.commit);
    // It is kept from nothing any more, but for what is held.
    drop(hold);
    assert_eq!(overtaken.database.checkpoint().unwrap().held_back(), None);
}
