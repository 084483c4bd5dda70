//! Migration: a store with another schema, made from each record of the old one.
//!
//! The new store is written beside its path and gets its name when it is complete and has been read
//! back. Until then the old store is as it was; readers that have it open keep it. The writer's
//! lock of the path is held from the beginning, so no commit is left behind.

mod convert;
mod options;
mod plan;
mod target;

use std::fs;
use std::path::{Path, PathBuf};

#[cfg(feature = "exchange")]
pub(crate) use self::convert::{convert, is_possible as is_convertible};
pub use self::options::{MigrateOptions, MigrateReport, MisfitValue};
use self::plan::{Misfit, Plan};
use self::target::{Pass, Target};
use super::copy::{read_slots, refuse_same};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Changed, Field, Found, SchemaChange, added, next_free};
use crate::number::len_of;
use crate::os;
use crate::store::DynStore;

/// Changes the schema of the store at `path`, and each record with it.
///
/// Every field keeps its values, also where it gets another type: an integer becomes a wider or a
/// narrower one or a float, a float an integer or a `float32`, a timestamp another unit or a date,
/// a text a number, and each of them a text. A value that the new field does not hold exactly is a
/// *misfit*. With one misfit nothing is changed, unless [`MigrateOptions::leave_out_misfits`] says
/// so. [`SchemaChange`] has the changes.
///
/// Deleted records stay deleted, under their numbers, and so does the free list. The store keeps
/// its metadata, its annotations, and checksums if it has them. It gets a new file id, and its
/// commits begin anew.
///
/// The migration holds the writer's lock, so no other handle can write until it ends. Readers go
/// on, and those that have the store open keep the old one. On Windows a store that is open cannot
/// be replaced; [`MigrateOptions::out`] makes the new store elsewhere.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, MigrateOptions, Schema, SchemaChange, Value};
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path().join("trades.rec");
/// let schema = Schema::packed([
///     Field::new("id", DataType::Int32),
///     Field::new("px", DataType::Utf8(10)),
/// ])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append(b"\x07\0\0\0101.25\0\0\0\0")?;
/// store.close()?;
///
/// let change = SchemaChange::new()
///     .retype("id", DataType::Int64)
///     .rename("px", "price")
///     .retype("price", DataType::Float64)
///     .add_field(Field::new("venue", DataType::Utf8(4)).nullable());
/// # #[cfg(feature = "text")] {
/// flatrec::migrate(&path, &change, MigrateOptions::new())?;
///
/// let store = DynStore::open_read_only(&path)?;
/// let record = store.get(0).unwrap();
/// let value = |name| store.schema().field(name).unwrap().read(record);
/// assert_eq!((value("id")?, value("price")?), (Value::Int(7), Value::Float(101.25)));
/// assert_eq!(value("venue")?, Value::Null);
/// # }
/// # Ok::<(), flatrec::Error>(())
/// ```
///
/// # Errors
/// - [`ErrorKind::InvalidValue`] if there are misfits;
/// - as [`SchemaChange::apply`], and [`ErrorKind::InvalidArgument`] if a type cannot become another
///   one, or if the store has other names (hard links) that would keep the old schema;
/// - [`ErrorKind::Locked`] if another handle writes;
/// - [`ErrorKind::Corrupt`] at the first block that does not match its checksum, and if the new
///   store does not read back as it was written;
/// - [`ErrorKind::NoSpace`] if the disk is full;
/// - as [`DynStore::open_read_only`](crate::DynStore::open_read_only) and
///   [`DynStore::create`](crate::DynStore::create).
///
/// After an error the store is as it was.
pub fn migrate(
    path: impl AsRef<Path>,
    change: &SchemaChange,
    mut options: MigrateOptions<'_>,
) -> Result<MigrateReport> {
    let path = path.as_ref();
    let mut report = MigrateReport::default();
    let mut from = open(path, &options)?;
    let planned = change.of(from.schema()).and_then(|changed| Ok((Plan::new(&changed)?, changed)));
    let (plan, changed) = planned.map_err(|error| from.file.superblock.name(error))?;
    report.added = added(&changed.fields);
    report.dropped = changed.dropped.clone();
    report.changed = changed.schema != *from.schema() || options.metadata.is_some();
    if !report.changed && options.out.is_none() {
        report.records = from.live_count();
        report.deleted = from.count() - from.live_count();
        return Ok(report);
    }
    let mut job = Job { plan, changed, report, interrupted: false };
    if options.dry_run {
        job.run(&from, None, &mut options)?;
        job.outcome(&from, &options)?;
        return Ok(job.report);
    }
    let out = match &options.out {
        Some(out) => {
            refuse_same(path, out)?;
            out.clone()
        }
        None => own_place(path)?,
    };
    loop {
        let target = Target::begin(path, &out, &from, &job.changed.schema, &options)?;
        if options.out.is_none() {
            from = reopened(path, from, &options)?;
        }
        match job.write(&from, target, &mut options)? {
            Some(target) => {
                // Some systems cannot replace the name of an open file.
                drop(from);
                return target.close(job.report);
            }
            // What an interrupted migration has left was of another one, or of other records.
            None => options.resume = false,
        }
    }
}

