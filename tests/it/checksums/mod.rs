//! Checksums of records: handles find flipped bytes, salvage saves sound records, and checksums
//! left by crashes, copies and other stores are recognised.

mod cut_short;
mod doubted;
mod flips;
mod hot_copies;
mod salvaged;
mod synced;

use std::fs::OpenOptions;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flatrec::{
    Checksums, DataType, Durability, DynDatabase, DynStore, ErrorKind, Field, SalvageOptions,
    Schema, VerifyOptions, WriteBack, rebuild_checksums, salvage, verify,
};
use proptest::prelude::*;

const BLOCK: usize = 65_536;
const D: usize = 65_536;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Makes a closed store `x` with checksums and records `0..count` of 100 bytes.
    fn store(&self, count: u64) -> PathBuf {
        let path = self.path("x");
        let mut store =
            DynStore::create_options().checksums(true).create(&path, &schema()).unwrap();
        append(&mut store, 0..count);
        store.close().unwrap();
        path
    }
}

fn schema() -> Schema {
    Schema::packed([Field::new("bytes", DataType::Binary(100))]).unwrap()
}

fn record(n: u64) -> [u8; 100] {
    std::array::from_fn(|at| (n as u8).wrapping_mul(7) ^ at as u8 ^ (n >> 8) as u8)
}

fn append(store: &mut DynStore, ids: Range<u64>) {
    let bytes: Vec<u8> = ids.flat_map(record).collect();
    store.append_packed(&bytes).unwrap();
}

fn flip(path: &Path, offset: usize, mask: u8) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[offset] ^= mask;
    std::fs::write(path, bytes).unwrap();
}

fn poke(path: &Path, offset: usize, byte: u8) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(offset as u64)).unwrap();
    file.write_all(&[byte]).unwrap();
}

#[track_caller]
fn clean(path: &Path, blocks: u64) {
    let report = verify(path, VerifyOptions::new()).unwrap();
    assert_eq!((report.problems, report.checksums), (vec![], Checksums::Present { blocks }));
}

/// Whether docs/FORMAT.md calls the byte reserved in this store.
fn is_reserved(offset: usize, end_of_schema: usize) -> bool {
    (512..4096).contains(&offset)
        || (4608..8192).contains(&offset)
        || (end_of_schema..D).contains(&offset)
}

const MASKS: [u8; 3] = [0x01, 0x80, 0xFF];
/// The distance between changed bytes. It is larger under Wine, where each verification takes
/// milliseconds.
const EVERY: usize = if cfg!(windows) { 13 } else { 1 };

/// Finds a byte of a store that neither a checksum nor a rule covers.
#[test]
fn every_flipped_byte_is_found_or_reserved() {
    let place = Place::new();
    let path = place.path("small");
    let schema = Schema::packed([
        Field::new("id", DataType::UInt32),
        Field::new("flag", DataType::Bool),
        Field::new("note", DataType::Utf8(12)).nullable(),
        Field::new("a name that is longer than the forty bytes it has", DataType::Float64),
    ])
    .unwrap();
    let options = DynStore::create_options().checksums(true).metadata("some of the user's own");
    let mut store = options.create(&path, &schema).unwrap();
    store.append_packed(&vec![0; 12 * schema.record_size() as usize]).unwrap();
    store.close().unwrap();
    let records = |path: &Path| {
        let store = DynStore::open_read_only(path).unwrap();
        store.iter().map(|(_, record)| record.to_vec()).collect::<Vec<_>>()
    };
    let before = records(&path);
    let whole = std::fs::read(&path).unwrap();
    // 4 fields, one long name, the metadata.
    let end_of_schema = 8192 + 4 * 64 + 49 + 22;
    let sums_path = place.path("small-sum");
    let sums = std::fs::read(&sums_path).unwrap();
    assert_eq!(sums.len(), 512 + 8);
    for (file, bytes) in [(&path, &whole), (&sums_path, &sums)] {
        for (at, &byte) in bytes.iter().enumerate().step_by(EVERY) {
            let reserved = file == &path && is_reserved(at, end_of_schema);
            // The many reserved bytes are all alike.
            if reserved && at % (EVERY * 64) != 0 {
                continue;
            }
            for mask in MASKS {
                poke(file, at, byte ^ mask);
                let report = verify(&path, VerifyOptions::new()).unwrap();
                let name = file.display();
                if reserved {
                    assert_eq!(report.problems, [], "{name}, byte {at} ^ {mask:#x}");
                    assert_eq!(records(&path), before, "{name}, byte {at} ^ {mask:#x}");
                } else {
                    assert!(report.problems_found > 0, "{name}, byte {at} ^ {mask:#x}");
                }
            }
            poke(file, at, byte);
        }
    }
    clean(&path, 1);
}

