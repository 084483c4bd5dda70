//! Power cuts: what is not synced may be on the disk or not, sector by sector.
//!
//! The disk is a file, seen live, and a copy of what is durable. A sync makes durable what was
//! handed over before: by write calls, and by flushes of views (on Linux a sync finds what was
//! stored through views by itself; that is not so everywhere). When the power goes, any subset of
//! the 512-byte sectors in which they differ has reached the disk, and of two lengths either. The
//! store must come up with a state that was flushed, or was just being flushed, and with every
//! record of it whole.

#![allow(unsafe_code, reason = "opening over a backing of one's own is unsafe")]

use std::ops::Range;
use std::sync::{Arc, Mutex};

use flatrec::map::{Access, Backing, FileBacking};
use flatrec::{DataType, DynStore, Error, ErrorKind, Field, Options, Schema, WriteBack};
use proptest::prelude::*;

use crate::support::hooked::{Call, Hook, Hooked, Then};
use crate::support::random::Random;

const SECTOR: usize = 512;

/// What the disk looked like just before a call that changes it.
#[derive(Clone)]
struct Moment {
    live: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Default)]
struct Record {
    durable: Vec<u8>,
    /// What the next sync makes durable.
    handed_over: Vec<u8>,
    moments: Vec<Moment>,
}

struct Disk {
    file: Arc<FileBacking>,
    record: Mutex<Record>,
}

impl Record {
    fn grow(&mut self, len_bytes: u64) {
        let len = usize::try_from(len_bytes).unwrap().max(self.handed_over.len());
        self.handed_over.resize(len, 0);
    }
}

impl Disk {
    /// A disk that holds these bytes, of which those are durable.
    fn holding(live: &[u8], durable: &[u8]) -> Arc<Hooked<Self>> {
        let file = Arc::new(FileBacking::temporary(0).unwrap());
        file.write_at(0, live).unwrap();
        let (durable, handed_over) = (durable.to_vec(), live.to_vec());
        let record = Record { durable, handed_over, moments: Vec::new() };
        let disk = Self { file: Arc::clone(&file), record: Mutex::new(record) };
        Arc::new(Hooked::over(file, disk))
    }

    fn live(&self) -> Vec<u8> {
        let mut live = vec![0; usize::try_from(self.file.len_bytes().unwrap()).unwrap()];
        self.file.read_at(0, &mut live).unwrap();
        live
    }

    fn note(&self) {
        let live = self.live();
        let mut record = self.record.lock().unwrap();
        let durable = record.durable.clone();
        record.moments.push(Moment { live, durable });
    }

    fn take_moments(&self) -> Vec<Moment> {
        self.note();
        std::mem::take(&mut self.record.lock().unwrap().moments)
    }

    fn sync(&self) {
        self.note();
        let mut record = self.record.lock().unwrap();
        record.durable = record.handed_over.clone();
    }

    /// These bytes are the system's to make durable now.
    fn hand_over(&self, range: Range<u64>) {
        let live = self.live();
        let range = range.start as usize..range.end as usize;
        self.record.lock().unwrap().handed_over[range.clone()].copy_from_slice(&live[range]);
    }

    fn resized(&self) {
        let len = self.file.len_bytes().unwrap() as usize;
        self.record.lock().unwrap().handed_over.resize(len, 0);
    }
}

impl Moment {
    /// The disk after a power cut: of what was not synced, what `coins` say.
    fn cut(&self, mut coin: impl FnMut() -> bool) -> Vec<u8> {
        let len = if coin() { self.live.len() } else { self.durable.len() };
        let mut disk = self.durable.clone();
        disk.resize(len, 0);
        for (at, sector) in disk.chunks_mut(SECTOR).enumerate() {
            let start = at * SECTOR;
            let live = &self.live[start.min(self.live.len())..];
            let live = &live[..live.len().min(sector.len())];
            if *live != sector[..live.len()] && coin() {
                sector[..live.len()].copy_from_slice(live);
            }
        }
        disk
    }
}

impl Hook for Disk {
    fn ask(&self, _: &Arc<dyn Backing>, _: &str, call: Call<'_>) -> Result<Then, Error> {
        match call {
            Call::Write { offset, bytes } => {
                self.note();
                self.file.write_at(offset, bytes)?;
                self.resized();
                self.hand_over(offset..offset + bytes.len() as u64);
            }
            Call::Grow { len_bytes } => {
                self.note();
                self.record.lock().unwrap().grow(len_bytes);
                return Ok(Then::Forward);
            }
            Call::Trim { len_bytes } => {
                self.note();
                self.file.trim(len_bytes)?;
                self.resized();
            }
            Call::Flush { view, range } => {
                self.note();
                let end = (view.offset() + range.end as u64).min(self.file.len_bytes()?);
                self.hand_over(view.offset() + range.start as u64..end);
            }
            Call::SyncData | Call::SyncFull => self.sync(),
            Call::SyncDirectory => {}
            _ => return Ok(Then::Forward),
        }
        Ok(Then::Done)
    }
}