/// The store again, now that no other handle can write: one may have done so before.
fn reopened(path: &Path, before: DynStore, options: &MigrateOptions<'_>) -> Result<DynStore> {
    let now = open(path, options)?;
    if now.schema() != before.schema() {
        return Err(Error::new(ErrorKind::Locked, "migrate")
            .path(path)
            .detail("another process has just changed its schema"));
    }
    Ok(now)
}

fn open(path: &Path, options: &MigrateOptions<'_>) -> Result<DynStore> {
    DynStore::read_options().wait(options.copy.wait).open_read_only(path)
}

/// The file itself, where `path` is a link to it: the new store gets that name.
fn own_place(path: &Path) -> Result<PathBuf> {
    let failed = |source| Error::io("find", source).path(path);
    let place = match path.symlink_metadata().map_err(failed)?.is_symlink() {
        true => fs::canonicalize(path).map_err(failed)?,
        false => path.to_path_buf(),
    };
    if os::has_other_names(&fs::metadata(&place).map_err(failed)?) {
        return Err(Error::new(ErrorKind::InvalidArgument, "migrate")
            .path(path)
            .detail("the file has a second name (a hard link), which would keep the old schema")
            .advice("remove that name, or make the new store under another name"));
    }
    Ok(place)
}

/// A migration at work.
struct Job {
    plan: Plan,
    changed: Changed,
    report: MigrateReport,
    /// Whether the caller has asked for the end.
    interrupted: bool,
}

impl Job {
    /// Writes all records, reads them back and compares them. `None` if what an interrupted
    /// migration has left in `target` is of no use; then it is removed.
    fn write(
        &mut self,
        from: &DynStore,
        mut target: Target,
        options: &mut MigrateOptions<'_>,
    ) -> Result<Option<Target>> {
        let written = self
            .run(from, Some((&mut target, Pass::Write)), options)
            .and_then(|()| self.outcome(from, options))
            .and_then(|()| target.finish(self.report.records));
        if target.is_of_another() {
            target.give_up(false);
            return Ok(None);
        }
        let compared =
            written.and_then(|()| self.run(from, Some((&mut target, Pass::Compare)), options));
        match compared {
            Ok(()) => Ok(Some(target)),
            Err(error) => {
                target.give_up(self.interrupted);
                Err(error)
            }
        }
    }

    /// Goes through all records once.
    fn run(
        &mut self,
        from: &DynStore,
        target: Option<(&mut Target, Pass)>,
        options: &mut MigrateOptions<'_>,
    ) -> Result<()> {
        let report = MigrateReport {
            added: std::mem::take(&mut self.report.added),
            dropped: std::mem::take(&mut self.report.dropped),
            changed: self.report.changed,
            ..MigrateReport::default()
        };
        let MigrateOptions { copy, on_misfit, leave_out, .. } = options;
        let (half, halves) = match &target {
            None => (0, 1),
            Some((_, pass)) => (u64::from(*pass == Pass::Compare), 2),
        };
        let tells = half == 0;
        let mut pass = OnePass {
            from,
            plan: &self.plan,
            target,
            leave_out: *leave_out,
            report,
            slots: Vec::new(),
            record: vec![0; len_of(self.changed.schema.record_size())],
            free_head: from.file.free_head(),
            on_misfit: |misfit: &MisfitValue<'_>| match on_misfit.as_mut().filter(|_| tells) {
                Some(told) => told(misfit),
                None => Ok(()),
            },
        };
        let interrupted = &mut self.interrupted;
        let mut progress = |done: u64, total: u64| {
            let done = done + half * total;
            copy.report(done, total * halves).inspect_err(|_| *interrupted = true)
        };
        let result = read_slots(&from.file, &mut progress, |first, slots| pass.take(first, slots));
        let (report, free_head) = (pass.report, pass.free_head);
        self.report = report;
        if let Some((target, _)) = pass.target {
            target.free_head = free_head;
        }
        if from.count() == 0 {
            progress(1, 1)?;
        }
        result
    }

    /// The error of values that do not fit.
    fn outcome(&self, from: &DynStore, options: &MigrateOptions<'_>) -> Result<()> {
        let misfits = self.report.misfits;
        if misfits == 0 || options.leave_out {
            return Ok(());
        }
        let what = if misfits == 1 { "1 value does" } else { &format!("{misfits} values do") };
        Err(from.file.superblock.name(
            Error::new(ErrorKind::InvalidValue, "migrate")
                .detail(format!("{what} not fit the new schema; nothing was changed"))
                .advice("choose a wider type, or leave out the records with such values"),
        ))
    }
}

