//! A store on a simulated disk, what it must hold, and what goes wrong between its lives.

use std::sync::Arc;

use super::damage::Damage;
use super::disk::{Disk, Fault};
use super::model::{Oracle, Stamp, State, recognise, record};
use super::random::Random;
use super::report::CrashReport;
use super::room::Room;
use crate::error::{Error, ErrorKind};
use crate::format::{DataType, Field, Header, Schema, Slot, UnverifiedHeader};
use crate::io::Backing;
use crate::number::in_memory;
use crate::sums::{BlockState, FoundSums, Sums};

/// The store's name on the disk.
const NAME: &str = "store";

/// Where records begin in every store.
const DATA_OFFSET: u64 = 65_536;

/// Record lengths: less than a sector, a sector and their like, and several.
const RECORD_LENS: &[usize] = &[8, 12, 100, 100, 125, 200, 333, 512, 700, 1000, 1000, 1500, 2000];

/// The histories of which seeds, modulo 16, are those of stores that are only appended to.
const BULK_ONLY_SEEDS: u64 = 7;

/// Why a life does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// What struck was the end of it.
    Struck,
    /// A call failed, as it was told to, or because an earlier one had.
    Failed,
    /// The store broke its promise.
    Broken(String),
}

/// How a life ends that nothing strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Close,
    Drop,
    Kill,
    PowerCut,
}

impl Ending {
    pub(super) fn draw(random: &mut Random) -> Self {
        random.pick(&[Self::Close, Self::Close, Self::Drop, Self::Kill, Self::PowerCut])
    }
}

/// One history's store, disk and expectations.
pub(super) struct World {
    pub(super) disk: Disk,
    pub(super) random: Random,
    pub(super) oracle: Oracle,
    pub(super) report: CrashReport,
    pub(super) record_len: usize,
    pub(super) deletes: bool,
    pub(super) checksums: bool,
    /// Whether transactions only append, and more than is logged.
    pub(super) bulk_only: bool,
    /// One life in so many is that of an exclusive handle.
    pub(super) exclusive_odds: u64,
    /// Whether an exclusive edit is under way, whose interruption loses records.
    pub(super) editing: bool,
    /// Whether the history is at its end.
    pub(super) over: bool,
    /// What of room and damage is left to chance, whatever else is.
    pub(super) trouble: Random,
    /// What was changed behind the store's back, if anything was.
    pub(super) damage: Option<Damage>,
    /// Whether the store was closed, and nothing has happened since.
    pub(super) is_at_rest: bool,
    /// The calls that were refused for want of room.
    pub(super) room: Room,
    next_stamp: Stamp,
    /// The log's files that the life before left, one way or another: those that no header names
    /// are in nobody's way, and go when the next log is made.
    logs_left: Vec<String>,
    /// Whether what is on the disk is what a power cut left, and nothing has been written since.
    rebooted: bool,
    /// How many of the calls that were struck have shown in an error.
    strikes_told: u64,
    scratch: Vec<u8>,
}