const RECORD_LEN: usize = 1000;

fn record(n: u64) -> Vec<u8> {
    (0..RECORD_LEN).map(|at| (n as usize * 31 + at) as u8).collect()
}

#[derive(Clone, Debug)]
enum Operation {
    /// Appends so many records.
    Append(u64),
    Flush,
    /// Truncates to this many hundredths of what there is.
    Truncate(u64),
    /// Changes one record of so many.
    Edit(u64),
    /// The process is killed, which leaves the live bytes; another one opens the store.
    Kill,
    Reopen,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        4 => (1u64..40).prop_map(Operation::Append),
        3 => Just(Operation::Flush),
        2 => (0u64..100).prop_map(Operation::Truncate),
        2 => (1u64..9).prop_map(Operation::Edit),
        2 => Just(Operation::Kill),
        1 => Just(Operation::Reopen),
    ];
    prop::collection::vec(operation, 1..12)
}

/// A store on a disk, and the states it may come up with: that of the last step that was
/// acknowledged, and those that the step under way may lead to.
struct Rig {
    disk: Arc<Hooked<Disk>>,
    options: Options<DynStore>,
    store: Option<DynStore>,
    model: Vec<Vec<u8>>,
    flushed: Vec<Vec<u8>>,
    next: u64,
}

type States = Vec<Vec<Vec<u8>>>;

impl Rig {
    fn new(way: WriteBack) -> Self {
        let disk = Disk::holding(&[], &[]);
        let options = DynStore::options().write_back(way);
        let schema = Schema::packed([Field::new("r", DataType::Binary(RECORD_LEN as u32))]);
        // SAFETY: this test alone uses the disk.
        let store =
            unsafe { options.clone().create_over(Arc::clone(&disk) as _, &schema.unwrap()) };
        disk.take_moments();
        let (model, flushed) = (Vec::new(), Vec::new());
        Self { disk, options, store: Some(store.unwrap()), model, flushed, next: 0 }
    }

    fn open(&mut self) {
        // SAFETY: this test alone uses the disk.
        let store =
            unsafe { self.options.clone().over(Arc::clone(&self.disk) as _, Access::ReadWrite) };
        self.store = Some(store.unwrap());
    }

    fn store(&mut self) -> &mut DynStore {
        self.store.as_mut().unwrap()
    }

    /// Applies the operation, and says which states may be found during it, and whether the mark
    /// of an interrupted edit may be found as well.
    fn apply(&mut self, operation: &Operation) -> (States, bool) {
        let before = self.flushed.clone();
        match operation {
            Operation::Append(records) => {
                for _ in 0..*records {
                    let bytes = record(self.next);
                    self.next += 1;
                    self.store().append(&bytes).unwrap();
                    self.model.push(bytes);
                }
            }
            Operation::Flush => {
                self.store().flush().unwrap();
                self.flushed = self.model.clone();
            }
            Operation::Truncate(hundredths) => {
                let count = self.model.len() * usize::try_from(*hundredths).unwrap() / 100;
                self.store().truncate(count as u64).unwrap();
                self.model.truncate(count);
                self.flushed.truncate(count);
            }
            Operation::Edit(every) => {
                let appended = self.model.clone();
                let mut next = self.next;
                let store = self.store.as_mut().unwrap();
                let mut edit = store.edit().unwrap();
                for id in (0..self.model.len()).step_by(usize::try_from(*every).unwrap()) {
                    let bytes = record(next);
                    next += 1;
                    edit.set(id as u64, &bytes).unwrap();
                    self.model[id] = bytes;
                }
                edit.finish().unwrap();
                self.next = next;
                self.flushed = self.model.clone();
                return (vec![before, appended, self.flushed.clone()], true);
            }
            Operation::Kill => {
                std::mem::forget(self.store.take());
                let (live, durable) = (self.disk.live(), {
                    let record = self.disk.record.lock().unwrap();
                    record.durable.clone()
                });
                self.disk = Disk::holding(&live, &durable);
                self.model = self.flushed.clone();
                self.open();
            }
            Operation::Reopen => {
                self.store.take().unwrap().close().unwrap();
                self.flushed = self.model.clone();
                self.open();
            }
        }
        (vec![before, self.flushed.clone()], false)
    }
}