/// One way through the records.
struct OnePass<'p, F> {
    from: &'p DynStore,
    plan: &'p Plan,
    target: Option<(&'p mut Target, Pass)>,
    leave_out: bool,
    report: MigrateReport,
    /// The new slots of some records.
    slots: Vec<u8>,
    record: Vec<u8>,
    /// The first deleted record, which may have come in the place of one that was left out.
    free_head: Option<u64>,
    on_misfit: F,
}

impl<F: FnMut(&MisfitValue<'_>) -> Result<()>> OnePass<'_, F> {
    /// Takes the old slots of some records, from record `first` on.
    fn take(&mut self, first: u64, slots: &[u8]) -> Result<()> {
        let file = &self.from.file;
        let record_len = file.slots.record_len();
        self.slots.clear();
        let mut count = 0;
        for (id, slot) in (first..).zip(slots.chunks_exact(file.slots.stride())) {
            match file.slots.found(slot) {
                Err(status) => return Err(file.damaged(id, status)),
                Ok(Found::Live) => count += self.live(id, &slot[..record_len])?,
                Ok(_) => {
                    self.report.deleted += 1;
                    self.dead(next_free(slot));
                    count += 1;
                }
            }
        }
        match &mut self.target {
            Some((target, pass)) => target.take(*pass, &self.slots, count),
            None => Ok(()),
        }
    }

    /// Makes the new record of record `id`; returns how many slots it takes.
    fn live(&mut self, id: u64, record: &[u8]) -> Result<u64> {
        let (report, on_misfit) = (&mut self.report, &mut self.on_misfit);
        let fits = self.plan.apply(record, &mut self.record, |Misfit { from, why }| {
            report.misfits += 1;
            let (value, field) = (text_of(from, record), from.name());
            on_misfit(&MisfitValue { record: id, field, value: &value, why: &why })
        })?;
        if fits {
            self.report.records += 1;
            self.report.renumbered += u64::from(self.report.left_out > 0 && !self.has_deletes());
            if let Some((target, _)) = &self.target {
                target.push_live(&mut self.slots, &self.record);
            }
            return Ok(1);
        }
        if !self.leave_out {
            return Ok(0);
        }
        self.report.left_out += 1;
        if !self.has_deletes() {
            return Ok(0);
        }
        self.report.deleted += 1;
        self.dead(self.free_head);
        self.free_head = Some(id);
        Ok(1)
    }

    fn has_deletes(&self) -> bool {
        self.from.file.slots.status_byte().is_some()
    }

    fn dead(&mut self, next: Option<u64>) {
        if let Some((target, _)) = &self.target {
            target.push_dead(&mut self.slots, next);
        }
    }
}

/// The value as text; empty for null.
#[cfg(feature = "text")]
fn text_of(field: &Field, record: &[u8]) -> String {
    let mut text = String::new();
    match field.format_text(record, &mut text) {
        Ok(()) => text,
        Err(_) => "(damaged)".to_owned(),
    }
}

#[cfg(not(feature = "text"))]
fn text_of(field: &Field, record: &[u8]) -> String {
    match field.read(record) {
        Ok(value) => format!("{value:?}"),
        Err(_) => "(damaged)".to_owned(),
    }
}
