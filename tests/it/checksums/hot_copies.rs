//! Copies of stores that were open for writing: data file and log may be of different times. Every
//! handle compares records that the log only counts with the log's sums of them.

use super::*;

/// These records take more than a mebibyte: the writer puts them into the array and does not log
/// them.
const BULK: u64 = 12_000;

/// The offset of a record in the data file.
fn at(id: u64) -> usize {
    D + usize::try_from(id).unwrap() * 100
}

/// Appends the records to the array in one commit.
fn append_bulk(database: &DynDatabase, from: u64) {
    let mut transaction = database.begin_write().unwrap();
    let rows: Vec<u8> = (from..from + BULK).flat_map(record).collect();
    assert_eq!(transaction.append_packed(&rows).unwrap(), from..from + BULK);
    transaction.commit(Durability::Immediate).unwrap();
}

fn set(database: &DynDatabase, id: u64, value: u64) {
    let mut transaction = database.begin_write().unwrap();
    transaction.set(id, &record(value)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
}

/// Makes a database `x` that checkpoints only on request.
fn database(place: &Place, checksums: bool) -> DynDatabase {
    let options = DynDatabase::create_options().checkpoint_at(1 << 30).checksums(checksums);
    options.create(place.path("x"), &schema()).unwrap()
}

/// Copies the files of `x`, with `data` for its data file, to another place.
fn copy(place: &Place, data: &[u8]) -> (Place, PathBuf) {
    let to = Place::new();
    for name in place.files().iter().filter(|name| !name.ends_with("-lock")) {
        std::fs::copy(place.path(name), to.path(name)).unwrap();
    }
    let path = to.path("x");
    std::fs::write(&path, data).unwrap();
    (to, path)
}

fn data(place: &Place) -> Vec<u8> {
    std::fs::read(place.path("x")).unwrap()
}

/// Checks that the copy opens and has these records.
#[track_caller]
fn holds(path: &Path, expected: impl Fn(u64) -> u64, count: u64) {
    let store = DynStore::open_read_only(path).unwrap();
    assert_eq!(store.count(), count);
    let wrong = (0..count).find(|&id| store.get(id) != Some(&record(expected(id))[..]));
    assert_eq!(wrong, None);
}

/// Checks that every handle refuses the copy, with an error that names the first of these records
/// and the advice.
#[track_caller]
fn is_refused(path: &Path, commit: u64, ids: Range<u64>) {
    let refusals = [
        DynStore::open_read_only(path).unwrap_err(),
        DynDatabase::open_read_only(path).unwrap_err(),
        DynStore::open(path).unwrap_err(),
        DynDatabase::open(path).unwrap_err(),
        flatrec::backup(path, path.with_extension("copy"), Default::default()).unwrap_err(),
    ];
    for error in refusals {
        assert_eq!((error.kind(), error.record_number()), (ErrorKind::Corrupt, Some(ids.start)));
        let text = error.to_string();
        let names =
            format!("records {}..{} are not those that commit {commit}", ids.start, ids.end);
        assert!(text.contains(&names), "{text}");
        assert!(text.contains("flatrec backup") && text.contains("salvage"), "{text}");
    }
}

/// A log counted 40,000 records in the array of a copied data file, which did not have them yet.
/// They read as zeros, and verify found no problem.
#[test]
fn a_copy_whose_data_is_older_than_its_log_is_refused_and_salvaged() {
    for checksums in [true, false] {
        let place = Place::new();
        let database = database(&place, checksums);
        append_bulk(&database, 0);
        let mut old = data(&place);
        append_bulk(&database, BULK);
        append_bulk(&database, 2 * BULK);
        // The file may have grown ahead of its records.
        old.resize(data(&place).len(), 0);
        // The copy has the end of the third commit, which was being written.
        let end = at(3 * BULK) - 10_000;
        old[end..].copy_from_slice(&data(&place)[end..]);
        let (to, path) = copy(&place, &old);
        is_refused(&path, 2, BULK..2 * BULK);

        let report = verify(&path, flatrec::VerifyOptions::new()).unwrap();
        let doubted: Vec<Option<u64>> = report.problems.iter().map(|doubt| doubt.record).collect();
        assert_eq!(doubted, [Some(BULK), Some(2 * BULK)], "{:?}", report.problems);
        let saved = to.path("saved");
        let report = salvage(&path, &saved, SalvageOptions::new()).unwrap();
        assert_eq!(report.lost[0].records.start, BULK);
        assert!(report.lost[0].why.contains("are not those that commit 2"), "{:?}", report.lost);
        assert_eq!((report.saved, report.lost_records()), (BULK, 2 * BULK));
        holds(&saved, |id| id, BULK);

        // A truncated file is reported as truncated, and salvage saves as many records.
        old.truncate(at(BULK + 10));
        let (to, path) = copy(&place, &old);
        let kind = DynStore::open_read_only(&path).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::Truncated);
        let report = salvage(&path, to.path("saved"), SalvageOptions::new()).unwrap();
        assert_eq!((report.saved, report.lost_records()), (BULK, 2 * BULK));
        assert!(verify(&path, flatrec::VerifyOptions::new()).unwrap().problems_found >= 3);
    }
}

