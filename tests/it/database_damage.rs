//! What users do to the files of a killed database: truncate them, remove them, replace them. Every
//! handle must name the fault, and no handle may show an older state.

#![allow(unsafe_code, reason = "opening over a backing of one's own is unsafe")]

use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use flatrec::map::{Backing, FileBacking, OpenSide};
use flatrec::{Database, Durability, Error, ErrorKind, PodRecord, Store, WindowedStore};

use crate::support::files::set_len;
use crate::support::hooked::{Call, Hooked, Then};

type Row = PodRecord<[u64; 16]>;

const ROWS: u64 = 300;

/// A store with a live log, copied with all its files as a kill would leave it.
struct Killed {
    directory: tempfile::TempDir,
}

impl Killed {
    /// Makes a store with this many commits in the log, all of them synced.
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
        Self { directory: living }.copy() // the handle lives until the copy is made
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

    /// The path of the segment with that number, which must exist.
    fn segment(&self, number: u64) -> PathBuf {
        let path = self.directory.path().join(format!("store-wal-{number}"));
        assert!(path.exists(), "{}", path.display());
        path
    }

    /// Checks that each way to open the store fails with these words.
    fn refused(&self, kind: ErrorKind, words: &str) {
        let path = self.path();
        let errors: [Error; 5] = [
            Store::<Row>::open_read_only(&path).unwrap_err(),
            Store::<Row>::open_private(&path).unwrap_err(),
            WindowedStore::<Row>::read_options()
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

/// Finds a handle that maps past the end of a truncated data file.
#[test]
fn a_truncated_data_file_is_reported() {
    let killed = Killed::new(4);
    killed.opens_with(4);
    let len_bytes = |count| 65_536 + count * 128;
    set_len(&killed.path(), len_bytes(ROWS + 1) - 1);
    killed.refused(ErrorKind::Truncated, "the log counts 301 records");
    set_len(&killed.path(), len_bytes(ROWS) - 1);
    killed.refused(ErrorKind::Truncated, "300 records");
}

/// Finds a database that shows older records after its log was deleted.
#[test]
fn a_missing_log_is_an_error() {
    let killed = Killed::new(4);
    let segment = std::fs::read(killed.segment(1)).unwrap();
    std::fs::remove_file(killed.segment(1)).unwrap();
    killed.refused(ErrorKind::Corrupt, "the log that the header names is missing");
    // The refused handles have changed nothing: with its log the store opens.
    std::fs::write(killed.directory.path().join("store-wal-1"), segment).unwrap();
    killed.opens_with(4);
}

/// Finds a replay that skips commits or ends early without an error.
#[test]
fn a_missing_segment_in_the_middle_is_an_error() {
    let killed = Killed::new(60);
    killed.opens_with(60);
    std::fs::remove_file(killed.segment(2)).unwrap();
    killed.refused(ErrorKind::Corrupt, "was synced and is damaged");
}

/// Finds a replay of another store's log.
#[test]
fn another_store_s_log_is_refused() {
    let (killed, other) = (Killed::new(4), Killed::new(4));
    std::fs::copy(other.segment(1), killed.segment(1)).unwrap();
    killed.refused(ErrorKind::Corrupt, "it belongs to another store");
}

/// Finds a replay of a log that was restored without its data file.
#[test]
fn an_older_log_of_the_same_store_is_refused() {
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

/// A segment has its final length before its first frame is written. Finds a replay that takes a
/// truncated segment for the torn end of the log.
#[test]
fn a_truncated_segment_is_damage() {
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
        println!("segment {number} truncated to {cut_to}");
        let killed = whole.copy();
        set_len(&killed.segment(number), cut_to);
        killed.refused(ErrorKind::Corrupt, words);
    }
}

/// Finds a writer that lets a commit number wrap to zero.
#[test]
fn a_header_with_the_highest_numbers_is_refused() {
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

/// A damaged page may read as zeros. Finds a handle that then uses the other slot, which is older
/// than the log, and forgets the log beside it.
#[test]
fn a_header_slot_of_zeros_does_not_hide_the_log() {
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

/// Finds a replay that ends the log at a segment without its first page, which held the header and
/// the first frame. The later frames show that it had commits.
#[test]
fn a_lost_first_page_of_the_last_segment_is_damage() {
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

/// Finds a handle that calls a file that ends within its schema damaged, or reads past its end.
#[test]
fn a_file_that_ends_within_its_schema_is_truncated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    Database::<Row>::create(&path).unwrap().close().unwrap();
    let whole = std::fs::read(&path).unwrap();
    // The schema has one field.
    let end = 8192 + 64;
    for len in [8192, 8193, end - 1] {
        std::fs::write(&path, &whole[..len]).unwrap();
        let error = Database::<Row>::open_read_only(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{len}: {error}");
        assert_eq!(error.file_offset(), Some(end as u64), "{len}: {error}");
    }
}

/// Opens the store for transactions; `asked` comes before each segment that recovery makes.
fn opened_while(
    killed: &Killed,
    asked: impl Fn() -> Result<Then, Error> + Send + Sync + 'static,
) -> Result<Database<Row>, Error> {
    let hook = move |_: &Arc<dyn Backing>, suffix: &str, call: Call<'_>| match call {
        Call::OpenSide { how: OpenSide::Create, .. } if suffix.is_empty() => asked(),
        _ => Ok(Then::Forward),
    };
    // SAFETY: only this handle opens the copy.
    let file = unsafe { FileBacking::open_unchecked(killed.path(), true) }.unwrap();
    // SAFETY: as above.
    unsafe { Database::<Row>::options().over(Arc::new(Hooked::over(Arc::new(file), hook))) }
}

/// Recovery reads the log a second time when it copies or keeps it. Finds a writer that shows
/// commits which its own log lacks.
#[test]
fn a_log_that_changes_while_a_writer_opens_the_store_is_refused() {
    for refusal in [None, Some(io::ErrorKind::StorageFull)] {
        let killed = Killed::new(3);
        let segment = killed.segment(1);
        let bytes = std::fs::read(&segment).unwrap();
        let is_used = |sector: &[u8]| sector.iter().any(|&byte| byte != 0);
        let last = 512 * bytes.chunks(512).rposition(is_used).unwrap() as u64;
        let opened = opened_while(&killed, move || {
            let mut file = std::fs::OpenOptions::new().write(true).open(&segment).unwrap();
            file.seek(SeekFrom::Start(last)).unwrap();
            file.write_all(&[0; 512]).unwrap();
            refusal.map_or(Ok(Then::Forward), |kind| Err(io::Error::from(kind).into()))
        });
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("the log changed while it was read"), "{error}");
        let database = Database::<Row>::open(killed.path()).unwrap();
        assert_eq!(
            database.begin_read().unwrap().count(),
            ROWS,
            "the last commit is gone from the disk"
        );
    }
}

/// Finds a writer that writes the log over itself although there is room for a copy.
#[test]
fn a_log_is_written_over_itself_only_where_a_copy_has_no_room() {
    let killed = Killed::new(3);
    let opened = opened_while(&killed, || Err(io::Error::other("not now").into()));
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(error.to_string().contains("not now"), "{error}");
    let database = Database::<Row>::open(killed.path()).unwrap();
    assert_eq!(database.begin_read().unwrap().count(), ROWS + 1);
}

/// Finds an opening that copies all records of the log to the array: its user waits for as long as
/// the log is large.
#[test]
fn a_store_that_was_killed_opens_with_the_commits_still_in_its_log() {
    let killed = Killed::new(3);
    let log = || Store::<Row>::open_read_only(killed.path()).unwrap().info().unwrap().log.unwrap();
    let before = log();
    assert_eq!((before.commits, before.records), (3, 41));
    let database = Database::<Row>::open(killed.path()).unwrap();
    assert_eq!((log().commits, log().records), (3, 41));
    assert_eq!(database.checkpoint().unwrap().records(), 41);
}
