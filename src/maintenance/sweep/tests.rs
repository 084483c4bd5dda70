use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::error::ErrorKind;
use crate::format::{DataType, Field, Header, Schema, new_header};
use crate::io::{Access, FileBacking, Grown, OpenSide, Properties, View};
use crate::maintenance::sweep::*;
use crate::sums::SUM_SUFFIX;

const D: u64 = 65_536;

/// A file with bad sectors, which notes its writes and syncs and those of the file beside it.
#[derive(Debug)]
struct Disk {
    file: Arc<dyn Backing>,
    name: &'static str,
    bad: Vec<Range<u64>>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Disk {
    fn new(path: &Path, bad: &[Range<u64>]) -> Self {
        let file = Arc::new(FileBacking::create_new(path).unwrap());
        Self { file, name: "data", bad: bad.to_vec(), calls: Arc::default() }
    }

    fn note(&self, call: &str) {
        self.calls.lock().unwrap().push(format!("{} {call}", self.name));
    }
}

impl Backing for Disk {
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
        let end = offset + into.len() as u64;
        match self.bad.iter().find(|bad| bad.start < end && offset < bad.end) {
            Some(bad) => Err(Error::new(ErrorKind::Io, "read").offset(bad.start)),
            None => self.file.read_at(offset, into),
        }
    }
    fn write_at(&self, offset: u64, from: &[u8]) -> Result<()> {
        let part = match (self.name, offset) {
            ("data", 0..D) => "header",
            ("data", _) => "records",
            (_, 0) => "stamp",
            _ => "entries",
        };
        self.note(part);
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
        self.note("records");
        self.file.flush_view(view, range)
    }
    fn sync_data(&self) -> Result<()> {
        self.note("sync");
        self.file.sync_data()
    }
    fn sync_full(&self) -> Result<()> {
        self.sync_data()
    }
    fn rename(&self, to: &Path, replace: bool) -> Result<()> {
        self.file.rename(to, replace)
    }
    fn sync_directory(&self) -> Result<()> {
        self.file.sync_directory()
    }
    fn open_side(&self, suffix: &str, how: OpenSide) -> Result<Option<Arc<dyn Backing>>> {
        let Some(file) = self.file.open_side(suffix, how)? else { return Ok(None) };
        let calls = Arc::clone(&self.calls);
        Ok(Some(Arc::new(Self { file, name: "sums", bad: Vec::new(), calls })))
    }
    fn remove_side(&self, suffix: &str) -> Result<()> {
        self.file.remove_side(suffix)
    }
}

/// What a sweep has found, in short: bad blocks, and a letter a record.
#[derive(Default)]
struct Found {
    blocks: Vec<(u64, String)>,
    records: String,
    missing: Option<Range<u64>>,
}

impl Inspect for Found {
    fn bad_block(&mut self, bad: &BadBlock) -> Result<()> {
        self.blocks.push((bad.block, bad.why.clone()));
        Ok(())
    }
    fn record(&mut self, id: u64, record: Swept<'_>) -> Result<()> {
        let letter = match record {
            Swept::Sound(bytes) => {
                assert!(bytes.iter().all(|byte| *byte == id as u8), "record {id}");
                's'
            }
            Swept::Doubtful(_) => 'd',
            Swept::Unreadable => 'u',
        };
        self.records.push(letter);
        Ok(())
    }
    fn missing(&mut self, records: Range<u64>) -> Result<()> {
        self.missing = Some(records);
        Ok(())
    }
}

/// Sweeps 40 records of 8 KiB: 8 a block, 5 blocks, two pages a record.
fn sweep(bad: &[Range<u64>], has_sums: bool, cut: u64) -> Found {
    let directory = tempfile::tempdir().unwrap();
    let mut disk = Disk::new(&directory.path().join("x"), &[]);
    for id in 0..40 {
        disk.write_at(D + id * 8192, &[id as u8; 8192]).unwrap();
    }
    let schema = Schema::packed([Field::new("b", DataType::Binary(8192))]).unwrap();
    let (header, _) = new_header(&schema, &b""[..], false, [7; 16]).unwrap();
    let header = Header { count: 40, live_count: 40, ..header };
    let sums = has_sums.then(|| Sums::create(&disk, SUM_SUFFIX, &header).unwrap());
    disk.bad = bad.to_vec();
    disk.trim(D + 40 * 8192 - cut).unwrap();
    let mut found = Found::default();
    let sweep = Sweep {
        data: &disk,
        geometry: Geometry::new(D, 8192).unwrap(),
        count: 40,
        sums: sums.as_ref(),
        images: None,
        torn: &[],
        beside: None,
    };
    sweep.run(&mut found).unwrap();
    found
}

#[test]
fn a_bad_sector_costs_a_page_and_with_checksums_the_trust_in_its_block() {
    let s = |count| "s".repeat(count);
    let bad = std::slice::from_ref(&(D + 65_536 + 3 * 8192 + 5000..D + 65_536 + 3 * 8192 + 5512));
    let found = sweep(bad, false, 0);
    assert_eq!(found.records, s(11) + "u" + &s(28));
    assert_eq!(found.blocks[0].0, 1);
    assert!(found.blocks[0].1.starts_with("it cannot be read: read at byte"), "{:?}", found.blocks);
    let found = sweep(bad, true, 0);
    assert_eq!((found.records, found.blocks.len()), (s(8) + "dddudddd" + &s(24), 1));
    // A whole block, and the end of the file in the last one.
    let found = sweep(std::slice::from_ref(&(D..D + 65_536)), true, 9000);
    assert_eq!(found.records, "u".repeat(8) + &s(24) + "dddddd");
    assert_eq!(found.missing, Some(38..40));
    let found = sweep(&[], false, 9000);
    assert_eq!((found.records, found.missing), (s(38), Some(38..40)));
}

#[test]
#[allow(unsafe_code, reason = "opening over a backing of one's own is unsafe")]
fn entries_are_synced_after_the_records_and_before_the_header() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::new(&directory.path().join("x"), &[]));
    let schema = Schema::packed([Field::new("b", DataType::Binary(8192))]).unwrap();
    let options = crate::store::DynStore::options().checksums();
    // SAFETY: nobody else has the file.
    let mut store = unsafe { options.create_over(Arc::clone(&disk) as _, &schema) }.unwrap();
    let calls = || {
        let mut calls = std::mem::take(&mut *disk.calls.lock().unwrap());
        // Where room cannot be reserved, zeros are written before the records.
        calls.dedup();
        calls.join(", ")
    };
    calls();
    store.append_packed(&[1; 8 * 8192]).unwrap();
    store.flush().unwrap();
    let flushed = "records, data sync, sums entries, sums stamp, sums sync, data header, data sync";
    assert_eq!(calls(), format!("data {flushed}"));
    let mut edit = store.edit().unwrap();
    edit.set(3, &[9; 8192]).unwrap();
    edit.finish().unwrap();
    let marked = "data header, data sync, data ";
    assert_eq!(calls(), format!("{marked}{flushed}"));
    store.truncate(3).unwrap();
    assert_eq!(
        calls(),
        "sums stamp, sums sync, data header, data sync, data header, data sync, \
         sums entries, sums sync"
    );
}