/// Finds an order of writes in which a copy of one moment looks damaged or cannot be opened.
#[test]
fn a_copy_of_one_moment_opens_and_says_which_records_have_sums() {
    for checksums in [true, false] {
        let place = Place::new();
        let database = database(&place, checksums);
        append_bulk(&database, 0);
        database.checkpoint().unwrap();
        append_bulk(&database, BULK);
        let (_to, path) = copy(&place, &data(&place));
        holds(&path, |id| id, 2 * BULK);
        let report = verify(&path, flatrec::VerifyOptions::new()).unwrap();
        assert_eq!(
            (report.problems_found, report.summed_in_log),
            (0, BULK),
            "{:?}",
            report.problems
        );
        assert_eq!(report.unsummed, if checksums { 0 } else { BULK });
        let info = DynStore::open_read_only(&path).unwrap().info().unwrap();
        assert_eq!(info.unsummed, report.unsummed);
        // A writer that opens the copy sums the counted bytes.
        DynDatabase::open(&path).unwrap().close().unwrap();
        let report = verify(&path, flatrec::VerifyOptions::new()).unwrap();
        assert_eq!((report.problems_found, report.summed_in_log), (0, 0), "{:?}", report.problems);
        assert_eq!(report.unsummed, if checksums { 0 } else { 2 * BULK });
        holds(&path, |id| id, 2 * BULK);
    }
}

/// Finds a handle that takes the work of an interrupted checkpoint for damage, or overlooks damage
/// beside it. Records that a later commit changes may be old or new.
#[test]
fn records_of_an_interrupted_checkpoint_are_not_damage() {
    let place = Place::new();
    let database = database(&place, true);
    append_bulk(&database, 0);
    for id in [3, 5000, BULK - 1] {
        set(&database, id, id + 7);
    }
    let changed = |id| if [3, 5000, BULK - 1].contains(&id) { id + 7 } else { id };
    let before = data(&place);
    let (_to, path) = copy(&place, &before);
    holds(&path, changed, BULK);
    // No sum covers these pieces of the records.
    let unsummed = verify(&path, flatrec::VerifyOptions::new()).unwrap().unsummed;
    assert!((1000..2500).contains(&unsummed), "{unsummed}");

    let mut cut_short = before.clone();
    cut_short[at(3)..at(4)].copy_from_slice(&record(10));
    cut_short[at(5000)..at(5000) + 50].copy_from_slice(&record(5007)[..50]);
    let (_to, path) = copy(&place, &cut_short);
    holds(&path, changed, BULK);
    DynDatabase::open(&path).unwrap().close().unwrap();
    holds(&path, changed, BULK);

    let mut torn = cut_short;
    torn[at(2000)] ^= 1;
    let (_to, path) = copy(&place, &torn);
    // The piece of 64 KiB. Its first record begins in the piece before it.
    is_refused(&path, 1, 1966..2622);
}

