use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::error::ErrorKind;
use crate::format::{Counts, DataType, Field, Header, Schema, new_header};
use crate::io::FileBacking;
use crate::io::hooked::{Call, Hook, Hooked, Then};
use crate::sums::SUM_SUFFIX;

const D: u64 = 65_536;

/// A file with bad sectors, which records its writes and syncs and those of its checksum file.
#[derive(Default)]
struct Disk {
    bad: Mutex<Vec<Range<u64>>>,
    calls: Mutex<Vec<String>>,
}

impl Disk {
    fn make(path: &Path) -> Hooked<Self> {
        Hooked::over(Arc::new(FileBacking::create_new(path).unwrap()), Self::default())
    }
}

impl Hook for Disk {
    fn ask(&self, _: &Arc<dyn Backing>, suffix: &str, call: Call<'_>) -> Result<Then> {
        let called = match (suffix, call) {
            ("", Call::Read { offset, len }) => {
                let (bad, end) = (self.bad.lock().unwrap(), offset + len as u64);
                return match bad.iter().find(|bad| bad.start < end && offset < bad.end) {
                    Some(bad) => Err(Error::new(ErrorKind::Io, "read").offset(bad.start)),
                    None => Ok(Then::Forward),
                };
            }
            ("", Call::Write { offset: 0..D, .. }) => "data header",
            ("", Call::Write { .. } | Call::Flush { .. }) => "data records",
            (_, Call::Write { offset: 0, .. }) => "sums stamp",
            (_, Call::Write { .. }) => "sums entries",
            ("", Call::SyncData | Call::SyncFull) => "data sync",
            (_, Call::SyncData | Call::SyncFull) => "sums sync",
            _ => return Ok(Then::Forward),
        };
        self.calls.lock().unwrap().push(called.to_owned());
        Ok(Then::Forward)
    }
}

/// The results of a scan: bad blocks, and one letter for each record.
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
    fn record(&mut self, id: u64, record: ScannedRecord<'_>) -> Result<()> {
        let letter = match record {
            ScannedRecord::Sound(bytes) => {
                assert!(bytes.iter().all(|byte| *byte == id as u8), "record {id}");
                's'
            }
            ScannedRecord::Doubtful(_) => 'd',
            ScannedRecord::Unreadable => 'u',
        };
        self.records.push(letter);
        Ok(())
    }
    fn missing(&mut self, records: Range<u64>) -> Result<()> {
        self.missing = Some(records);
        Ok(())
    }
}

/// Scans 40 records of 8 KiB: 8 in a block, 5 blocks, two pages in a record.
fn scan(bad: &[Range<u64>], has_sums: bool, cut: u64) -> Found {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::make(&directory.path().join("x"));
    for id in 0..40 {
        disk.write_at(D + id * 8192, &[id as u8; 8192]).unwrap();
    }
    let schema = Schema::packed([Field::new("b", DataType::Binary(8192))]).unwrap();
    let (header, _) = new_header(&schema, &b""[..], false, [7; 16]).unwrap();
    let header = Header { counts: Counts { records: 40, live: 40, ..header.counts }, ..header };
    let sums = has_sums.then(|| Sums::create(&disk, SUM_SUFFIX, &header).unwrap());
    *disk.bad.lock().unwrap() = bad.to_vec();
    disk.trim(D + 40 * 8192 - cut).unwrap();
    let mut found = Found::default();
    let scan = Scan {
        data: &disk,
        geometry: Geometry::new(D, 8192).unwrap(),
        count: 40,
        sums: sums.as_ref(),
        images: None,
        mismatched: &[],
        beside: None,
    };
    scan.run(&mut found).unwrap();
    found
}

#[test]
fn a_bad_sector_loses_a_page_and_with_checksums_makes_its_block_doubtful() {
    let s = |count| "s".repeat(count);
    let bad = std::slice::from_ref(&(D + 65_536 + 3 * 8192 + 5000..D + 65_536 + 3 * 8192 + 5512));
    let found = scan(bad, false, 0);
    assert_eq!(found.records, s(11) + "u" + &s(28));
    assert_eq!(found.blocks[0].0, 1);
    assert!(found.blocks[0].1.starts_with("it cannot be read: read at byte"), "{:?}", found.blocks);
    let found = scan(bad, true, 0);
    assert_eq!((found.records, found.blocks.len()), (s(8) + "dddudddd" + &s(24), 1));
    // The first block is unreadable, and the file ends within the last one.
    let found = scan(std::slice::from_ref(&(D..D + 65_536)), true, 9000);
    assert_eq!(found.records, "u".repeat(8) + &s(24) + "dddddd");
    assert_eq!(found.missing, Some(38..40));
    let found = scan(&[], false, 9000);
    assert_eq!((found.records, found.missing), (s(38), Some(38..40)));
}

#[test]
#[allow(unsafe_code, reason = "opening a store over a test's backing is unsafe")]
fn entries_are_synced_after_the_records_and_before_the_header() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::make(&directory.path().join("x")));
    let schema = Schema::packed([Field::new("b", DataType::Binary(8192))]).unwrap();
    let options = crate::store::DynStore::create_options().checksums(true);
    // SAFETY: only this test uses the file.
    let mut store = unsafe { options.create_over(Arc::clone(&disk) as _, &schema) }.unwrap();
    let calls = || {
        let mut calls = std::mem::take(&mut *disk.calls.lock().unwrap());
        // On systems that cannot reserve room, zeros are written before the records.
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
