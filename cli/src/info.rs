//! `flatrec info`: shows the parts of a store, and its place in file and memory.

use std::io::Write;
use std::iter::repeat;
use std::path::PathBuf;

use flatrec::exchange::schema_to_json;
use flatrec::{
    Checksums, CommitId, DamagedBlock, DynStore, Field, LeftoverFile, LogInfo, ReaderInfo, Schema,
    SlotInfo, StoreInfo, WriterInfo,
};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::foreign_info;
use crate::output::{Column, Format, Sheet, stdout};
use crate::source::LayoutArgs;

/// Show a store's count, sizes, header slots, log, users, views, residency, faults and schema
///
/// The users are the programs that have the store open: the writer, and the readers with their
/// snapshots, without this command. While a reader holds a snapshot, later commits stay in the log.
/// Residency is how much of the file is in memory, estimated from a sample for a large file; faults
/// are those of this process so far.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec info flights.rec
  flatrec info flights.rec --json | jq .records")]
pub(crate) struct Args {
    /// The store, or a flat file of another program
    store: PathBuf,

    /// Write one JSON object, indented
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Write the metadata alone, byte for byte
    #[arg(long, conflicts_with_all = ["json", "format"])]
    metadata: bool,

    /// Output format; ndjson is the object of --json in one line
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    #[command(flatten)]
    layout: LayoutArgs,
}

/// The number of damaged blocks that are shown.
const DAMAGED_SHOWN: usize = 10;

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut out = stdout();
        if let Some(file) = self.layout.foreign(&self.store)? {
            if self.metadata {
                let file = self.store.display();
                return Err(Failure::Message(format!("{file} is not a store: it has no metadata")));
            }
            match self.json {
                true => writeln!(out, "{:#}", foreign_info::object(&file)?)?,
                false => foreign_info::write(&file, self.format, &mut out)?,
            }
            return Ok(out.flush()?);
        }
        // Shows a store also after an interrupted edit.
        let store = self.layout.store(&self.store, true)?;
        if self.metadata {
            out.write_all(store.metadata()?)?;
            return Ok(out.flush()?);
        }
        let info = store.info()?;
        if self.json {
            writeln!(out, "{:#}", object(&store, &info))?;
        } else {
            match self.format {
                Format::Table => {
                    let mut lines = Sheet::new(vec![
                        Column::text("store"),
                        Column::text(self.store.display().to_string()),
                    ]);
                    for (name, value) in lines_of(&info) {
                        lines.row([name.into(), value.into()]);
                    }
                    lines.write(Format::Table, &mut out)?;
                    writeln!(out)?;
                    fields(store.schema()).write(Format::Table, &mut out)?;
                }
                Format::Csv => flattened(object(&store, &info)).write(Format::Csv, &mut out)?,
                Format::Ndjson => writeln!(out, "{}", object(&store, &info))?,
            }
        }
        out.flush()?;
        Ok(())
    }
}

/// The fields of a schema, a row each.
pub(crate) fn fields(schema: &Schema) -> Sheet {
    let mut sheet = Sheet::new(vec![
        Column::text("field"),
        Column::text("type"),
        Column::number("offset"),
        Column::number("bytes"),
        Column::text("notes"),
    ]);
    for field in schema.fields() {
        let data_type = match field.array_len() {
            Some(len) => format!("{}[{len}]", field.data_type()),
            None => field.data_type().to_string(),
        };
        sheet.row([
            field.name().into(),
            data_type.into(),
            field.offset().into(),
            field.size_bytes().into(),
            notes_of(field).join(", ").into(),
        ]);
    }
    sheet
}

