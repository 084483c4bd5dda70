//! The new store of a migration, which may have records of an interrupted one.

use std::path::Path;

use super::options::{MigrateOptions, MigrateReport};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Schema, put_dead, put_live};
use crate::number::{in_memory, smaller};
use crate::store::DynStore;
use crate::txn::NewMetadata;

/// How many bytes are written before they are made durable, so that little is lost by an
/// interruption.
const FLUSH_BYTES: u64 = 64 << 20;

/// An interruption that comes earlier leaves nothing: so much is soon done again.
const KEPT_BYTES_MIN: u64 = 1 << 20;

/// What happens to each new record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// It is appended; or compared, if an interrupted migration has written it.
    Write,
    /// It is compared with what was written.
    Compare,
}

/// The new store.
pub(super) struct Target {
    store: DynStore,
    /// The records that an interrupted migration had written.
    resumed: u64,
    /// Whether one of them differs from that of this migration.
    of_another: bool,
    /// The records that a pass has come to.
    done: u64,
    written_bytes: u64,
    unflushed_bytes: u64,
    /// The bytes read back.
    found: Vec<u8>,
    /// The first deleted record.
    pub(super) free_head: Option<u64>,
}

/// What the new store is, and where.
struct Made<'m> {
    path: &'m Path,
    out: &'m Path,
    schema: &'m Schema,
    metadata: Vec<u8>,
    deletes: bool,
    checksums: bool,
}

impl Target {
    /// Begins the new store of the one at `path`, at `out`, or finds what an interrupted migration
    /// has left.
    pub(super) fn begin(
        path: &Path,
        out: &Path,
        from: &DynStore,
        schema: &Schema,
        options: &MigrateOptions<'_>,
    ) -> Result<Self> {
        let made = Made {
            path,
            out,
            schema,
            metadata: match &options.metadata {
                Some(bytes) => bytes.clone(),
                None => from.metadata()?.to_vec(),
            },
            deletes: from.file.slots.status_byte().is_some(),
            checksums: from.has_checksums()?,
        };
        let left = if options.resume { made.left(options)? } else { None };
        let mut store = match left {
            Some(left) => left,
            None => made.create(options)?,
        };
        // From now on an interruption, also a kill, leaves what was flushed.
        store.keep_unfinished(true);
        let resumed = store.count();
        Ok(Self {
            store,
            resumed,
            of_another: false,
            done: 0,
            written_bytes: 0,
            unflushed_bytes: 0,
            found: Vec::new(),
            free_head: None,
        })
    }

    /// Whether an interrupted migration of another kind, or of other records, has written it.
    pub(super) fn is_of_another(&self) -> bool {
        self.of_another
    }

    /// Adds the slot of a record.
    pub(super) fn push_live(&self, slots: &mut Vec<u8>, record: &[u8]) {
        let start = slots.len();
        slots.resize(start + self.store.file.slots.stride(), 0);
        match self.store.file.slots.status_byte() {
            Some(_) => put_live(&mut slots[start..], record),
            None => slots[start..start + record.len()].copy_from_slice(record),
        }
    }

    /// Adds the slot of a deleted record.
    pub(super) fn push_dead(&self, slots: &mut Vec<u8>, next: Option<u64>) {
        let start = slots.len();
        slots.resize(start + self.store.file.slots.stride(), 0);
        put_dead(&mut slots[start..], self.store.file.slots.record_len(), next);
    }

    /// Takes the next slots of `count` records.
    pub(super) fn take(&mut self, pass: Pass, slots: &[u8], count: u64) -> Result<()> {
        let there = match pass {
            Pass::Write => smaller(self.resumed.saturating_sub(self.done), in_memory(count)),
            Pass::Compare => in_memory(count),
        };
        let stride = self.store.file.slots.stride();
        let (written, new) = slots.split_at(there * stride);
        if !self.has(written)? {
            self.of_another = pass == Pass::Write;
            return Err(self.differs());
        }
        self.done += count;
        if new.is_empty() {
            return Ok(());
        }
        self.store.file.append_slots(new, (new.len() / stride) as u64)?;
        self.written_bytes += new.len() as u64;
        self.unflushed_bytes += new.len() as u64;
        if self.unflushed_bytes >= FLUSH_BYTES {
            self.unflushed_bytes = 0;
            self.store.flush()?;
        }
        Ok(())
    }

    /// Whether the next slots are there.
    fn has(&mut self, slots: &[u8]) -> Result<bool> {
        let file = &self.store.file;
        let geometry = file.superblock.header().layout()?.geometry;
        let start = geometry.data_offset + self.done * geometry.stride;
        self.found.resize(slots.len(), 0);
        let got = file.superblock.backing().read_at(start, &mut self.found)?;
        Ok(got == slots.len() && self.found == slots)
    }

    fn differs(&self) -> Error {
        let error = Error::new(ErrorKind::Corrupt, "read back the new store");
        self.store.file.superblock.name(error.detail("it does not have what was written"))
    }

    /// Makes everything durable, with the count of `live` records, and prepares the pass that
    /// compares.
    pub(super) fn finish(&mut self, live: u64) -> Result<()> {
        if self.store.count() > self.done {
            // An interrupted migration has written more records than the store has now.
            self.of_another = true;
            return Err(self.differs());
        }
        if self.done > 0 {
            self.store.file.flush_as(live, self.free_head)?;
        }
        self.done = 0;
        Ok(())
    }

    /// Gives the store its name.
    pub(super) fn close(self, mut report: MigrateReport) -> Result<MigrateReport> {
        let info = self.store.info()?;
        report.written_bytes = info.data_offset + info.count * u64::from(info.stride);
        report.resumed = self.resumed;
        self.store.close()?;
        Ok(report)
    }

    /// Leaves what was written for a later migration if `keep` is set and it is worth it, and
    /// removes it otherwise.
    pub(super) fn give_up(mut self, keep: bool) {
        let keep = keep && (self.resumed > 0 || self.written_bytes >= KEPT_BYTES_MIN);
        if keep {
            // If it fails, less is left.
            let _ = self.store.flush();
        }
        self.store.keep_unfinished(keep);
    }
}

impl Made<'_> {
    fn create(self, options: &MigrateOptions<'_>) -> Result<DynStore> {
        let mut new = DynStore::create_options()
            .wait(options.copy.wait)
            .deletes(self.deletes)
            .checksums(self.checksums)
            .allow_network_file_system(options.copy.allow_network);
        new.common.metadata = NewMetadata::Bytes(self.metadata);
        new.common.set_copy_of(self.path)?;
        let replace = options.out.is_none() || options.copy.replace;
        new.create_aside(self.out, self.schema, replace).map_err(|error| {
            error.advise_to_replace(
                self.out,
                "choose another path, or replace the file with MigrateOptions::replace",
            )
        })
    }

    /// What an interrupted migration to the same schema has left.
    fn left(&self, options: &MigrateOptions<'_>) -> Result<Option<DynStore>> {
        let replace = options.out.is_none() || options.copy.replace;
        let resumed = DynStore::options()
            .wait(options.copy.wait)
            .allow_network_file_system(options.copy.allow_network)
            .resume_aside(self.out, replace);
        let mut left = match resumed {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            left => left?,
        };
        let is_same = left.schema() == self.schema
            && left.metadata()? == self.metadata
            && left.file.slots.status_byte().is_some() == self.deletes
            && left.has_checksums()? == self.checksums;
        if !is_same {
            left.keep_unfinished(false);
            return Ok(None);
        }
        Ok(Some(left))
    }
}
