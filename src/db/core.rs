//! The header of an open store: what is committed, and how the next commit is written.
//!
//! Invariant: `header` is what slot `slot` of the file holds. A commit writes the *other* slot, in
//! one sector, and syncs: whatever happens meanwhile, one slot is whole. The data that a header
//! counts is synced before it.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    DESCRIPTORS_OFFSET, Header, MAGIC, Schema, Slot, SlotReport, UnverifiedHeader, new_header,
    parse_schema,
};
use crate::map::{Backing, FileBacking};
use crate::os;
use crate::step::{self, Step};

/// How often a reader looks again when a writer was just writing both slots.
const HEADER_TRIES: u32 = 8;

/// What opening reads at once: both slots and the schema of all but very wide records.
const FRONT_BYTES: usize = 12 << 10;

/// How long a file is that gets its first header: up to its records, of which there are none.
const UNWRITTEN_BYTES_MAX: u64 = 64 << 10;

/// The header, schema and metadata of a store, as committed.
#[derive(Debug)]
pub(super) struct Core {
    backing: Arc<dyn Backing>,
    header: Header,
    slot: Slot,
    report: SlotReport,
    schema: Schema,
    metadata: Vec<u8>,
    poisoned: bool,
    /// Whether this handle has committed anything, so that closing has something to tidy.
    changed: bool,
    /// Whether both slots said the same when the store was opened, as a clean close leaves them.
    at_rest: bool,
    /// Whether the slot in force is known to be durable.
    settled: bool,
    /// Whether the header that was found carries the mark of an exclusive edit.
    found_editing: bool,
}

impl Core {
    /// Lays a new, empty store out in `backing`, which has no bytes yet, and makes it durable.
    pub(super) fn create(
        backing: Arc<dyn Backing>,
        schema: &Schema,
        metadata: &[u8],
        deletes: bool,
    ) -> Result<Self> {
        let file_id = os::random_id().map_err(|source| Error::io("draw a file id", source))?;
        let (header, region) = new_header(schema, metadata, deletes, file_id)?;
        backing.grow(header.data_offset)?;
        backing.write_at(DESCRIPTORS_OFFSET, &region)?;
        let bytes = header.encode();
        for slot in [Slot::A, Slot::B] {
            backing.write_at(slot.offset(), &bytes)?;
        }
        backing.sync_data()?;
        Ok(Self { settled: true, ..Self::open(backing)? })
    }

    /// Reads and verifies header and schema.
    pub(super) fn open(backing: Arc<dyn Backing>) -> Result<Self> {
        let core = Self::open_even_short(backing)?;
        let len_bytes = core.backing.len_bytes()?;
        core.header.check_length(len_bytes).map_err(|error| core.name(error))?;
        Ok(core)
    }

    /// As [`Core::open`], of a file that may have lost records at its end.
    pub(super) fn open_even_short(backing: Arc<dyn Backing>) -> Result<Self> {
        let mut tries = 0;
        loop {
            match Self::read(&backing) {
                // A reader beside a writer may meet one slot half written, and in the time of two
                // commits the other: looking again tells that from corruption.
                Err(error) if error.kind() == ErrorKind::Corrupt && tries < HEADER_TRIES => {
                    tries += 1;
                }
                other => return other.map_err(|error| named(error, &*backing)),
            }
        }
    }

    /// An error if the file is no store at all; what else may be wrong shows when it is opened.
    pub(super) fn check_is_store(backing: &dyn Backing) -> Result<()> {
        let front = read_front(backing)?;
        match choose(&front) {
            Err(error) if error.kind() == ErrorKind::NotAStore => Err(named(error, backing)),
            _ => Ok(()),
        }
    }

    /// Whether the file is a store, or what a maker that died leaves of one: nothing, or no more
    /// than the room of a header that is not written yet.
    pub(super) fn is_unfinished(file: &FileBacking) -> Result<bool> {
        let mut front = read_front(file)?;
        front.truncate(usize::try_from(DESCRIPTORS_OFFSET).unwrap_or(usize::MAX));
        let begins = |slot: Slot| {
            let start = usize::try_from(slot.offset()).unwrap_or(usize::MAX);
            front.get(start..).is_some_and(|bytes| bytes.starts_with(&MAGIC))
        };
        let blank = file.len_bytes()? <= UNWRITTEN_BYTES_MAX && front.iter().all(|&byte| byte == 0);
        Ok(blank || begins(Slot::A) || begins(Slot::B))
    }

    fn read(backing: &Arc<dyn Backing>) -> Result<Self> {
        let front = read_front(&**backing)?;
        let (found, slot, report) = choose(&front)?;
        let file_len_bytes = backing.len_bytes()?;
        let at_rest = is_at_rest(&front, file_len_bytes);
        let header = found.verify_alone()?;
        let region_len = u64::from(header.schema_len_bytes) + u64::from(header.metadata_len_bytes);
        let region = Self::read_schema(&**backing, front, region_len)?;
        let (schema, metadata) = parse_schema(&region, &header)?;
        let found_editing = header.editing;
        Ok(Self {
            backing: Arc::clone(backing),
            header,
            slot,
            report,
            schema,
            metadata,
            poisoned: false,
            changed: false,
            at_rest,
            settled: false,
            found_editing,
        })
    }