/// Finds a report that names the wrong bytes or records.
#[test]
fn damage_is_named_by_block_bytes_and_records() {
    let place = Place::new();
    let path = place.store(3000);
    clean(&path, 5);
    flip(&path, D + 3 * BLOCK + 77, 0x20);
    let report = verify(&path, VerifyOptions::new()).unwrap();
    assert_eq!(report.problems_found, 1);
    assert_eq!(report.problems[0].offset, Some((D + 3 * BLOCK) as u64));
    assert_eq!(
        report.problems[0].what,
        "block 3, bytes 262144..327680, records 1966..2622: it does not match its checksum"
    );
}

/// Finds a writer that stops updating checksums, or makes some unasked.
#[test]
fn stores_say_whether_they_have_checksums() {
    let place = Place::new();
    let path = place.path("x");
    DynStore::create(&path, &schema()).unwrap().close().unwrap();
    assert_eq!(place.files(), ["x", "x-lock"]);
    assert_eq!(verify(&path, VerifyOptions::new()).unwrap().checksums, Checksums::Absent);
    let rebuilt = rebuild_checksums(&path).unwrap();
    assert_eq!((rebuilt.blocks, rebuilt.before, rebuilt.mismatched), (0, Checksums::Absent, 0));
    assert_eq!(place.files(), ["x", "x-lock", "x-sum"]);
    // From now on every writer updates the checksums.
    let mut store = DynStore::open(&path).unwrap();
    append(&mut store, 0..1000);
    assert_eq!(store.info().unwrap().checksums, Checksums::Present { blocks: 0 });
    store.close().unwrap();
    clean(&path, 2);
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!(store.info().unwrap().checksums, Checksums::Present { blocks: 2 });
    let made = DynStore::create_options().checksums(true).temporary(&schema());
    assert_eq!(made.unwrap_err().kind(), ErrorKind::Unsupported);
}

