//! Copies and checks beside a writer whose checkpoint runs during them. Between a checkpoint's
//! writes of records and of checksums, each changed block differs from its checksum and is sound.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::super::copy::CopyOptions;
use super::super::rebuild::rebuild_checksums;
use super::super::{backup, compact, salvage, verify};
use crate::db::DynDatabase;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DataType, Field, Schema};
use crate::step::{self, Step, without};
use crate::store::DynStore;
use crate::txn::Durability;

const RECORDS: u64 = 40_000;
const D: u64 = 65_536;

fn record(n: u64) -> [u8; 100] {
    std::array::from_fn(|at| (n >> (at % 8 * 8)) as u8 ^ at as u8)
}

/// A store of 62 blocks. Different calls read its first and its last mebibyte.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        let schema = Schema::packed([Field::new("b", DataType::Binary(100))]).unwrap();
        let options = DynStore::create_options().checksums(true);
        let mut store = options.create(place.path("x"), &schema).unwrap();
        store.append_packed(&(0..RECORDS).flat_map(record).collect::<Vec<u8>>()).unwrap();
        store.close().unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Changes a byte of a record behind the store's back.
    fn flip(&self, id: u64) {
        let mut bytes = std::fs::read(self.path("x")).unwrap();
        bytes[usize::try_from(D + id * 100).unwrap()] ^= 1;
        std::fs::write(self.path("x"), bytes).unwrap();
    }
}

type Copier = fn(&Place, CopyOptions<'_>) -> Result<u64>;

const COPIERS: [Copier; 2] = [
    |place, options| backup(place.path("x"), place.path("out"), options).map(|it| it.records),
    |place, options| {
        let copied =
            compact(place.path("x"), place.path("out"), flatrec::CompactOptions::from(options));
        copied.map(|it| it.records)
    },
];

/// Sends a message when it is dropped, also by a panic.
struct Over(Sender<()>);

impl Drop for Over {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// Copies the store while a checkpoint changes record `id`. The copy begins before the checkpoint,
/// and reads the record's block after the checkpoint has written it, but not its checksum. The
/// checkpoint continues when the copy has found that the block differs, or has ended.
fn copy_in_the_window(place: &Place, id: u64, copier: Copier) -> Result<u64> {
    let database = DynDatabase::open(place.path("x")).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(id, &record(7)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let (has_begun, begun) = channel();
    let (is_written, written) = channel();
    let (has_met, met) = channel();
    let copied = thread::scope(|scope| {
        let copying = scope.spawn(move || {
            let met = has_met.clone();
            step::at(Step::MomentOfQuiet, move || met.send(()).unwrap());
            copy_once_written(place, copier, has_begun, written, has_met)
        });
        begun.recv().unwrap();
        step::at(Step::CheckpointWritten, move || {
            is_written.send(()).unwrap();
            met.recv().unwrap();
        });
        let checkpoint = database.checkpoint().unwrap();
        assert_eq!(checkpoint.held_back(), None);
        copying.join().unwrap()
    });
    database.close().unwrap();
    copied
}

/// Copies the store, and waits after the first mebibyte until the checkpoint has written records.
fn copy_once_written(
    place: &Place,
    copier: Copier,
    has_begun: Sender<()>,
    written: Receiver<()>,
    has_met: Sender<()>,
) -> Result<u64> {
    let over = Over(has_met);
    let mut is_first = true;
    let options = CopyOptions::new().replace(true).on_progress(|_, _| {
        if std::mem::take(&mut is_first) {
            has_begun.send(()).unwrap();
            written.recv().unwrap();
        }
        Ok(())
    });
    let copied = copier(place, options);
    drop(over);
    copied
}

#[test]
fn a_sound_store_is_copied_during_a_checkpoint() {
    let place = Place::new();
    for (n, copier) in (0..).zip(COPIERS) {
        let id = RECORDS - 1 - n * 700;
        let copied = copy_in_the_window(&place, id, copier);
        assert_eq!(copied.unwrap_or_else(|error| panic!("{error}")), RECORDS);
        assert_eq!(verify(place.path("out"), flatrec::VerifyOptions::new()).unwrap().problems, []);
        assert_eq!(
            DynStore::open_read_only(place.path("out")).unwrap().get(id).unwrap(),
            record(7)
        );
    }
    assert_eq!(verify(place.path("x"), flatrec::VerifyOptions::new()).unwrap().problems, []);
}

#[test]
fn damage_is_found_during_a_checkpoint() {
    // In the block that the checkpoint changes, and in another one.
    for flipped in [RECORDS - 3, RECORDS - 5000] {
        let place = Place::new();
        place.flip(flipped);
        for copier in COPIERS {
            let error: Error = copy_in_the_window(&place, RECORDS - 1, copier).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            let block = flipped * 100 / 65_536;
            assert!(error.to_string().contains(&format!("block {block}: it d")), "{error}");
            assert!(!place.path("out").exists());
        }
    }
}

#[test]
fn damage_is_found_beside_a_writer_that_does_not_checkpoint() {
    let place = Place::new();
    place.flip(RECORDS - 3);
    let database = DynDatabase::open(place.path("x")).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(RECORDS - 1, &record(7)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    // The log has an image for the block, but no checkpoint has begun that would explain it.
    for copier in COPIERS {
        let error = copier(&place, CopyOptions::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    assert_eq!(verify(place.path("x"), flatrec::VerifyOptions::new()).unwrap().problems_found, 1);
    database.close().unwrap();
    assert_eq!(rebuild_checksums(place.path("x")).unwrap().mismatched, 1);
}

#[test]
fn checks_wait_for_a_running_checkpoint() {
    let place = Place::new();
    let database = DynDatabase::open(place.path("x")).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(RECORDS - 1, &record(7)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let (path, saved) = (place.path("x"), place.path("saved"));
    let (is_checking, checking) = channel();
    step::at(Step::CheckpointWritten, move || {
        let checks = thread::spawn(move || {
            let lost =
                salvage(&path, &saved, super::super::salvage::SalvageOptions::new()).unwrap();
            (verify(&path, flatrec::VerifyOptions::new()).unwrap().problems, lost.lost_records())
        });
        is_checking.send(checks).unwrap();
    });
    database.checkpoint().unwrap();
    assert_eq!(checking.recv().unwrap().join().unwrap(), (Vec::new(), 0));
    database.close().unwrap();
}

#[test]
fn without_the_moment_of_quiet_a_sound_store_is_called_damaged() {
    let place = Place::new();
    let database = DynDatabase::open(place.path("x")).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(RECORDS - 1, &record(7)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let (has_begun, begun) = channel();
    let (is_written, written) = channel();
    let (has_met, met) = channel();
    let (is_done, done) = channel();
    let copied = thread::scope(|scope| {
        let place = &place;
        let copying = scope.spawn(move || {
            let copier: Copier =
                |place, options| without(&[Step::MomentOfQuiet], || COPIERS[0](place, options));
            let met = has_met.clone();
            step::at(Step::JudgeBlock, move || {
                met.send(()).unwrap();
                done.recv().unwrap(); // now the header has the checkpoint's commit
            });
            copy_once_written(place, copier, has_begun, written, has_met)
        });
        begun.recv().unwrap();
        step::at(Step::CheckpointWritten, move || {
            is_written.send(()).unwrap();
            met.recv().unwrap();
        });
        database.checkpoint().unwrap();
        is_done.send(()).unwrap();
        copying.join().unwrap()
    });
    assert_eq!(copied.unwrap_err().kind(), ErrorKind::Corrupt);
}