    /// The schema's bytes: out of the front of the file, or read by themselves if they are many.
    fn read_schema(backing: &dyn Backing, mut front: Vec<u8>, len: u64) -> Result<Vec<u8>> {
        let start = usize::try_from(DESCRIPTORS_OFFSET).unwrap_or(usize::MAX);
        // Nothing is allocated by a length that the file has not.
        let end = DESCRIPTORS_OFFSET.saturating_add(len);
        if backing.len_bytes()? < end {
            return Err(Error::new(ErrorKind::Truncated, "read the schema of").offset(end));
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if front.len().saturating_sub(start) >= len {
            front.drain(..start);
            front.truncate(len);
            return Ok(front);
        }
        let mut region = vec![0; len];
        let got = backing.read_at(DESCRIPTORS_OFFSET, &mut region)?;
        if got < len {
            return Err(Error::new(ErrorKind::Truncated, "read the schema of")
                .offset(DESCRIPTORS_OFFSET + got as u64));
        }
        Ok(region)
    }

    /// The header as committed.
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// What was found in the two header slots when the store was opened.
    pub(super) fn report(&self) -> &SlotReport {
        &self.report
    }

    /// Whether an exclusive edit was interrupted before this handle opened the store.
    pub(super) fn found_editing(&self) -> bool {
        self.found_editing
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    pub(super) fn backing(&self) -> &Arc<dyn Backing> {
        &self.backing
    }

    /// An error if an earlier sync failed.
    #[inline]
    pub(super) fn check_healthy(&self, operation: &'static str) -> Result<()> {
        if self.poisoned { Err(self.poisoned(operation)) } else { Ok(()) }
    }

    #[cold]
    fn poisoned(&self, operation: &'static str) -> Error {
        self.name(
            Error::new(ErrorKind::Poisoned, operation)
                .detail("an earlier write or sync failed, so what the disk holds is unknown")
                .advice("reopen the store: it is as it was at the last flush that succeeded"),
        )
    }

    /// Keeps the result of a step of a commit; after a failed one the handle writes no more.
    #[inline]
    pub(super) fn keep<V>(&mut self, result: Result<V>) -> Result<V> {
        if result.is_err() {
            self.poisoned = true;
        }
        result.map_err(|error| self.name(error))
    }

    /// Commits `change` of the header into the other slot, durably.
    pub(super) fn commit(&mut self, change: impl FnOnce(&mut Header)) -> Result<()> {
        self.check_healthy("commit")?;
        self.make_slot_durable()?;
        let mut next = self.header.clone();
        change(&mut next);
        next.sequence = self.header.sequence.checked_add(1).ok_or_else(|| {
            self.name(Error::new(ErrorKind::Corrupt, "commit").detail("the sequence is used up"))
        })?;
        let slot = match step::skip(Step::OtherSlot) {
            true => self.slot,
            false => self.slot.other(),
        };
        let written = self
            .backing
            .write_at(slot.offset(), &next.encode())
            .and_then(|()| step::take(Step::HeaderSync, || self.backing.sync_data()));
        self.keep(written)?;
        self.header = next;
        self.slot = slot;
        self.changed = true;
        Ok(())
    }

    /// Before a writer's first change to a store that was not closed cleanly: makes what was found
    /// durable, in both slots. The mark of an interrupted edit goes, if there is one.
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.at_rest && !self.header.editing || step::skip(Step::Settle) {
            return Ok(());
        }
        self.commit(|header| header.editing = false)?;
        self.at_rest = true;
        Ok(())
    }

    /// Makes the slot in force durable where it is, once, before the other is written over.
    ///
    /// A process that was killed may have written a slot and not synced it, even the second one of
    /// a close. To go on from that slot while the disk still holds another would let a power cut
    /// bring the other back, when records that it counts have been written over. A failed sync may
    /// have left the slot clean in memory and old on the disk, so it is written again.
    fn make_slot_durable(&mut self) -> Result<()> {
        if self.settled {
            return Ok(());
        }
        let written = self
            .backing
            .write_at(self.slot.offset(), &self.header.encode())
            .and_then(|()| self.backing.sync_data());
        self.keep(written)?;
        self.settled = true;
        Ok(())
    }

    /// Whether the file was as a clean close leaves it when it was opened, or is settled by now.
    pub(super) fn at_rest(&self) -> bool {
        self.at_rest
    }

    /// Whether this handle has committed anything.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    /// Adds the path to an error that has none.
    pub(super) fn name(&self, error: Error) -> Error {
        named(error, &*self.backing)
    }
}

/// The first bytes of the file, both header slots among them, as far as it has them.
fn read_front(backing: &dyn Backing) -> Result<Vec<u8>> {
    let mut front = vec![0; FRONT_BYTES];
    let got = backing.read_at(0, &mut front)?;
    front.truncate(got);
    Ok(front)
}

/// The bytes of one slot among those of both.
fn slot_in(front: &[u8], slot: Slot) -> &[u8] {
    let start = usize::try_from(slot.offset()).unwrap_or(usize::MAX).min(front.len());
    &front[start..]
}

fn choose(front: &[u8]) -> Result<(UnverifiedHeader, Slot, SlotReport)> {
    UnverifiedHeader::choose(slot_in(front, Slot::A), slot_in(front, Slot::B))
}

/// Whether both slots are valid and say the same but for their sequence.
fn is_at_rest(front: &[u8], file_len_bytes: u64) -> bool {
    let header = |slot| {
        let (found, ..) = UnverifiedHeader::choose(slot_in(front, slot), &[]).ok()?;
        let header = found.verify(file_len_bytes).ok()?;
        Some(Header { sequence: 0, ..header })
    };
    header(Slot::A).is_some_and(|a| header(Slot::B) == Some(a))
}

/// Adds the path of a backing to an error that has none.
pub(super) fn named(error: Error, backing: &dyn Backing) -> Error {
    match backing.path() {
        Some(path) => error.path(path),
        None => error,
    }
}