/// Long appends are not logged, so the log never grew enough for a checkpoint. After a kill
/// millions of records had no checksums.
#[test]
fn long_appends_count_towards_a_checkpoint() {
    let place = Place::new();
    let options = DynDatabase::create_options().checksums(true).checkpoint_at(3 << 20);
    let database = options.create(place.path("x"), &schema()).unwrap();
    for commit in 0..12 {
        append_bulk(&database, commit * BULK);
    }
    let counted = |place: &Place| {
        let (_to, path) = copy(place, &data(place));
        let info = DynStore::open_read_only(&path).unwrap().info().unwrap();
        assert_eq!(info.committed_count, 12 * BULK);
        let report = verify(&path, flatrec::VerifyOptions::new()).unwrap();
        assert_eq!((report.problems_found, report.unsummed), (0, 0), "{:?}", report.problems);
        let Checksums::Present { blocks } = report.checksums else { panic!("{report:?}") };
        (blocks * BLOCK as u64 / 100, report.summed_in_log)
    };
    let (in_blocks, in_log) = counted(&place);
    assert!(in_blocks >= 9 * BULK && in_log <= 3 * BULK, "{in_blocks} and {in_log}");
    // A snapshot holds this checkpoint back as it does others.
    let snapshot = database.begin_read().unwrap();
    for commit in 12..24 {
        append_bulk(&database, commit * BULK);
    }
    assert_eq!(snapshot.count(), 12 * BULK);
    drop(snapshot);
    append_bulk(&database, 24 * BULK);
    database.checkpoint().unwrap();
    let (_to, path) = copy(&place, &data(&place));
    assert_eq!(verify(&path, flatrec::VerifyOptions::new()).unwrap().summed_in_log, 0);
    drop(database);
}

/// Earlier versions wrote logs that count records in the array without sums of them. Finds a handle
/// that refuses such a log, or does not say that the records have no sums.
#[test]
fn a_log_without_sums_is_read_and_reported() {
    let place = Place::new();
    let database = database(&place, true);
    append_bulk(&database, 0);
    let (to, path) = copy(&place, &data(&place));
    let segment = to.path("x-wal-1");
    let mut bytes = std::fs::read(&segment).unwrap();
    // Clears the sums of the first frame: bytes 104 to 127 of its head, and the rest of its sector.
    bytes[512 + 104..1024].fill(0);
    let crc = crc32c::crc32c(&bytes[512 + 8..512 + 128]);
    bytes[512 + 4..512 + 8].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&segment, &bytes).unwrap();
    holds(&path, |id| id, BULK);
    let report = verify(&path, flatrec::VerifyOptions::new()).unwrap();
    assert_eq!((report.problems_found, report.unsummed, report.summed_in_log), (0, BULK, 0));
    DynDatabase::open(&path).unwrap().close().unwrap();
    assert_eq!(verify(&path, flatrec::VerifyOptions::new()).unwrap().unsummed, 0);

    // The rest of a frame's last sector has no sums if it is damaged. The sums in the head remain.
    let (to, path) = copy(&place, &data(&place));
    let mut bytes = std::fs::read(to.path("x-wal-1")).unwrap();
    bytes[512 + 130] ^= 1;
    std::fs::write(to.path("x-wal-1"), &bytes).unwrap();
    holds(&path, |id| id, BULK);
    assert_eq!(verify(&path, flatrec::VerifyOptions::new()).unwrap().summed_in_log, 1310);
}

/// Finds a handle that reads a hole of terabytes to sum it. Linux says where holes lie.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_counts_a_hole_of_terabytes_costs_no_time() {
    let place = Place::new();
    let database = database(&place, false);
    append_bulk(&database, 0);
    let (to, path) = copy(&place, &data(&place));
    let segment = to.path("x-wal-1");
    let mut bytes = std::fs::read(&segment).unwrap();
    let count = (1_u64 << 42) / 100;
    // Both counts, the length of the summed records, and one sum of all, for a piece of 2^42 bytes.
    for (at, number) in [(56, count), (64, count), (112, count * 100), (104, 1 | 42 << 16)] {
        bytes[512 + at..512 + at + 8].copy_from_slice(&number.to_le_bytes());
    }
    let crc = crc32c::crc32c(&bytes[512 + 8..512 + 128]);
    bytes[512 + 4..512 + 8].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&segment, &bytes).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(D as u64 + count * 100).unwrap();
    let start = std::time::Instant::now();
    is_refused(&path, 1, 0..count);
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}
