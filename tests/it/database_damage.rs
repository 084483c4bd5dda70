//! What a user may do to the files of a database that was killed: cut them, remove them, put others
//! in their places. Every handle says what is wrong, and none comes up with an older state.

use std::path::PathBuf;

use flatrec::{Database, Durability, Error, ErrorKind, PodRecord, Store, WindowedStore};

use crate::support::files::set_len;

type Row = PodRecord<[u64; 16]>;

const ROWS: u64 = 300;

/// A store with a live log, as a process that was killed leaves it: a copy of all files.
struct Killed {
    directory: tempfile::TempDir,
}

impl Killed {
    /// With so many commits in the log, all of them synced.
    fn new(commits: u64) -> Self {
        let living = tempfile::tempdir().unwrap();
        let database = Database::<Row>::create(living.path().join("store")).unwrap();
        let commit = |ids: std::ops::Range<u64>, n| {
            let mut transaction = database.begin_write().unwrap();
            for id in ids {
                if id == transaction.count() {
                    transaction.append(&PodRecord([n; 16])).unwrap();
                } else {
                    transaction.set(id, &PodRecord([n; 16])).unwrap();
                }
            }
            transaction.commit(Durability::Immediate).unwrap();
        };
        commit(0..ROWS, 0);
        database.checkpoint().unwrap();
        for n in 1..commits {
            commit(0..40, n);
        }
        commit(ROWS..ROWS + 1, commits);
        Self { directory: living }.copy() // the handle is there until the copy is made
    }

    fn copy(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.directory.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), directory.path().join(entry.file_name())).unwrap();
        }
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// The path of the segment with that number, which is there.
    fn segment(&self, number: u64) -> PathBuf {
        let path = self.directory.path().join(format!("store-wal-{number}"));
        assert!(path.exists(), "{}", path.display());
        path
    }

    /// Asserts that each way to open the store fails with these words.
    fn refused(&self, kind: ErrorKind, words: &str) {
        let path = self.path();
        let errors: [Error; 5] = [
            Store::<Row>::open_read_only(&path).unwrap_err(),
            Store::<Row>::open_private(&path).unwrap_err(),
            WindowedStore::<Row>::options()
                .max_mapped_bytes(1 << 20)
                .window_bytes(1 << 16)
                .open_read_only(&path)
                .unwrap_err(),
            Database::<Row>::open(&path).unwrap_err(),
            Store::<Row>::open(&path).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), kind, "{error}");
            let text = error.to_string();
            assert!(text.contains(words), "{text}");
            assert!(text.contains("store"), "{text}");
        }
    }

    fn opens_with(&self, commits: u64) {
        let store = Store::<Row>::open_read_only(self.path()).unwrap();
        assert_eq!(store.count(), ROWS + 1);
        assert_eq!(store.get(ROWS), Some(&PodRecord([commits; 16])));
        assert_eq!(store.get(39), Some(&PodRecord([commits - 1; 16])));
    }
}

/// Finds an open that maps past the end of a data file that was cut.
#[test]
fn a_data_file_that_was_cut_is_truncated() {
    let killed = Killed::new(4);
    killed.opens_with(4);
    let len_bytes = |count| 65_536 + count * 128;
    set_len(&killed.path(), len_bytes(ROWS + 1) - 1);
    killed.refused(ErrorKind::Truncated, "the log counts 301 records");
    set_len(&killed.path(), len_bytes(ROWS) - 1);
    killed.refused(ErrorKind::Truncated, "300 records");
}

/// Finds a database that opens with older records after its log was deleted.
#[test]
fn a_missing_log_is_an_error() {
    let killed = Killed::new(4);
    let segment = std::fs::read(killed.segment(1)).unwrap();
    std::fs::remove_file(killed.segment(1)).unwrap();
    killed.refused(ErrorKind::Corrupt, "the log that the header names is missing");
    // The refused opening has changed nothing: with its log the store opens.
    std::fs::write(killed.directory.path().join("store-wal-1"), segment).unwrap();
    killed.opens_with(4);
}

/// Finds replay that skips commits, or ends early without an error.
#[test]
fn a_segment_in_the_middle_that_is_gone_is_missed() {
    let killed = Killed::new(60);
    killed.opens_with(60);
    std::fs::remove_file(killed.segment(2)).unwrap();
    killed.refused(ErrorKind::Corrupt, "was synced and is damaged");
}

/// Finds replay of a log that belongs to another store.
#[test]
fn another_stores_log_is_not_taken() {
    let (killed, other) = (Killed::new(4), Killed::new(4));
    std::fs::copy(other.segment(1), killed.segment(1)).unwrap();
    killed.refused(ErrorKind::Corrupt, "it belongs to another store");
}

