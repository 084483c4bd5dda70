//! What the public surface cannot reach: a windowed table over a backing that fails.

#![allow(unsafe_code, reason = "opening over a backing of one's own is unsafe")]

#[cfg(target_os = "linux")]
mod locks;
mod read_beside;
#[cfg(all(feature = "derive", feature = "text"))]
mod seeds;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::array::{Reading, WriteBack};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DataType, Field, Schema};
use crate::io::{Access, Backing, FileBacking, Grown, Properties, View};
use crate::step::{self, Step};
use crate::store::{Aside, DynEdit, DynStore, Table};
use crate::txn::Common;

/// A file whose writes fail while the flag is set.
#[derive(Debug)]
struct Unwritable {
    file: FileBacking,
    broken: AtomicBool,
    /// Whether the name that the file has now is durable.
    name_synced: AtomicBool,
    /// The parts of the file that were handed over from views.
    flushed: Mutex<Vec<Range<u64>>>,
}

impl Unwritable {
    fn new(file: FileBacking) -> Arc<Self> {
        Arc::new(Self {
            file,
            broken: false.into(),
            name_synced: false.into(),
            flushed: Mutex::default(),
        })
    }
}

impl Backing for Unwritable {
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
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Io, "write"));
        }
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
        let at = |lead: usize| view.offset() + lead as u64;
        self.flushed.lock().unwrap().push(at(range.start)..at(range.end));
        self.file.flush_view(view, range)
    }
    fn sync_data(&self) -> Result<()> {
        self.file.sync_data()
    }
    fn sync_full(&self) -> Result<()> {
        self.file.sync_full()
    }
    fn rename(&self, to: &Path, replace: bool) -> Result<()> {
        self.name_synced.store(false, Ordering::Relaxed);
        self.file.rename(to, replace)
    }
    fn sync_directory(&self) -> Result<()> {
        self.name_synced.store(true, Ordering::Relaxed);
        self.file.sync_directory()
    }
}

const PAGE: usize = 4096;

const WINDOWS: Reading = Reading::Windowed { budget_bytes: 1 << 20, window_bytes: 64 << 10 };

/// A store of 64 records of a page each.
fn pages() -> Arc<Unwritable> {
    let backing = Unwritable::new(FileBacking::temporary(0).unwrap());
    let schema = Schema::packed([Field::new("page", DataType::Binary(4096))]).unwrap();
    let common = Common::default();
    // SAFETY: records are bytes, and this test alone has the backing.
    let made = unsafe { Table::<u8>::create_over(Arc::clone(&backing) as _, &schema, &common) };
    let mut table = made.unwrap();
    table.append(&[1; 64 * PAGE], 64).unwrap();
    table.close().unwrap();
    backing
}

fn open(backing: &Arc<Unwritable>, reading: Reading, way: WriteBack) -> Result<Table<u8>> {
    let common = Common { write_back: way, ..Common::default() };
    // SAFETY: records are bytes, and the tests alone have their backings.
    unsafe {
        Table::over(Arc::clone(backing) as _, Access::ReadWrite, reading, &common, |_| Ok(()))
    }
}

/// Reading a record may slide the window, and writes what was changed in it then: a failure of that
/// is one of the edit, not of the reading alone.
#[cfg(unix)] // Windows has no positioned writing
#[test]
fn an_edit_whose_changes_could_not_be_written_to_make_room_does_not_finish() {
    let backing = pages();
    let mut table = open(&backing, WINDOWS, WriteBack::Positioned).unwrap();
    let mut edit = DynEdit::begin(&mut table).unwrap();
    edit.get_mut(0).unwrap().fill(2);
    backing.broken.store(true, Ordering::Relaxed);
    assert_eq!(edit.get(64).unwrap_err().kind(), ErrorKind::OutOfRange);
    assert_eq!(edit.get(0).unwrap(), [2; PAGE], "asking for what there is not harms nothing");
    assert_eq!(edit.get(63).unwrap_err().kind(), ErrorKind::Io);
    backing.broken.store(false, Ordering::Relaxed);
    assert_eq!(edit.get(0).unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(edit.finish().unwrap_err().kind(), ErrorKind::Poisoned);
    drop(table);
    let error = open(&backing, Reading::Whole, WriteBack::Auto).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InterruptedEdit);
}

/// What a system does not find by itself when it syncs has to be flushed while it is mapped.
#[test]
fn changes_in_a_window_are_flushed_before_it_slides() {
    let backing = pages();
    let mut table = open(&backing, WINDOWS, WriteBack::Mapped).unwrap();
    let mut edit = DynEdit::begin(&mut table).unwrap();
    edit.get_mut(1).unwrap().fill(2);
    edit.get(63).unwrap();
    let start = 65_536 + PAGE as u64;
    let flushed = backing.flushed.lock().unwrap().clone();
    assert!(flushed.iter().any(|range| range.start <= start && start + 4096 <= range.end));
    edit.finish().unwrap();
    table.close().unwrap();
}

/// A name stands for a store that is whole: what could not be finished does not get it.
#[test]
fn a_store_made_aside_appears_when_it_is_finished_and_only_then() {
    for broken in [true, false] {
        make_aside(broken);
    }
}

fn make_aside(broken: bool) {
    let directory = tempfile::tempdir().unwrap();
    let (made_at, publish_at) = (directory.path().join("aside"), directory.path().join("store"));
    let backing = Unwritable::new(FileBacking::create_new(&made_at).unwrap());
    let schema = Schema::packed([Field::new("page", DataType::Binary(4096))]).unwrap();
    let common = Common::default();
    // SAFETY: records are bytes, and this test alone has the backing.
    let made = unsafe { Table::<u8>::create_over(Arc::clone(&backing) as _, &schema, &common) };
    let mut table = made.unwrap();
    let file = Arc::new(FileBacking::open_any(&made_at, true).unwrap());
    table.aside = Some(Aside { file, publish_at: publish_at.clone(), replace: false, keep: false });
    table.append(&[1; PAGE], 1).unwrap();
    backing.broken.store(broken, Ordering::Relaxed);
    let closed = table.close();
    if broken {
        assert_eq!(closed.unwrap_err().kind(), ErrorKind::Io);
        // On some systems a name stays for as long as the file is open.
        drop(backing);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    } else {
        closed.unwrap();
        assert!(publish_at.exists() && backing.name_synced.load(Ordering::Relaxed));
    }
}

/// As long as the new store's name is not synced, a power cut may bring back the one before it:
/// which has its checksums until then.
#[test]
fn a_store_that_is_replaced_keeps_its_checksums_until_the_name_is_the_other_ones_for_good() {
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    for checksums in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let (path, sums) = (directory.path().join("store"), directory.path().join("store-sum"));
        let with_sums = DynStore::options().checksums();
        with_sums.clone().create(&path, &schema).unwrap().close().unwrap();
        let before = std::fs::read(&sums).unwrap();
        let options = if checksums { with_sums } else { DynStore::options() };
        let new = options.create_aside(&path, &schema, true).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let at = sums.clone();
        step::at(Step::StoreNameSync, move || tell.send(std::fs::read(at)).unwrap());
        new.close().unwrap();
        assert_eq!(told.try_recv().unwrap().unwrap(), before);
        assert_eq!(std::fs::read(&sums).is_ok(), checksums);
        let left = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, if checksums { 3 } else { 2 }, "the store, its lock and its sums");
    }
}
