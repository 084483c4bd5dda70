//! Checks of stores with forged logs.

use std::path::PathBuf;

use crate::db::DynDatabase;
use crate::format::checksum::crc32c;
use crate::format::{DataType, Field, Schema};
use crate::maintenance::{SalvageOptions, salvage, verify};
use crate::store::DynStore;
use crate::txn::Durability;

/// The first frame of a segment, and offsets in it.
const FRAME: usize = 512;
const COUNT: usize = 56;
const LIVE_COUNT: usize = 64;

fn put(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

/// A store with one record in the array, and a second in a log that claims to count `records`.
fn with_forged_count(directory: &tempfile::TempDir, records: u64) -> PathBuf {
    let (path, log) = (directory.path().join("x"), directory.path().join("x-wal-1"));
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let mut store = DynStore::create(&path, &schema).unwrap();
    store.append(&[1; 8]).unwrap();
    store.close().unwrap();
    let database = DynDatabase::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&[2; 8]).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let data = std::fs::read(&path).unwrap();
    let mut bytes = std::fs::read(&log).unwrap();
    drop(database);

    put(&mut bytes, FRAME + COUNT, records);
    put(&mut bytes, FRAME + LIVE_COUNT, records);
    let len = u64::from_le_bytes(bytes[FRAME + 8..FRAME + 16].try_into().unwrap());
    let end = FRAME + 128 + usize::try_from(len).unwrap();
    let crc = crc32c(&bytes[FRAME + 8..end]);
    bytes[FRAME + 4..FRAME + 8].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&path, data).unwrap();
    std::fs::write(&log, bytes).unwrap();
    path
}

#[test]
fn a_log_that_counts_more_records_than_a_file_can_hold_is_lost() {
    for records in [1 << 60, (1 << 61) + 7, u64::MAX] {
        let directory = tempfile::tempdir().unwrap();
        let path = with_forged_count(&directory, records);
        let report = verify(&path, flatrec::VerifyOptions::new()).unwrap();
        let problems: Vec<String> = report.problems.iter().map(|it| it.to_string()).collect();
        let expected = format!("it counts {records} records, more than a file can hold");
        assert!(problems.iter().any(|it| it.contains(&expected)), "{problems:?}");
        assert_eq!((report.records, report.unsummed, report.summed_in_log), (1, 1, 0));

        let out = directory.path().join("saved");
        let report = salvage(&path, &out, SalvageOptions::new()).unwrap();
        assert!(report.log_lost);
        assert_eq!((report.saved, report.lost_records()), (1, 0));
    }
}

#[test]
fn a_log_that_counts_more_records_than_its_file_has_is_a_problem() {
    let directory = tempfile::tempdir().unwrap();
    let path = with_forged_count(&directory, 1 << 40);
    let report = verify(&path, flatrec::VerifyOptions::new()).unwrap();
    let problems: Vec<String> = report.problems.iter().map(|it| it.to_string()).collect();
    let expected = format!("the log counts {} records, up to byte ", 1u64 << 40);
    assert!(problems.iter().any(|it| it.starts_with(&expected)), "{problems:?}");
    // All records but the one with an image in the log.
    assert_eq!(report.unsummed, (1 << 40) - 1);
}