/// Finds replay of a log that was restored without its data file.
#[test]
fn an_older_log_of_the_same_store_is_not_taken() {
    let killed = Killed::new(4);
    let older = std::fs::read(killed.segment(1)).unwrap();
    let database = Database::<Row>::open(killed.path()).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(0, &PodRecord([99; 16])).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let copy = Killed { directory: tempfile::tempdir().unwrap() };
    std::fs::copy(killed.path(), copy.path()).unwrap();
    std::fs::write(copy.directory.path().join("store-wal-1"), older).unwrap();
    copy.refused(ErrorKind::Corrupt, "but the header names another segment");
}

/// Segments have their final length before their first frame is written: a cut segment is never a
/// torn end, wherever it was cut.
#[test]
fn a_segment_that_was_cut_is_damaged() {
    let whole = Killed::new(60);
    assert!(!whole.directory.path().join("store-wal-4").exists());
    for (number, cut_to, words) in [
        (1, 0, "but the header names another segment"),
        (1, 100, "but the header names another segment"),
        (1, 511, "but the header names another segment"),
        (1, 512, "store-wal-2 was begun after it"),
        (1, 20_000, "was synced and is damaged"),
        (1, 65_535, "the file was cut"),
        (3, 20_000, " bytes to 20000"),
        (3, 100_000, " bytes to 100000"),
        (3, 262_143, " bytes to 262143"),
    ] {
        println!("segment {number} cut to {cut_to}");
        let killed = whole.copy();
        set_len(&killed.segment(number), cut_to);
        killed.refused(ErrorKind::Corrupt, words);
    }
}

/// Finds a commit number that wraps to zero.
#[test]
fn a_header_at_the_end_of_its_numbers_is_refused() {
    let killed = Killed::new(2);
    Database::<Row>::open(killed.path()).unwrap().close().unwrap();
    let whole = std::fs::read(killed.path()).unwrap();
    let claim = |at: usize, number: u64| {
        let mut bytes = whole.clone();
        for slot in [0, 4096] {
            bytes[slot + at..slot + at + 8].copy_from_slice(&number.to_le_bytes());
            let crc = crc32c::crc32c(&bytes[slot..slot + 508]);
            bytes[slot + 508..slot + 512].copy_from_slice(&crc.to_le_bytes());
        }
        std::fs::write(killed.path(), bytes).unwrap();
    };
    for (at, what) in [(64, "sequence"), (128, "commit")] {
        for number in [1 << 63, u64::MAX - 1, u64::MAX] {
            claim(at, number);
            killed.refused(
                ErrorKind::Corrupt,
                &format!("the header claims an impossible {what}, {number}"),
            );
        }
        claim(at, (1 << 63) - 1);
        killed.opens_with(2);
    }
}

/// A page that reads as zeros is as good as one of any other bytes: the other slot is from before
/// the log, and there the log is.
#[test]
fn a_header_slot_of_zeros_makes_no_log_forgotten() {
    for byte in [0xFF, 0] {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("store");
        let mut store = Store::<Row>::create(&path).unwrap();
        store.append_slice(&[PodRecord([0; 16]); ROWS as usize]).unwrap();
        store.close().unwrap();
        let database = Database::<Row>::open(&path).unwrap();
        let mut transaction = database.begin_write().unwrap();
        transaction.append(&PodRecord([1; 16])).unwrap();
        transaction.commit(Durability::Immediate).unwrap();
        let killed = Killed { directory: place }.copy();
        let mut bytes = std::fs::read(killed.path()).unwrap();
        let sequence =
            |slot: usize| u64::from_le_bytes(bytes[slot + 64..][..8].try_into().unwrap());
        let newest = if sequence(4096) > sequence(0) { 4096 } else { 0 };
        bytes[newest..newest + 4096].fill(byte);
        std::fs::write(killed.path(), bytes).unwrap();
        killed.refused(ErrorKind::Corrupt, "a header slot is damaged");
    }
}

/// A segment whose first page is lost, with header and first block, is known by the blocks behind.
#[test]
fn the_lost_first_page_of_the_last_segment_is_no_end_of_the_log() {
    let whole = Killed::new(60);
    for (fill, len) in [(Some(0), 4096), (Some(0xFF), 4096), (None, 4096), (Some(0), 1024)] {
        let killed = whole.copy();
        let mut bytes = std::fs::read(killed.segment(3)).unwrap();
        match fill {
            Some(byte) => bytes[..len].fill(byte),
            None => bytes.copy_within(len..2 * len, 0),
        }
        std::fs::write(killed.segment(3), bytes).unwrap();
        killed.refused(ErrorKind::Corrupt, "was synced and is damaged");
    }
}

/// Finds a file that ends within its schema and is called damaged, or is read past its end.
#[test]
fn a_file_that_ends_within_its_schema_is_truncated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    Database::<Row>::create(&path).unwrap().close().unwrap();
    let whole = std::fs::read(&path).unwrap();
    // One field.
    let end = 8192 + 64;
    for len in [8192, 8193, end - 1] {
        std::fs::write(&path, &whole[..len]).unwrap();
        let error = Database::<Row>::open_read_only(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{len}: {error}");
        assert_eq!(error.file_offset(), Some(end as u64), "{len}: {error}");
    }
}