/// What the type does not say of a field.
fn notes_of(field: &Field) -> Vec<String> {
    const VARIANTS_SHOWN: usize = 8;
    let flags = [
        (field.is_nullable(), "nullable"),
        (field.is_big_endian(), "big-endian"),
        (field.is_utc(), "utc"),
    ];
    let mut notes: Vec<String> =
        flags.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note.to_owned()).collect();
    notes.extend(field.variants().iter().take(VARIANTS_SHOWN).map(ToString::to_string));
    if let Some(more) = field.variants().len().checked_sub(VARIANTS_SHOWN).filter(|&it| it > 0) {
        notes.push(format!("{more} more variants"));
    }
    if !field.shape().is_empty() {
        notes.push(format!("shape {:?}", field.shape()));
    }
    notes.extend(field.display().map(|display| format!("shown as {}", display.name())));
    notes.extend(field.scale().map(|scale| format!("scale {scale}")));
    notes.extend(field.epoch().map(|unit| format!("written in {} since 1970", unit.name())));
    if !field.null_words().is_empty() {
        notes.push(format!("null words {:?}", field.null_words()));
    }
    notes
}

/// The facts for people, as text.
fn lines_of(info: &StoreInfo) -> Vec<(&'static str, String)> {
    let deleted = info.count - info.live_count;
    let records = match (info.deletes, info.free_head) {
        (false, _) => info.count.to_string(),
        (true, None) => format!("{}, and {deleted} deleted", info.live_count),
        (true, Some(head)) => format!(
            "{}, and {deleted} deleted, of which record {head} is used again first",
            info.live_count
        ),
    };
    let mut lines = vec![
        ("records", records),
        ("record size", bytes(info.record_size.into())),
        ("stride", bytes(info.stride.into())),
        ("data offset", bytes(info.data_offset)),
        ("file length", bytes(info.file_len_bytes)),
        ("on disk", bytes(info.allocated_bytes)),
        ("file system", info.file_system.to_string()),
        ("file id", hex(&info.file_id)),
        ("header slot A", slot(&info.slots[0], info.sequence)),
        ("header slot B", slot(&info.slots[1], info.sequence)),
        ("last commit", info.commit_id.to_string()),
        ("log", log(info.log.as_ref())),
        ("writer", writer(info.writer.as_ref())),
        ("readers", readers(info)),
        ("checksums", sums(info)),
        ("mapped", bytes(info.mapped_bytes)),
    ];
    let at = lines.iter().position(|(name, _)| *name == "mapped").unwrap_or(lines.len());
    lines.splice(
        at..at,
        damaged(info)
            .into_iter()
            .zip(["damage"].into_iter().chain(repeat("")))
            .map(|(what, name)| (name, what)),
    );
    let at = lines.iter().position(|(name, _)| *name == "writer").unwrap_or(lines.len());
    let names = ["left over"].into_iter().chain(repeat(""));
    lines.splice(at..at, names.zip(info.leftovers.iter().map(ToString::to_string)));
    let at = lines.iter().position(|(name, _)| *name == "checksums").unwrap_or(lines.len());
    lines.splice(at..at, info.readers.iter().map(|one| ("", reader(one, info.commit_id.get()))));
    if info.point_view {
        let text = "single records page by page, because the file is larger than the memory for it";
        lines.push(("reads", text.into()));
    }
    if let Some(residency) = info.residency {
        let (pages, asked) = (residency.pages, info.residency_asked_pages);
        let about = if asked < pages { "about " } else { "" };
        let sample =
            if asked < pages { format!(", by a sample of {asked}") } else { String::new() };
        let (resident, size) = (residency.resident_pages, residency.page_size_bytes);
        let text = format!("{about}{resident} of {pages} pages of {size} bytes{sample}");
        lines.push(("in memory", text));
    }
    let faults = format!("{} minor, {} major", info.faults.minor, info.faults.major);
    lines.push(("page faults", faults));
    if info.metadata_len_bytes > 0 {
        lines.push(("metadata", bytes(info.metadata_len_bytes.into())));
    }
    if info.editing {
        lines.push(("interrupted", "an exclusive edit: records may be half changed".into()));
    }
    lines
}

