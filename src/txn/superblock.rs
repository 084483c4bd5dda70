//! The header of an open store: what it says, and how the next header is written.
//!
//! Invariant: slot `slot` of the file holds `header`. A new header goes to the *other* slot, in one
//! sector, and is synced: after any crash one slot is whole. The data that a header counts is
//! synced before the header is written.

use std::sync::Arc;

use super::metadata::{Metadata, NewMetadata, SchemaBytes};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    DATA_ALIGNMENT_BYTES, DESCRIPTORS_OFFSET, Header, MAGIC, Schema, Slot, SlotReport, Source as _,
    UnverifiedHeader, encode_annotations, in_pieces, new_header, parse_schema,
};
use crate::io::{Access, Backing, FileBacking, SECOND_SLOT, STORE_MAGIC, named};
use crate::number::{in_memory, smaller};
use crate::os;
use crate::step::{self, Step};
use crate::trace;

mod seen;
#[cfg(test)]
mod tests;

pub(crate) use seen::{HeaderWatch, SeenHeader};

/// How often a reader reads the slots again while a writer may be writing both.
const HEADER_TRIES: u32 = 8;

/// What opening reads in one call: both slots, and the schema unless records are very wide.
const FRONT_BYTES: usize = 12 << 10;

/// Records begin at this byte or later: a file that is not longer has no record to lose.
const RECORDLESS_BYTES_MAX: u64 = DATA_ALIGNMENT_BYTES;

// `crate::io` recognises a store by these, and must not know the format.
const _: () = {
    let (mut at, ours, known) = (0, MAGIC, STORE_MAGIC);
    while at < ours.len() {
        assert!(ours[at] == known[at]);
        at += 1;
    }
    assert!(Slot::B.offset() == SECOND_SLOT);
};

/// The header, schema and metadata of a store, as committed.
#[derive(Debug)]
pub(crate) struct Superblock {
    backing: Arc<dyn Backing>,
    header: Header,
    slot: Slot,
    /// What the slots held when the store was opened.
    report: SlotReport,
    watch: Arc<HeaderWatch>,
    schema: Schema,
    metadata: Arc<Metadata>,
    poisoned: bool,
    /// Whether this handle has written a header, so that closing must make both slots agree.
    changed: bool,
    /// Whether both slots agreed when the store was opened, as a clean close leaves them.
    at_rest: bool,
    /// Whether the slot in force is known to be durable.
    settled: bool,
    /// Whether the store is being made under a temporary name. Its header says so as soon as it
    /// counts records.
    unfinished: bool,
}

impl Superblock {
    /// Writes a new, empty store to `backing`, which must be empty, and makes it durable.
    pub(crate) fn create(
        backing: Arc<dyn Backing>,
        schema: &Schema,
        metadata: &NewMetadata,
        deletes: bool,
    ) -> Result<Self> {
        let file_id = os::random_id().map_err(|source| Error::io("draw a file id", source))?;
        let (header, region) = new_header(schema, metadata, deletes, file_id)?;
        backing.grow(header.data_offset)?;
        write_schema(&*backing, region, metadata)?;
        if let Some(place) = header.annotations() {
            backing.write_at(place.start, &encode_annotations(schema)?)?;
        }
        let bytes = header.encode();
        for slot in [Slot::A, Slot::B] {
            backing.write_at(slot.offset(), &bytes)?;
        }
        backing.sync_data()?;
        Ok(Self { settled: true, ..Self::open(backing)? })
    }

    /// Reads and verifies header and schema.
    pub(crate) fn open(backing: Arc<dyn Backing>) -> Result<Self> {
        let superblock = Self::open_even_short(backing)?;
        superblock.check_length()?;
        Ok(superblock)
    }

    /// As [`Superblock::open`], for a file that may have lost records at its end.
    pub(crate) fn open_even_short(backing: Arc<dyn Backing>) -> Result<Self> {
        let found = Front::read(&*backing).map_err(|error| named(error, &*backing))?;
        let schema = found.schema(&*backing).map_err(|error| named(error, &*backing))?;
        let metadata = Metadata::new(Arc::clone(&backing), found.header.clone(), &found.bytes);
        let watch = Arc::new(HeaderWatch::new(found.seen()));
        let Front { header, slot, report, at_rest, .. } = found;
        Ok(Self {
            backing,
            header,
            slot,
            report,
            watch,
            schema,
            metadata: Arc::new(metadata),
            poisoned: false,
            changed: false,
            at_rest,
            settled: false,
            unfinished: false,
        })
    }