/// Finds a rebuild that fails because of the damage, or that overwrites a user's file.
#[test]
fn rebuilding_takes_the_records_as_they_are() {
    let place = Place::new();
    let path = place.store(3000);
    flip(&path, D + BLOCK, 1);
    flip(&path, D + 2 * BLOCK, 1);
    let rebuilt = rebuild_checksums(&path).unwrap();
    assert_eq!((rebuilt.blocks, rebuilt.mismatched), (5, 2));
    clean(&path, 5);
    flip(&path.with_file_name("x-sum"), 100, 1);
    let report = verify(&path, VerifyOptions::new()).unwrap();
    assert!(matches!(report.checksums, Checksums::Damaged(_)), "{:?}", report.checksums);
    assert_eq!(report.problems_found, 1);
    assert!(matches!(rebuild_checksums(&path).unwrap().before, Checksums::Damaged(_)));
    clean(&path, 5);
    assert_eq!(place.files(), ["x", "x-lock", "x-sum"]);
    // Rebuilding needs the writer's lock, and leaves a user's file alone.
    let writer = DynStore::open(&path).unwrap();
    assert_eq!(rebuild_checksums(&path).unwrap_err().kind(), ErrorKind::Locked);
    writer.close().unwrap();
    std::fs::write(place.path("x-sum"), "a file of mine").unwrap();
    assert_eq!(rebuild_checksums(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    let options = DynStore::create_options().checksums(true);
    let error = options.create_aside(&path, &schema(), true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(place.path("x-sum")).unwrap(), b"a file of mine");
}

/// Finds a store that believes the checksums of the store that it replaced.
#[test]
fn a_new_store_does_not_use_the_checksums_of_the_replaced_one() {
    let place = Place::new();
    let path = place.store(1000);
    let old_sums = std::fs::read(place.path("x-sum")).unwrap();
    let replace = |checksums: bool, count| {
        let options = DynStore::create_options().checksums(checksums);
        let mut store = options.create_aside(&path, &schema(), true).unwrap();
        append(&mut store, 0..count);
        store.close().unwrap();
    };
    replace(true, 50);
    clean(&path, 1);
    let new_sums = std::fs::read(place.path("x-sum")).unwrap();
    // Power failed between the two renames: the new store has the old checksums, or none.
    std::fs::write(place.path("x-sum"), &old_sums).unwrap();
    let report = verify(&path, VerifyOptions::new()).unwrap();
    assert_eq!((report.checksums, report.problems_found), (Checksums::Foreign, 1));
    let mut store = DynStore::open(&path).unwrap();
    assert_eq!(store.info().unwrap().checksums, Checksums::Foreign);
    append(&mut store, 50..60);
    store.close().unwrap();
    assert_eq!(
        std::fs::read(place.path("x-sum")).unwrap(),
        old_sums,
        "a handle changed the old store's checksums"
    );
    // New checksums that a later change did not update are stale too.
    std::fs::write(place.path("x-sum"), &new_sums).unwrap();
    assert_eq!(verify(&path, VerifyOptions::new()).unwrap().checksums, Checksums::Stale);
    assert_eq!(rebuild_checksums(&path).unwrap().before, Checksums::Stale);
    clean(&path, 1);
    replace(false, 50);
    assert_eq!(place.files(), ["x", "x-lock"]);
    // A new store that is dropped and not closed leaves the old checksums in place.
    replace(true, 10);
    let options = DynStore::create_options().checksums(true);
    drop(options.create_aside(&path, &schema(), true).unwrap());
    assert_eq!(place.files(), ["x", "x-lock", "x-sum"]);
    clean(&path, 1);
}

/// Finds a handle that believes checksums which a writer by another name did not update.
#[test]
fn checksums_are_stale_after_a_writer_by_another_name() {
    let place = Place::new();
    let path = place.store(1000);
    let alias = place.path("alias");
    std::fs::hard_link(&path, &alias).unwrap();
    let mut store = DynStore::open(&alias).unwrap();
    append(&mut store, 0..1);
    store.close().unwrap();
    assert_eq!(verify(&path, VerifyOptions::new()).unwrap().checksums, Checksums::Stale);
}

/// Finds an edit that sums a damaged block anew, which makes the damage look sound.
#[test]
fn an_edit_sums_its_changes_and_refuses_to_hide_damage() {
    for way in [WriteBack::Auto, WriteBack::Mapped] {
        let place = Place::new();
        let path = place.store(3000);
        flip(&path, D + 2 * BLOCK + 500, 0x40);
        let mut store = DynStore::options().write_back(way).open(&path).unwrap();
        let mut edit = store.edit().unwrap();
        for id in [0, 655, 2999] {
            edit.set(id, &record(id + 1)).unwrap();
        }
        let error = edit.set(1400, &record(0)).unwrap_err();
        assert_eq!((error.kind(), error.record_number()), (ErrorKind::Corrupt, Some(1310)));
        assert!(error.to_string().contains("block 2, bytes 196608..262144"), "{error}");
        edit.set(1, &record(2)).unwrap();
        edit.finish().unwrap();
        append(&mut store, 3000..3010);
        store.close().unwrap();
        let report = verify(&path, VerifyOptions::new()).unwrap();
        assert_eq!(report.problems_found, 1, "{:?}", report.problems);
        assert_eq!(report.problems[0].offset, Some((D + 2 * BLOCK) as u64));
        let store = DynStore::open_read_only(&path).unwrap();
        assert_eq!(store.get(655).unwrap(), record(656));
    }
}

/// Finds a store that calls half-edited records sound.
#[test]
fn an_interrupted_edit_makes_the_checksums_invalid() {
    let place = Place::new();
    let path = place.store(1000);
    let mut store = DynStore::open(&path).unwrap();
    let mut edit = store.edit().unwrap();
    edit.set(3, &record(4)).unwrap();
    edit.flush().unwrap();
    // Copies the files as a kill would leave them.
    let copy = place.path("killed");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(place.path("x-sum"), place.path("killed-sum")).unwrap();
    edit.finish().unwrap();
    store.close().unwrap();

    let report = verify(&copy, VerifyOptions::new()).unwrap();
    assert_eq!(report.checksums, Checksums::Present { blocks: 2 });
    let whats: Vec<&str> = report.problems.iter().map(|doubt| doubt.what.as_str()).collect();
    assert!(whats[0].contains("interrupted"), "{whats:?}");
    assert!(whats[1].contains("block 0"), "{whats:?}");
    assert_eq!(whats.len(), 2, "{whats:?}");
    assert_eq!(rebuild_checksums(&copy).unwrap_err().kind(), ErrorKind::InterruptedEdit);
    DynStore::options().accept_interrupted_edit(true).open(&copy).unwrap().close().unwrap();
    let report = verify(&copy, VerifyOptions::new()).unwrap();
    assert_eq!((report.checksums, report.problems_found), (Checksums::Absent, 0));
    rebuild_checksums(&copy).unwrap();
    clean(&copy, 2);
}

/// Runs the steps on a database, and checks its store and its checksums.
fn transact(place: &Place, steps: &[(u8, u16)], deletes: bool) {
    let path = place.path("x");
    let options = || DynDatabase::options().checkpoint_at(50_000);
    let create = DynDatabase::create_options().checksums(true).deletes(deletes);
    let create = create.checkpoint_at(50_000);
    let mut database = create.create(&path, &schema()).unwrap();
    let mut model: Vec<Option<[u8; 100]>> = Vec::new();
    for (step, n) in steps {
        let mut transaction = database.begin_write().unwrap();
        for n in u64::from(*n)..u64::from(*n) + 200 {
            let id = n * 31 % (model.len() as u64 + 1);
            match model.get_mut(id as usize) {
                Some(Some(old)) if deletes && n % 7 == 0 => {
                    assert!(transaction.delete(id).unwrap(), "{old:?}");
                    model[id as usize] = None;
                }
                Some(Some(old)) if n % 3 == 0 => {
                    *old = record(n);
                    transaction.set(id, &record(n)).unwrap();
                }
                _ => {
                    assert_eq!(transaction.append(&record(n)).unwrap(), model.len() as u64);
                    model.push(Some(record(n)));
                }
            }
        }
        transaction.commit(Durability::Immediate).unwrap();
        match step % 4 {
            0 => drop(database.checkpoint().unwrap()),
            1 => {
                database.close().unwrap();
                database = options().open(&path).unwrap();
            }
            2 => {
                // A store without transactions brings the log to the array.
                database.close().unwrap();
                DynStore::open(&path).unwrap().close().unwrap();
                database = options().open(&path).unwrap();
            }
            _ => {}
        }
        let live = model.iter().flatten().count() as u64;
        let report = verify(&path, VerifyOptions::new()).unwrap();
        assert_eq!((report.problems, report.records), (vec![], live));
        assert!(matches!(report.checksums, Checksums::Present { .. }), "{:?}", report.checksums);
        killed(place, &path, &model);
    }
    database.close().unwrap();
    clean(&path, (model.len() * if deletes { 101 } else { 100 }).div_ceil(BLOCK) as u64);
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[D + 50] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let database = options().open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    let id = model.iter().position(Option::is_some).unwrap() as u64;
    transaction.set(id, &record(1)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let checkpoint = database.checkpoint().unwrap();
    assert_eq!(checkpoint.damaged()[0].block, 0);
    database.close().unwrap();
    assert_eq!(
        verify(&path, VerifyOptions::new()).unwrap().problems_found,
        1,
        "a change made the damaged block look sound"
    );
}

/// Checks that handles of both kinds open the files of a killed process, and that the checksums
/// hold.
fn killed(place: &Place, path: &Path, model: &[Option<[u8; 100]>]) {
    for way in 0..2 {
        let copy = copy_as_killed(place);
        match way {
            0 => DynDatabase::open(&copy).unwrap().close().unwrap(),
            _ => DynStore::open(&copy).unwrap().close().unwrap(),
        }
        let report = verify(&copy, VerifyOptions::new()).unwrap();
        assert_eq!((report.problems_found, report.problems), (0, vec![]), "{}", path.display());
        assert!(matches!(report.checksums, Checksums::Present { .. }), "{:?}", report.checksums);
        let store = DynStore::open_read_only(&copy).unwrap();
        for (id, expected) in (0..).zip(model) {
            assert_eq!(store.get(id), expected.as_ref().map(|record| &record[..]));
        }
        drop(store);
        for file in place.files().iter().filter(|file| file.starts_with("killed")) {
            std::fs::remove_file(place.path(file)).unwrap();
        }
    }
}

/// Copies the files of store `x`, without its lock file, as a kill would leave them.
fn copy_as_killed(place: &Place) -> PathBuf {
    for file in place.files() {
        if let Some(suffix) = file.strip_prefix('x').filter(|suffix| *suffix != "-lock") {
            std::fs::copy(place.path(&file), place.path(&format!("killed{suffix}"))).unwrap();
        }
    }
    place.path("killed")
}

/// Finds a handle that takes checksums of uncounted records for damage, now or after the next
/// append.
#[test]
fn a_crash_between_checksums_and_header_is_not_damage() {
    let place = Place::new();
    let path = place.store(1000);
    let header = std::fs::read(&path).unwrap()[..8192].to_vec();
    let mut store = DynStore::open(&path).unwrap();
    append(&mut store, 1000..1200);
    store.flush().unwrap();
    let crashed = copy_as_killed(&place);
    drop(store);
    let mut bytes = std::fs::read(&crashed).unwrap();
    bytes[..8192].copy_from_slice(&header);
    for file in ["x", "x-lock", "x-sum"] {
        std::fs::remove_file(place.path(file)).unwrap();
    }
    std::fs::write(&path, bytes).unwrap();
    std::fs::rename(place.path("killed-sum"), place.path("x-sum")).unwrap();
    clean(&path, 2);
    // The next writer appends other records, more than its buffer holds, and dies too.
    let mut store = DynStore::open(&path).unwrap();
    append(&mut store, 5000..9000);
    clean(&copy_as_killed(&place), 2);
    drop(store);
    clean(&path, 8);
}

/// Stamps the checksum file as the checkpoint of a later commit does before it writes.
fn announce_checkpoint(path: &Path) {
    let path = PathBuf::from(format!("{}-sum", path.display()));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[40] += 1; // the commit number
    let crc = crc32c::crc32c(&bytes[..508]);
    bytes[508..512].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
}

/// Finds a handle that takes the records of an interrupted checkpoint for damage.
#[test]
fn an_interrupted_checkpoint_is_not_damage() {
    let place = Place::new();
    let path = place.store(3000);
    let database = DynDatabase::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(1000, &record(1)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    for way in 0..2 {
        let copy = copy_as_killed(&place);
        // The checkpoint had written the record, but not its block's checksum.
        let mut bytes = std::fs::read(&copy).unwrap();
        bytes[D + 100_000..D + 100_100].copy_from_slice(&record(1));
        std::fs::write(&copy, bytes).unwrap();
        let doubts = verify(&copy, VerifyOptions::new()).unwrap().problems;
        assert!(doubts[0].to_string().contains("records 655..1311"), "{doubts:?}");
        // The difference is damage if the checkpoint had not announced itself.
        announce_checkpoint(&copy);
        clean(&copy, 5);
        match way {
            0 => DynDatabase::open(&copy).unwrap().close().unwrap(),
            _ => DynStore::open(&copy).unwrap().close().unwrap(),
        }
        clean(&copy, 5);
        let store = DynStore::open_read_only(&copy).unwrap();
        assert_eq!(store.get(1000).unwrap(), record(1));
    }
}

/// Finds a handle that accepts an older data file beside newer checksums.
#[test]
fn an_older_data_file_beside_newer_checksums_is_reported() {
    let place = Place::new();
    let path = place.store(3000);
    let old = std::fs::read(&path).unwrap();
    let mut store = DynStore::open(&path).unwrap();
    let mut edit = store.edit().unwrap();
    edit.set(0, &record(1)).unwrap();
    edit.finish().unwrap();
    store.close().unwrap();
    std::fs::write(&path, old).unwrap();
    let report = verify(&path, VerifyOptions::new()).unwrap();
    assert_eq!(report.problems_found, 1);
    assert!(report.problems[0].what.starts_with("block 0"), "{:?}", report.problems);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Finds a change by a transaction that the checksums miss.
    #[test]
    fn transactions_keep_checksums(
        steps in prop::collection::vec((any::<u8>(), any::<u16>()), 1..8),
        deletes in any::<bool>(),
    ) {
        transact(&Place::new(), &steps, deletes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Finds arithmetic that maps a damaged byte to the wrong block or the wrong records.
    #[test]
    fn any_flip_among_the_records_is_located(
        record_len in prop_oneof![1u32..200, Just(125), 60_000u32..140_000],
        count in 1u64..40,
        at in any::<prop::sample::Index>(),
        mask in 1u8..=255,
    ) {
        let place = Place::new();
        let path = place.path("x");
        let schema = Schema::packed([Field::new("b", DataType::Binary(record_len))]).unwrap();
        let mut store = DynStore::create_options().checksums(true).create(&path, &schema).unwrap();
        let len = record_len as usize * count as usize;
        let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
        store.append_packed(&bytes).unwrap();
        store.close().unwrap();
        let at = at.index(len);
        flip(&path, D + at, mask);
        let report = verify(&path, VerifyOptions::new()).unwrap();
        prop_assert_eq!(report.problems_found, 1);
        let start = D + at / BLOCK * BLOCK;
        prop_assert_eq!(report.problems[0].offset, Some(start as u64));
        let saved = salvage(&path, place.path("out"), SalvageOptions::new()).unwrap();
        let first = (start - D) / record_len as usize;
        let end = (start - D + BLOCK).min(len).div_ceil(record_len as usize);
        prop_assert_eq!(saved.lost_records(), (end - first) as u64);
        prop_assert_eq!(saved.saved + saved.lost_records(), count);
        prop_assert_eq!(saved.lost[0].records.start, first as u64);
    }
}