impl World {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let mut random = Random::new(seed);
        let disk = Disk::new(&mut random, traced);
        let record_len = random.pick(RECORD_LENS);
        let (deletes, checksums) = (random.coin(), random.one_in(3));
        // Not drawn, so that all other histories are what they would be without these.
        let bulk_only = seed % 16 == BULK_ONLY_SEEDS;
        let checksums = checksums || bulk_only;
        let record_len = if bulk_only { record_len.max(700) } else { record_len };
        let exclusive_odds = random.pick(&[2, 5, 5, 8]);
        Self {
            disk,
            random,
            oracle: Oracle::new(),
            report: CrashReport::default(),
            record_len,
            deletes,
            checksums,
            bulk_only,
            exclusive_odds,
            editing: false,
            over: false,
            trouble: Random::new(super::random::mix(seed ^ 0x7472_6F75_626C_6531)),
            damage: None,
            is_at_rest: false,
            room: Room::default(),
            next_stamp: 0,
            logs_left: Vec::new(),
            rebooted: false,
            strikes_told: 0,
            scratch: Vec::new(),
        }
    }

    /// Adds to the list of what happened.
    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        self.disk.note(line);
    }

    /// The store's data file.
    pub(super) fn file(&self) -> Result<Arc<dyn Backing>, Stop> {
        self.disk.open(NAME).ok_or_else(|| Stop::Broken("the data file is gone".into()))
    }

    pub(super) fn schema(&self) -> Result<Schema, Stop> {
        let len = u32::try_from(self.record_len).expect("one of RECORD_LENS");
        Schema::packed([Field::new("r", DataType::Binary(len))])
            .map_err(|error| Stop::Broken(format!("schema: {error}")))
    }

    /// A stamp that no record has had.
    pub(super) fn stamp(&mut self) -> Stamp {
        self.next_stamp += 1;
        self.next_stamp
    }

    /// A record that there has not been yet, and its stamp.
    pub(super) fn record(&mut self) -> (Stamp, Vec<u8>) {
        let stamp = self.stamp();
        (stamp, record(stamp, self.record_len))
    }

    /// Takes the result of a call, which may fail only if it was struck, or an earlier one.
    pub(super) fn take<T>(&mut self, doing: &str, result: Result<T, Error>) -> Result<T, Stop> {
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        self.note(|| format!("  {doing}: {error}"));
        let broken = match self.disk.struck() {
            Some(Fault::PowerCut | Fault::Kill) => return Err(Stop::Struck),
            _ if self.room.explains(&self.disk, &error) => false,
            Some(Fault::Error) if self.disk.strikes() > self.strikes_told => false,
            Some(Fault::Error) => error.kind() != ErrorKind::Poisoned,
            None => true,
        };
        self.strikes_told = self.disk.strikes();
        match broken {
            false => Err(Stop::Failed),
            true => Err(Stop::Broken(format!("{doing}: {error}"))),
        }
    }

    /// As [`World::take`], for a store that was opened, which may have been edited last.
    pub(super) fn take_opened<T>(&mut self, opened: Result<T, Error>) -> Result<T, Stop> {
        match opened {
            Err(error) if self.editing && error.kind() == ErrorKind::InterruptedEdit => {
                self.note(|| "  an edit was interrupted: this history ends".into());
                self.over = true;
                Err(Stop::Struck)
            }
            Err(error) if error.kind() == ErrorKind::NoSpace && self.disk.struck().is_none() => {
                Err(Stop::Broken(format!("open: it needs room: {error}")))
            }
            opened => self.take("open", opened),
        }
    }

    /// The commit that was attempted last has been acknowledged.
    pub(super) fn acknowledge(&mut self, survives_power: bool) {
        self.report.commits += 1;
        self.oracle.acknowledge(survives_power);
        self.editing &= !survives_power;
    }

    /// All that was acknowledged survives a power cut from now on.
    pub(super) fn make_durable(&mut self) {
        self.oracle.make_durable();
        self.editing = false;
    }

    /// What a clean close leaves: the data file, as long as its records, and no log of its own.
    pub(super) fn check_at_rest(&mut self) -> Result<(), Stop> {
        let names = self.disk.names();
        let len = self.file()?.len_bytes();
        let len = self.take("ask the length", len)?;
        let stride = self.record_len + usize::from(self.deletes);
        let wanted = DATA_OFFSET + (self.oracle.current().len() * stride) as u64;
        let is_new_log = |name: &String| name.contains("-wal") && !self.logs_left.contains(name);
        if len != wanted || names.iter().any(is_new_log) {
            return Err(Stop::Broken(format!("at rest: {names:?}, {len} bytes and not {wanted}")));
        }
        self.is_at_rest = true;
        if self.checksums { self.check_sums("at rest") } else { Ok(()) }
    }

    /// The checksums of a store cover what its header counts, and match, but for that of a block
    /// that was damaged: nothing that happened since may make that look sound.
    fn check_sums(&mut self, when: &str) -> Result<(), Stop> {
        let file = self.file()?;
        let doubted = doubted_blocks(&*file);
        let wrong = match self.take("look at the checksums", doubted)? {
            Ok(doubted) => Damage::wrong_doubts(self.damage, &doubted),
            Err(why) => Some(why),
        };
        wrong.map_or(Ok(()), |wrong| Err(Stop::Broken(format!("{when}: {wrong}"))))
    }

    /// Changes bits of a byte of the records.
    pub(super) fn damage_byte(&self, byte: u64, mask: u8) -> Result<(), Error> {
        self.disk.damage(NAME, DATA_OFFSET + byte, mask)
    }

    /// How many records of those that were acknowledged the header does not count yet.
    pub(super) fn uncounted(&mut self) -> Result<u64, Stop> {
        let header = header_of(&*self.file()?);
        let counted = self.take("look at the header", header)?.count;
        Ok((self.oracle.current().len() as u64).saturating_sub(counted))
    }

    /// The stamps of records, each of which must be whole; `None` is a deleted one.
    pub(super) fn stamps<'a>(
        &mut self,
        records: impl Iterator<Item = Option<&'a [u8]>>,
    ) -> Result<Vec<Stamp>, Stop> {
        let mut stamps = Vec::new();
        for (id, bytes) in records.enumerate() {
            let Some(bytes) = bytes else {
                stamps.push(super::model::DEAD);
                continue;
            };
            let mut known = recognise(bytes, &mut self.scratch);
            if let (None, Some(damage)) = (known, &self.damage) {
                known = damage.recognise(bytes, &mut self.scratch);
            }
            let stamp = known.ok_or_else(|| {
                Stop::Broken(format!("record {id} is torn: {:02x?}", &bytes[..bytes.len().min(16)]))
            })?;
            stamps.push(stamp);
        }
        Ok(stamps)
    }

    /// Holds what a handle shows that has just been opened against what may be found.
    pub(super) fn find(&mut self, found: &[Stamp]) -> Result<(), Stop> {
        self.report.recoveries += 1;
        if self.bulk_only {
            // Nothing but a clean end of the log, and no checkpoint, changes what was summed.
            self.check_sums("found")?;
        }
        let durably = std::mem::take(&mut self.rebooted);
        self.editing &= !durably;
        self.oracle.find(found, durably).map_err(Stop::Broken)
    }

    /// As [`World::find`], for a handle that only reads: what it finds is no more durable for
    /// that.
    pub(super) fn find_by_reader(&mut self, found: &[Stamp]) -> Result<(), Stop> {
        self.report.recoveries += 1;
        self.editing &= !self.rebooted;
        self.oracle.find(found, self.rebooted).map_err(Stop::Broken)
    }

    /// Lets something strike one of the next `calls` calls.
    pub(super) fn endanger(&mut self, calls: u64) {
        let fault =
            self.random.pick(&[Fault::PowerCut, Fault::PowerCut, Fault::Kill, Fault::Error]);
        let after = self.random.below(calls);
        let writes_count = self.random.coin();
        self.note(|| format!("  ({fault:?} after {after} calls, writes counted: {writes_count})"));
        self.disk.strike_after(after, writes_count, fault);
    }

    /// What comes after the end of a life: the power comes back, or another process starts.
    pub(super) fn end(&mut self, ending: Ending) -> Result<(), Stop> {
        if self.disk.take_cache_in_doubt() {
            self.oracle.lose_cache();
        }
        let (power_cut, kill) = match self.disk.struck() {
            Some(Fault::PowerCut) => (true, false),
            Some(Fault::Kill) => (false, true),
            _ => (ending == Ending::PowerCut, ending == Ending::Kill),
        };
        self.report.power_cuts += u64::from(power_cut);
        self.report.kills += u64::from(kill);
        self.report.failed_calls += u64::from(self.disk.struck() == Some(Fault::Error));
        self.strikes_told = self.disk.strikes();
        if self.disk.is_full() {
            self.disk.set_full(false);
        }
        self.room.end_life();
        let up = if power_cut {
            self.oracle.lose_cache();
            self.rebooted = true;
            self.disk.reboot()
        } else {
            self.disk.restart()
        };
        self.logs_left = self.disk.names();
        up.map_err(|error| Stop::Broken(format!("the simulation itself: {error}")))
    }

    /// Begins the disk's file of the store anew, empty.
    pub(super) fn begin_file(&mut self) -> Result<(), Stop> {
        let begun = self.disk.create(NAME);
        begun.map_err(|error| Stop::Broken(format!("the simulation itself: {error}")))
    }

    /// The state that the store is in, as far as has been acknowledged.
    pub(super) fn current(&self) -> State {
        Arc::clone(self.oracle.current())
    }
}

fn header_of(file: &dyn Backing) -> Result<Header, Error> {
    let mut front = vec![0; in_memory(DATA_OFFSET)];
    file.read_at(0, &mut front)?;
    let slot = |slot: Slot| &front[in_memory(slot.offset())..];
    let (header, ..) = UnverifiedHeader::choose(slot(Slot::A), slot(Slot::B))?;
    header.verify(file.len_bytes()?)
}

/// The blocks of a store that do not match their checksums; why there are none, if so.
fn doubted_blocks(file: &dyn Backing) -> Result<Result<Vec<u64>, String>, Error> {
    let header = header_of(file)?;
    let sums = match Sums::find(file, &header, false)? {
        FoundSums::Kept(sums) => sums,
        other => return Ok(Err(format!("no checksums: {other:?}"))),
    };
    let mut doubted = Vec::new();
    for block in 0..sums.blocks() {
        let range = sums.bytes_of(block);
        let mut bytes = vec![0; in_memory(range.end - range.start)];
        file.read_at(range.start, &mut bytes)?;
        if sums.check_block(block, &bytes)? != BlockState::Sound {
            doubted.push(block);
        }
    }
    Ok(Ok(doubted))
}