fn count(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn log(log: Option<&LogInfo>) -> String {
    let Some(log) = log else { return "none".into() };
    format!(
        "live: {} with changes of {}, {} in {}",
        count(log.commits, "commit"),
        count(log.records, "record"),
        bytes(log.len_bytes),
        count(log.segments, "segment"),
    )
}

fn sums(info: &StoreInfo) -> String {
    match (&info.checksums, info.unsummed) {
        (Checksums::Present { .. }, 0) => info.checksums.to_string(),
        (Checksums::Present { .. }, unsummed) => {
            format!("{}; {} without one", info.checksums, count(unsummed, "record"))
        }
        (Checksums::Absent, _) => "none: there is no -sum file beside the store".to_owned(),
        (checksums, _) => format!("{checksums}; verify says what to do"),
    }
}

fn writer(writer: Option<&WriterInfo>) -> String {
    match writer.map(|writer| writer.process) {
        Some(Some(process)) => format!("process {process}"),
        Some(None) => "a process that does not tell its number".into(),
        None => "none".into(),
    }
}

/// The number of readers, and the part of the log that stays because of them.
fn readers(info: &StoreInfo) -> String {
    match (info.readers.len(), held_log_bytes(info)) {
        (0, _) => "none".into(),
        (readers, 0) => readers.to_string(),
        (readers, held) => format!("{readers}; {} stay in the log because of them", bytes(held)),
    }
}

fn reader(reader: &ReaderInfo, newest: u64) -> String {
    let process = reader.process;
    match reader.oldest {
        None => format!("process {process}, which holds no snapshot"),
        Some(oldest) => format!(
            "process {process}, which has held commit {oldest} for {}, {} behind",
            count(reader.held_for.as_secs(), "second"),
            count(newest.saturating_sub(oldest.get()), "commit"),
        ),
    }
}

/// The bytes of the log that readers hold back: all of it, if a reader holds a commit other than
/// the newest.
fn held_log_bytes(info: &StoreInfo) -> u64 {
    let oldest = info.readers.iter().filter_map(|reader| reader.oldest).min();
    match (&info.log, oldest) {
        (Some(log), Some(oldest)) if oldest < info.commit_id => log.len_bytes,
        _ => 0,
    }
}

fn slot(slot: &SlotInfo, sequence_in_force: u64) -> String {
    match slot {
        SlotInfo::Valid { sequence, count } => {
            let in_force = if *sequence == sequence_in_force { ", in force" } else { "" };
            format!("sequence {sequence}, {count} records{in_force}")
        }
        SlotInfo::Empty => "empty".into(),
        SlotInfo::Bad(why) => format!("not valid: {why}"),
        _ => "unknown".into(),
    }
}

/// The damaged blocks that are known without reading the records, a line each.
fn damaged(info: &StoreInfo) -> Vec<String> {
    let shown = info.damaged.iter().take(DAMAGED_SHOWN);
    let mut lines: Vec<String> = shown.map(ToString::to_string).collect();
    let more = info.damaged_blocks.saturating_sub(lines.len() as u64);
    if more > 0 {
        lines.push(format!("and {more} more: verify lists all"));
    }
    lines
}

/// Bytes as a number and, from a KiB on, in a larger unit.
pub(crate) fn bytes(len_bytes: u64) -> String {
    match len_bytes {
        0..1024 => format!("{len_bytes} bytes"),
        _ => format!("{len_bytes} bytes ({})", indicatif::BinaryBytes(len_bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn damaged_object(damaged: &DamagedBlock) -> Value {
    json!({
        "block": damaged.block,
        "first_byte": damaged.bytes.start,
        "end_byte": damaged.bytes.end,
        "first_record": damaged.records.start,
        "end_record": damaged.records.end,
        "why": damaged.why,
    })
}

fn leftover_object(left: &LeftoverFile) -> Value {
    json!({
        "path": left.path.to_string_lossy(),
        "len_bytes": left.len_bytes,
        "removable": left.is_removable,
    })
}

/// All facts, for programs.
fn object(store: &DynStore, info: &StoreInfo) -> Value {
    let slots: Vec<Value> = info.slots.iter().map(slot_object).collect();
    let residency = info.residency.map(|residency| {
        json!({
            "pages": residency.pages,
            "resident_pages": residency.resident_pages,
            "asked_pages": info.residency_asked_pages,
            "page_size_bytes": residency.page_size_bytes,
        })
    });
    let readers: Vec<Value> =
        info.readers.iter().map(|reader| reader_object(reader, info.commit_id.get())).collect();
    let schema: Option<Value> = serde_json::from_str(&schema_to_json(store.schema())).ok();
    json!({
        "path": info.path.as_ref().map(|path| path.to_string_lossy()),
        "records": info.live_count,
        "deletes": info.deletes,
        "deleted_records": info.count - info.live_count,
        "record_numbers": info.count,
        "free_list_head": info.free_head,
        "record_size_bytes": info.record_size,
        "stride_bytes": info.stride,
        "data_offset_bytes": info.data_offset,
        "file_len_bytes": info.file_len_bytes,
        "allocated_bytes": info.allocated_bytes,
        "metadata_len_bytes": info.metadata_len_bytes,
        "file_system": {
            "name": info.file_system.name(),
            "network": info.file_system.is_network(),
        },
        "file_id": hex(&info.file_id),
        "sequence": info.sequence,
        "header_slots": slots,
        "last_commit": info.commit_id.get(),
        "log": info.log.as_ref().map(|log| {
            json!({
                "commits": log.commits,
                "records": log.records,
                "len_bytes": log.len_bytes,
                "segments": log.segments,
            })
        }),
        "leftovers": info.leftovers.iter().map(leftover_object).collect::<Vec<Value>>(),
        "writer": info.writer.as_ref().map(|writer| json!({ "process": writer.process })),
        "readers": readers,
        "readers_hold_log_bytes": held_log_bytes(info),
        "interrupted_edit": info.editing,
        "checksums": checksums(&info.checksums),
        "unsummed_records": info.unsummed,
        "damaged_blocks": info.damaged_blocks,
        "damaged": info.damaged.iter().map(damaged_object).collect::<Vec<Value>>(),
        "mapped_bytes": info.mapped_bytes,
        "point_view": info.point_view,
        "residency": residency,
        "faults": { "minor": info.faults.minor, "major": info.faults.major },
        "schema": schema,
    })
}

fn checksums(checksums: &Checksums) -> Value {
    match checksums {
        Checksums::Absent => json!({ "state": "absent" }),
        Checksums::Present { blocks } => json!({ "state": "present", "blocks": blocks }),
        Checksums::Foreign => json!({ "state": "foreign" }),
        Checksums::Stale => json!({ "state": "stale" }),
        Checksums::Damaged(why) => json!({ "state": "damaged", "why": why }),
        _ => json!({ "state": "unknown" }),
    }
}

fn reader_object(reader: &ReaderInfo, newest: u64) -> Value {
    json!({
        "process": reader.process,
        "oldest_commit": reader.oldest.map(CommitId::get),
        "held_for_seconds": reader.oldest.map(|_| reader.held_for.as_secs()),
        "commits_behind": reader.oldest.map(|oldest| newest.saturating_sub(oldest.get())),
    })
}

fn slot_object(slot: &SlotInfo) -> Value {
    match slot {
        SlotInfo::Valid { sequence, count } => {
            json!({ "state": "valid", "sequence": sequence, "records": count })
        }
        SlotInfo::Empty => json!({ "state": "empty" }),
        SlotInfo::Bad(why) => json!({ "state": "bad", "why": why }),
        _ => json!({ "state": "unknown" }),
    }
}

/// The values of an object, a row each, with their paths: `residency.pages`.
pub(crate) fn flattened(object: Value) -> Sheet {
    let mut sheet = Sheet::new(vec![Column::text("property"), Column::text("value")]);
    let mut rest = vec![(String::new(), object)];
    while let Some((path, value)) = rest.pop() {
        let under = |key: &str| if path.is_empty() { key.into() } else { format!("{path}.{key}") };
        match value {
            Value::Object(members) => {
                rest.extend(members.into_iter().rev().map(|(key, value)| (under(&key), value)));
            }
            Value::Array(elements) => {
                let indexed = elements.into_iter().enumerate().rev();
                rest.extend(indexed.map(|(i, value)| (under(&i.to_string()), value)));
            }
            leaf => sheet.row([path.into(), leaf]),
        }
    }
    sheet
}