    /// Reads the header again, for a reader beside a writer. The schema of a file never changes, so
    /// this reads the schema again only if the header describes another one.
    pub(crate) fn look_again(&mut self) -> Result<()> {
        let found = Front::read(&*self.backing).map_err(|error| self.name(error))?;
        if !found.header.has_schema_of(&self.header) {
            *self = Self::open_even_short(Arc::clone(&self.backing))?;
        } else {
            self.watch.show(found.seen());
            self.header = found.header;
            (self.slot, self.report, self.at_rest) = (found.slot, found.report, found.at_rest);
        }
        self.check_length()
    }

    fn check_length(&self) -> Result<()> {
        let len_bytes = self.backing.len_bytes()?;
        self.header.check_length(len_bytes).map_err(|error| self.name(error))
    }

    /// The header as the file has it now, without the schema.
    pub(crate) fn header_in(backing: &dyn Backing) -> Result<Header> {
        Ok(Front::read(backing).map_err(|error| named(error, backing))?.header)
    }

    /// Header and slots as the file has them now.
    pub(crate) fn seen_in(backing: &dyn Backing) -> Result<SeenHeader> {
        Ok(Front::read(backing).map_err(|error| named(error, backing))?.seen())
    }

    /// Whether the file still has the header that was read.
    pub(crate) fn is_current(&self) -> Result<bool> {
        Ok(Self::header_in(&*self.backing)? == self.header)
    }

    /// An error if views of the file show another file than the one that read calls read. An
    /// overlay file system copies a file when a process first opens it to write; views made before
    /// always show the original.
    ///
    /// A writer of the copy changes the header there before it tells readers anything: as long as
    /// both headers agree, so does everything that this header counts.
    pub(crate) fn check_views(&self) -> Result<()> {
        let properties = self.backing.properties();
        if !os::copies_up(&properties.file_system) || !properties.calls_see_views {
            return Ok(());
        }
        let len = in_memory(DESCRIPTORS_OFFSET);
        let view = self.backing.view(0, len, Access::ReadOnly)?;
        let (mut seen, mut read) = (vec![0; len], vec![0; len]);
        let mut before = Vec::new();
        loop {
            let got = self.backing.read_at(0, &mut read)?;
            if read == before {
                // Two equal readings: no writer is writing the header, and a writer never writes
                // the same header twice.
                return Err(self.name(outdated()));
            }
            view.read(0, &mut seen)?;
            if seen == read && got == len {
                return Ok(());
            }
            before.clone_from(&read);
        }
    }

    /// An error if the file is not a store. Opening it finds all other faults.
    pub(crate) fn check_is_store(backing: &dyn Backing) -> Result<()> {
        let front = read_front(backing)?;
        match choose(&front) {
            Err(error) if error.kind() == ErrorKind::NotAStore => Err(named(error, backing)),
            _ => Ok(()),
        }
    }

    /// Whether the file was left by a process that died while it made a store: it is too short for
    /// records, or a store without records, or its header has the mark of an unfinished store. A
    /// finished store with records is not such a file, whatever its name.
    pub(crate) fn is_leftover(file: &FileBacking) -> Result<bool> {
        let mut front = read_front(file)?;
        front.truncate(in_memory(DESCRIPTORS_OFFSET));
        if file.len_bytes()? <= RECORDLESS_BYTES_MAX {
            let begins = |slot| slot_in(&front, slot).starts_with(&MAGIC);
            let is_blank = front.iter().all(|&byte| byte == 0);
            return Ok(is_blank || begins(Slot::A) || begins(Slot::B));
        }
        let Ok((found, ..)) = choose(&front) else { return Ok(false) };
        let header = found.verify_alone();
        Ok(header.is_ok_and(|it| it.unfinished || it.counts.records == 0 && it.live_log.is_none()))
    }

    /// The header in force.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// What the two header slots held when the store was opened.
    pub(crate) fn report(&self) -> &SlotReport {
        &self.report
    }