/// Opens what a power cut left, and holds it against the states that it may be in.
fn check(disk: &[u8], states: &States, marked: bool) {
    let backing = Disk::holding(disk, disk);
    // SAFETY: this test alone uses the disk.
    let store = unsafe { DynStore::options().over(backing as _, Access::ReadOnly) };
    match store {
        Ok(store) => {
            let found: Vec<Vec<u8>> = store.iter().map(<[u8]>::to_vec).collect();
            let counts: Vec<usize> = states.iter().map(Vec::len).collect();
            assert!(states.contains(&found), "{} records, of {counts:?}", found.len());
        }
        Err(error) => assert!(marked && error.kind() == ErrorKind::InterruptedEdit, "{error}"),
    }
}

fn run(operations: &[Operation], way: WriteBack, seed: u64) {
    let mut random = Random::new(seed); // which shrinks with the case
    let mut coin = |odds: u64| random.one_in(odds);
    let mut rig = Rig::new(way);
    for operation in operations {
        let old = Arc::clone(&rig.disk);
        let (states, marked) = rig.apply(operation);
        let mut moments = old.take_moments();
        if !Arc::ptr_eq(&old, &rig.disk) {
            moments.extend(rig.disk.take_moments());
        }
        for moment in moments {
            cut_here(&moment, &states, marked, &mut coin);
            if coin(3) {
                kill_here(&moment, &states, &rig.options, &mut coin);
            }
        }
    }
}

/// The power goes at this moment.
fn cut_here(moment: &Moment, states: &States, marked: bool, coin: &mut impl FnMut(u64) -> bool) {
    check(&moment.cut(|| true), states, marked);
    check(&moment.cut(|| false), states, marked);
    for odds in [2, 5] {
        check(&moment.cut(|| coin(odds)), states, marked);
    }
}

/// The process is killed at this moment; another one goes on with what the system has, not all of
/// which is durable, until the power goes.
fn kill_here(
    moment: &Moment,
    states: &States,
    options: &Options<DynStore>,
    coin: &mut impl FnMut(u64) -> bool,
) {
    let disk = Disk::holding(&moment.live, &moment.durable);
    // SAFETY: this test alone uses the disk.
    let store = unsafe { options.clone().over(Arc::clone(&disk) as _, Access::ReadWrite) };
    let Ok(mut store) = store else { return }; // an edit was interrupted
    let mut found: Vec<Vec<u8>> = store.iter().map(<[u8]>::to_vec).collect();
    assert!(states.contains(&found), "{} records survive a killed process", found.len());
    let added: Vec<Vec<u8>> = (7000..7300).map(record).collect();
    store.append_packed(&added.concat()).unwrap(); // too many for the buffer: they are written
    for moment in disk.take_moments() {
        cut_here(&moment, states, true, coin);
    }
    store.flush().unwrap();
    found.extend(added);
    let mut states = states.clone();
    states.push(found);
    let moments = disk.take_moments();
    for moment in &moments {
        cut_here(moment, &states, true, coin);
    }
    let last = states.split_off(states.len() - 1);
    cut_here(&moments[moments.len() - 1], &last, false, coin);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_power_cut_leaves_a_state_that_was_flushed(
        operations in operations(),
        way in prop_oneof![Just(WriteBack::Auto), Just(WriteBack::Mapped)],
        seed in any::<u64>(),
    ) {
        run(&operations, way, seed);
    }
}

/// A history with everything in it, whatever the random ones come upon.
#[test]
fn a_power_cut_during_a_long_life_leaves_a_state_that_was_flushed() {
    use Operation::{Append, Edit, Flush, Kill, Reopen, Truncate};
    let life = [
        Append(20),
        Flush,
        Edit(3),
        Append(300),
        Flush,
        Truncate(50),
        Append(30),
        Kill,
        Append(5),
        Edit(2),
        Truncate(10),
        Append(30),
        Reopen,
        Edit(1),
        Append(5),
        Flush,
    ];
    let ways = [WriteBack::Auto, WriteBack::Mapped, WriteBack::Positioned];
    // Positioned writing is refused where views need not see it.
    let coherent = FileBacking::temporary(0).unwrap().properties().calls_see_views;
    for way in if coherent { ways } else { [ways[0], ways[1], ways[1]] } {
        for seed in 1..3 {
            run(&life, way, seed);
        }
    }
}
