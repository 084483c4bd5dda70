//! A store on a simulated disk, what it must hold, and the events between its lives.

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

/// The data offset of every store.
const DATA_OFFSET: u64 = 65_536;

/// Record lengths: less than a sector, about a sector, and several sectors.
const RECORD_LENS: &[usize] = &[8, 12, 100, 100, 125, 200, 333, 512, 700, 1000, 1000, 1500, 2000];

/// The remainder modulo 16 of seeds with append-only histories.
const BULK_ONLY_SEEDS: u64 = 7;

/// Why a life ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// A strike ended it.
    Struck,
    /// A call failed, by a strike or because an earlier one had failed.
    Failed,
    /// The store broke its promise.
    Broken(String),
}

/// The end of a life that no strike ends.
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
    /// One life in so many uses an exclusive handle.
    pub(super) exclusive_odds: u64,
    /// Whether an exclusive edit is running, whose interruption loses records.
    pub(super) editing: bool,
    /// Whether the history has ended.
    pub(super) over: bool,
    /// Random numbers for free space and damage, independent of the others.
    pub(super) trouble: Random,
    /// The damage to the closed store, if any.
    pub(super) damage: Option<Damage>,
    /// Whether the store was closed and nothing has happened since.
    pub(super) is_at_rest: bool,
    /// The calls refused for lack of space.
    pub(super) room: Room,
    next_stamp: Stamp,
    /// The files of the log that the previous life left: those that no header names do no harm, and
    /// the next log removes them.
    logs_left: Vec<String>,
    /// Whether the disk is as a power cut left it, without writes since.
    rebooted: bool,
    /// How many struck calls have shown in an error.
    strikes_told: u64,
    scratch: Vec<u8>,
}

impl World {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let mut random = Random::new(seed);
        let disk = Disk::new(&mut random, traced);
        let record_len = random.pick(RECORD_LENS);
        let (deletes, checksums) = (random.coin(), random.one_in(3));
        // Not drawn, so that other histories do not depend on it.
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

    /// Adds a line to the trace.
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

    /// A new stamp.
    pub(super) fn stamp(&mut self) -> Stamp {
        self.next_stamp += 1;
        self.next_stamp
    }

    /// A new record, and its stamp.
    pub(super) fn record(&mut self) -> (Stamp, Vec<u8>) {
        let stamp = self.stamp();
        (stamp, record(stamp, self.record_len))
    }

    /// Takes the result of a call, which may fail only after a strike.
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

    /// As [`World::take`], for the opening of a store, whose last edit may have been interrupted.
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

    /// The last attempted commit was acknowledged.
    pub(super) fn acknowledge(&mut self, survives_power: bool) {
        self.report.commits += 1;
        self.oracle.acknowledge(survives_power);
        self.editing &= !survives_power;
    }

    /// All acknowledged commits survive a power cut from now on.
    pub(super) fn make_durable(&mut self) {
        self.oracle.make_durable();
        self.editing = false;
    }

    /// Checks what a clean close leaves: the data file, as long as its records, and no log of its
    /// own.
    pub(super) fn check_at_rest(&mut self) -> Result<(), Stop> {
        let names = self.disk.names();
        let len = self.file()?.len_bytes();
        let len = self.take("ask the length", len)?;
        let stride = self.record_len + usize::from(self.deletes);
        let wanted = DATA_OFFSET + (self.oracle.current().len() * stride) as u64;
        let is_new_log = |name: &String| name.contains("-wal") && !self.logs_left.contains(name);
        if len != wanted || names.iter().any(is_new_log) {
            return Err(Stop::Broken(format!(
                "at rest: {names:?}, {len} bytes instead of {wanted}"
            )));
        }
        self.is_at_rest = true;
        if self.checksums { self.check_sums("at rest") } else { Ok(()) }
    }

    /// Checks that the checksums of a store cover the records that its header counts, and match
    /// except for a damaged block: no later event may make that one look sound.
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

    /// How many acknowledged records the header does not count yet.
    pub(super) fn uncounted(&mut self) -> Result<u64, Stop> {
        let header = header_of(&*self.file()?);
        let counted = self.take("look at the header", header)?.counts.records;
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

    /// Compares the state that a newly opened handle shows with the allowed ones.
    pub(super) fn find(&mut self, found: &[Stamp]) -> Result<(), Stop> {
        self.report.recoveries += 1;
        if self.bulk_only {
            // In these histories only a clean end of the log changes summed blocks; a checkpoint
            // does not.
            self.check_sums("found")?;
        }
        let durably = std::mem::take(&mut self.rebooted);
        self.editing &= !durably;
        self.oracle.find(found, durably).map_err(Stop::Broken)
    }

    /// As [`World::find`], for a read-only handle, which makes nothing durable.
    pub(super) fn find_by_reader(&mut self, found: &[Stamp]) -> Result<(), Stop> {
        self.report.recoveries += 1;
        self.editing &= !self.rebooted;
        self.oracle.find(found, self.rebooted).map_err(Stop::Broken)
    }

    /// Lets a fault strike one of the next `calls` calls.
    pub(super) fn endanger(&mut self, calls: u64) {
        let fault =
            self.random.pick(&[Fault::PowerCut, Fault::PowerCut, Fault::Kill, Fault::Error]);
        let after = self.random.below(calls);
        let writes_count = self.random.coin();
        self.note(|| format!("  ({fault:?} after {after} calls, writes counted: {writes_count})"));
        self.disk.strike_after(after, writes_count, fault);
    }

    /// The end of a life: the power comes back, or another process starts.
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

    /// Makes the store's file again, empty.
    pub(super) fn begin_file(&mut self) -> Result<(), Stop> {
        let begun = self.disk.create(NAME);
        begun.map_err(|error| Stop::Broken(format!("the simulation itself: {error}")))
    }

    /// The state of the store after all acknowledged commits.
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

/// The blocks of a store that do not match their checksums, or why there are no checksums.
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