    /// Header and slots, for threads that do not have the superblock.
    pub(crate) fn watch(&self) -> &Arc<HeaderWatch> {
        &self.watch
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(crate) fn metadata(&self) -> &Arc<Metadata> {
        &self.metadata
    }

    pub(crate) fn backing(&self) -> &Arc<dyn Backing> {
        &self.backing
    }

    /// An error if an earlier write or sync failed.
    #[inline]
    pub(crate) fn check_healthy(&self, operation: &'static str) -> Result<()> {
        if self.poisoned { Err(self.poisoned(operation)) } else { Ok(()) }
    }

    #[cold]
    fn poisoned(&self, operation: &'static str) -> Error {
        self.name(
            Error::new(ErrorKind::Poisoned, operation)
                .detail("an earlier write or sync failed, so what the disk holds is unknown")
                .advice("reopen the store: it then shows the last flush that succeeded"),
        )
    }

    /// Returns the result of a step; a failed step poisons the handle, which then refuses to write.
    #[inline]
    pub(crate) fn keep<V>(&mut self, result: Result<V>) -> Result<V> {
        if let (Err(error), false) = (&result, self.poisoned) {
            self.poisoned = true;
            trace::poisoned(&*self.backing, error);
        }
        result.map_err(|error| self.name(error))
    }

    /// Writes the header, changed by `change`, to the other slot, durably.
    pub(crate) fn commit(&mut self, change: impl FnOnce(&mut Header)) -> Result<()> {
        self.commit_with(true, change)
    }

    /// As [`Superblock::commit`]; a test can leave the sync out.
    pub(super) fn commit_with(
        &mut self,
        is_synced: bool,
        change: impl FnOnce(&mut Header),
    ) -> Result<()> {
        self.check_healthy("commit")?;
        self.make_slot_durable()?;
        let mut next = self.header.clone();
        change(&mut next);
        next.unfinished = self.unfinished && next.counts.records > 0;
        // The header was checked: its sequence is below 2^63. `check_countable` checks the next.
        next.sequence = self.header.sequence + 1;
        next.check_countable().map_err(|error| self.name(error))?;
        let slot = match step::skip(Step::OtherSlot) {
            true => self.slot,
            false => self.slot.other(),
        };
        let written = self
            .backing
            .write_at(slot.offset(), &next.encode())
            .and_then(|()| if is_synced { self.sync_header() } else { Ok(()) });
        self.keep(written)?;
        self.watch.show_written(&next, slot);
        self.header = next;
        self.slot = slot;
        self.changed = true;
        Ok(())
    }

    fn sync_header(&self) -> Result<()> {
        step::take(Step::HeaderSync, || self.backing.sync_data())
    }

    /// Makes each later header that counts records say that the store is unfinished.
    pub(crate) fn begin_unfinished(&mut self) {
        self.unfinished = true;
    }

    /// The store has got its name: writes a header without the mark of an unfinished store. The
    /// write is not synced, because the other slot differs only in that mark.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.unfinished = false;
        if !self.header.unfinished {
            return Ok(());
        }
        let mut next = Header { unfinished: false, ..self.header.clone() };
        // As in `commit_with`, the sequence is below 2^63.
        next.sequence += 1;
        let written = self.backing.write_at(self.slot.other().offset(), &next.encode());
        self.keep(written)?;
        self.watch.show_written(&next, self.slot.other());
        (self.header, self.slot, self.settled) = (next, self.slot.other(), false);
        Ok(())
    }

    /// Before a writer changes anything in a store that was not closed cleanly: makes the slot in
    /// force durable, and leaves the other slot unchanged.
    pub(super) fn settle_slot_in_force(&mut self) -> Result<()> {
        if self.at_rest || step::skip(Step::Settle) { Ok(()) } else { self.make_slot_durable() }
    }

    /// Before a writer's first change to a store that was not closed cleanly: makes the header that
    /// was read durable, in both slots, without the mark of an interrupted edit.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if self.at_rest && !self.header.editing || step::skip(Step::Settle) {
            return Ok(());
        }
        self.commit(|header| header.editing = false)?;
        self.at_rest = true;
        Ok(())
    }

    /// Makes the slot in force durable in its place, once, before the other slot is overwritten.
    ///
    /// A process that was killed may have written a slot and not synced it, even the second slot of
    /// a close. If a writer went on from that slot while the disk still held an older header, a
    /// power cut could bring the older header back, after records that it counts were overwritten.
    /// A failed sync may have left the slot clean in memory and old on the disk, so it is written
    /// again.
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

    /// Whether the slots agreed when the file was opened, as after a clean close, or have been made
    /// to agree since.
    pub(crate) fn at_rest(&self) -> bool {
        self.at_rest
    }

    /// Whether this handle has written a header.
    pub(crate) fn changed(&self) -> bool {
        self.changed
    }

    /// Adds the path to an error that has none.
    pub(crate) fn name(&self, error: Error) -> Error {
        named(error, &*self.backing)
    }
}

