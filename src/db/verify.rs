//! Looking for what cannot be right in a store, without changing it.

use std::fmt;
use std::path::Path;

use super::dyn_store::DynStore;
use super::info::SlotInfo;
use super::slots::{Found, bad_status};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DataType, Field, Value, next_free};

/// Something in a store that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Doubt {
    /// The byte offset in the file, where one is to blame.
    pub offset: Option<u64>,
    /// The record, where one is to blame.
    pub record: Option<u64>,
    /// The field, where one is to blame.
    pub field: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl Doubt {
    fn of_record(id: u64, what: String) -> Self {
        Self { offset: None, record: Some(id), field: None, what }
    }

    fn of_file(what: String) -> Self {
        Self { offset: None, record: None, field: None, what }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(record) = self.record {
            write!(f, "record {record}")?;
            if let Some(field) = &self.field {
                write!(f, ", field {field}")?;
            }
            write!(f, ": ")?;
        } else if let Some(offset) = self.offset {
            write!(f, "byte {offset}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// What [`verify`] has looked at and found.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("flags.rec");
/// let schema = Schema::packed([Field::new("flag", DataType::Bool)])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append_packed(&[0, 1, 7])?; // 7 is no bool
/// store.close()?;
/// let report = flatrec::verify(&path, 100)?;
/// assert_eq!(report.records, 3);
/// assert_eq!(report.doubts[0].record, Some(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Records looked at, without the deleted ones.
    pub records: u64,
    /// Deleted records, in a store with deletes.
    pub deleted: u64,
    /// The first doubts, in the order of the file, as many as were asked for.
    pub doubts: Vec<Doubt>,
    /// How many doubts there are in all.
    pub doubts_found: u64,
}

impl VerifyReport {
    fn add(&mut self, doubts_max: usize, doubt: Doubt) {
        self.doubts_found += 1;
        if self.doubts.len() < doubts_max {
            self.doubts.push(doubt);
        }
    }
}

/// Checks the header, the schema, the length, and every value whose bytes can be wrong (bools and
/// presence bytes other than 0 and 1, text that is not UTF-8), and lists at most `doubts_max` of
/// what it doubts. In a store with deletes it also checks every record's status byte, the number of
/// those that live, and that the free list leads through all deleted records and no others. A file
/// whose header or schema cannot be read is a report of that one doubt.
///
/// # Errors
/// The system's, and [`ErrorKind::Locked`] while an exclusive edit is under way.
pub fn verify(path: impl AsRef<Path>, doubts_max: usize) -> Result<VerifyReport> {
    let path = path.as_ref();
    let mut report = VerifyReport::default();
    let store = match DynStore::options().accept_interrupted_edit().open_read_only(path) {
        Ok(store) => store,
        Err(error) if is_doubt(&error) => {
            report.add(
                doubts_max,
                Doubt {
                    offset: error.file_offset(),
                    record: error.record_number(),
                    field: None,
                    what: error.to_string(),
                },
            );
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    check_file(&store, &mut report, doubts_max)?;
    check_records(&store, &mut report, doubts_max);
    if store.table.slots.mark().is_some() {
        check_free_list(&store, &mut report, doubts_max);
    }
    Ok(report)
}

/// The status of every record, and the values of those that live.
fn check_records(store: &DynStore, report: &mut VerifyReport, doubts_max: usize) {
    let fields: Vec<&Field> =
        store.schema().fields().iter().filter(|field| can_be_wrong(field)).collect();
    let slots = &store.table.slots;
    report.records = store.count();
    if fields.is_empty() && slots.mark().is_none() {
        return;
    }
    let mut live = 0;
    for id in 0..store.count() {
        let Some(slot) = store.table.array.slot(id) else { continue };
        match slots.found(slot) {
            Ok(Found::Live) => live += 1,
            Ok(_) => {
                report.deleted += 1;
                continue;
            }
            Err(status) => {
                report.add(doubts_max, Doubt::of_record(id, bad_status(status)));
                continue;
            }
        }
        let record = &slot[..slots.record_len()];
        for field in &fields {
            if let Some(what) = doubt(field, record) {
                let field = Some(field.name().to_owned());
                report.add(doubts_max, Doubt { field, ..Doubt::of_record(id, what) });
            }
        }
    }
    report.records -= report.deleted;
    if live != store.live_count() {
        let what = format!(
            "the header counts {} records that are not deleted, and there are {live}",
            store.live_count()
        );
        report.add(doubts_max, Doubt::of_file(what));
    }
}

/// That the free list leads from deleted record to deleted record, and ends after all of them: a
/// list that ends meets none of its members twice.
fn check_free_list(store: &DynStore, report: &mut VerifyReport, doubts_max: usize) {
    let table = &store.table;
    let (mut next, mut members) = (table.free_head(), 0);
    let mut from = "the free list begins".to_owned();
    let broken = loop {
        let Some(id) = next else { break None };
        let Some(slot) = table.array.slot(id) else {
            break Some(format!("{from} at record {id}, past the last"));
        };
        if table.slots.found(slot) != Ok(Found::Deleted) {
            break Some(format!("{from} at record {id}, which is not deleted"));
        }
        if members == report.deleted {
            break Some("the free list goes round in a circle".to_owned());
        }
        members += 1;
        from = format!("the free list goes on from record {id}");
        next = next_free(slot);
    };
    let what = match broken {
        Some(broken) => broken,
        None if members == report.deleted => return,
        None => format!("the free list has {members} of {} deleted records", report.deleted),
    };
    report.add(doubts_max, Doubt::of_file(what));
}

/// Whether a failure to open is a finding about the file rather than about the attempt.
fn is_doubt(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotAStore
            | ErrorKind::Corrupt
            | ErrorKind::Truncated
            | ErrorKind::InvalidSchema
            | ErrorKind::UnsupportedFormat
    )
}

/// Header slots, edit mark and length.
fn check_file(store: &DynStore, report: &mut VerifyReport, doubts_max: usize) -> Result<()> {
    let info = store.info()?;
    for (at, slot) in [0, 4096].into_iter().zip(&info.slots) {
        let what = match slot {
            SlotInfo::Valid { .. } => continue,
            SlotInfo::Empty => "this header slot is empty".to_owned(),
            SlotInfo::Bad(why) => format!("this header slot is not valid: {why}"),
        };
        let doubt = Doubt { offset: Some(at), record: None, field: None, what };
        report.add(doubts_max, doubt);
    }
    if info.editing {
        let what = "an exclusive edit was interrupted: records may be half changed".to_owned();
        report.add(doubts_max, Doubt::of_file(what));
    }
    Ok(())
}

/// Whether some bytes are no value of the field.
fn can_be_wrong(field: &Field) -> bool {
    field.is_nullable() || matches!(field.data_type(), DataType::Bool | DataType::Utf8(_))
}

/// What is wrong with the bytes of a field, if anything is.
fn doubt(field: &Field, record: &[u8]) -> Option<String> {
    match field.read(record) {
        Ok(Value::Array(elements)) => {
            elements.iter().find_map(|element| element.err()).map(|error| error.to_string())
        }
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}