/// The front of a file, with its header. The header is verified, except against the file's length.
struct Front {
    header: Header,
    slot: Slot,
    report: SlotReport,
    at_rest: bool,
    /// The first bytes of the file.
    bytes: Vec<u8>,
}

impl Front {
    fn read(backing: &dyn Backing) -> Result<Self> {
        let mut tries = 0;
        loop {
            match Self::read_once(backing) {
                // A reader may find one slot half written, and, if the writer writes two headers
                // in that time, the other too: reading again tells this from damage.
                Err(error) if error.kind() == ErrorKind::Corrupt && tries < HEADER_TRIES => {
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    fn read_once(backing: &dyn Backing) -> Result<Self> {
        let bytes = read_front(backing)?;
        let (found, slot, report) = choose(&bytes)?;
        let at_rest = is_at_rest(&bytes, backing.len_bytes()?);
        Ok(Self { header: found.verify_alone()?, slot, report, at_rest, bytes })
    }

    fn seen(&self) -> SeenHeader {
        SeenHeader {
            header: self.header.clone(),
            slots: self.report.clone(),
            found_editing: self.header.editing,
        }
    }

    /// The schema behind the header. It is written once, before the header, so reading a damaged
    /// schema again would not help.
    fn schema(&self, backing: &dyn Backing) -> Result<Schema> {
        let end = self.header.end_of_description();
        if backing.len_bytes()? < end {
            return Err(Error::new(ErrorKind::Truncated, "read the schema of").offset(end));
        }
        parse_schema(&SchemaBytes::of(backing, &self.bytes, &self.header), &self.header)
    }
}

/// Writes a new store's schema, and its metadata behind it, to a file that has only zeros there.
fn write_schema(backing: &dyn Backing, mut bytes: Vec<u8>, metadata: &NewMetadata) -> Result<()> {
    let start = DESCRIPTORS_OFFSET + bytes.len() as u64;
    if metadata.len_bytes() <= FRONT_BYTES as u64 {
        // In one write with the schema.
        let len = usize::try_from(metadata.len_bytes()).unwrap_or(FRONT_BYTES);
        let schema_len = bytes.len();
        bytes.resize(schema_len + len, 0);
        metadata.read_at(0, &mut bytes[schema_len..])?;
        return backing.write_at(DESCRIPTORS_OFFSET, &bytes);
    }
    backing.write_at(DESCRIPTORS_OFFSET, &bytes)?;
    let mut at = start;
    in_pieces(metadata, 0..metadata.len_bytes(), |zeros, piece| {
        at += zeros;
        backing.write_at(at, piece)?;
        at += piece.len() as u64;
        Ok(())
    })?;
    Ok(())
}

/// The error of a handle whose views show the original of a file that the file system has copied.
pub(crate) fn outdated() -> Error {
    Error::new(ErrorKind::Outdated, "read")
        .detail("the file system copied the store to its upper layer when a writer opened it")
        .advice("open the store again; existing snapshots stay readable")
}

/// The first bytes of the file, with both header slots, or fewer if the file is shorter.
fn read_front(backing: &dyn Backing) -> Result<Vec<u8>> {
    let mut front = vec![0; FRONT_BYTES];
    let got = backing.read_at(0, &mut front)?;
    front.truncate(got);
    Ok(front)
}

/// The bytes from one slot on.
fn slot_in(front: &[u8], slot: Slot) -> &[u8] {
    &front[smaller(slot.offset(), front.len())..]
}

fn choose(front: &[u8]) -> Result<(UnverifiedHeader, Slot, SlotReport)> {
    UnverifiedHeader::choose(slot_in(front, Slot::A), slot_in(front, Slot::B))
}

/// Whether both slots are valid and agree, except for the sequence and the mark of an unfinished
/// store, which only one slot loses when the store gets its name.
fn is_at_rest(front: &[u8], file_len_bytes: u64) -> bool {
    let header = |slot| {
        let (found, ..) = UnverifiedHeader::choose(slot_in(front, slot), &[]).ok()?;
        let header = found.verify(file_len_bytes).ok()?;
        Some(Header { sequence: 0, unfinished: false, ..header })
    };
    header(Slot::A).is_some_and(|a| header(Slot::B) == Some(a))
}
