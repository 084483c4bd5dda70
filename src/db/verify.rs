//! Looking for what cannot be right in a store, without changing it.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use super::checksums::Checksums;
use super::damaged::{Damaged, wrong_value};
use super::sweep::{BadBlock, Inspect, Swept};
use crate::error::{Error, ErrorKind, Result};
use crate::format::Field;
use crate::map::Wait;
use crate::store::describe;

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
    /// Records looked at.
    pub records: u64,
    /// Whether there are checksums by which damaged records would show.
    pub checksums: Checksums,
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

/// Checks the header, the schema, the length, every block of records that has a checksum, and every
/// value whose bytes can be wrong (bools and presence bytes other than 0 and 1, text that is not
/// UTF-8), and lists at most `doubts_max` of what it doubts. A file whose header or schema cannot
/// be read is a report of that one doubt.
///
/// Everything is read by calls, so that a bad sector is a doubt and not a signal, and nothing is
/// written, not even a lock file.
///
/// # Errors
/// The system's, and [`ErrorKind::Locked`] while an exclusive edit is under way.
pub fn verify(path: impl AsRef<Path>, doubts_max: usize) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    let store = match Damaged::open(path.as_ref(), Wait::No) {
        Ok(store) => store,
        Err(error) if is_doubt(&error) => {
            let doubt = Doubt {
                offset: error.file_offset(),
                record: error.record_number(),
                field: None,
                what: error.to_string(),
            };
            report.add(doubts_max, doubt);
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    for doubt in store.doubts()? {
        report.add(doubts_max, doubt);
    }
    report.checksums = store.checksums.clone();
    report.records = store.core.header().count;
    let fields = store.doubtful_fields();
    store.sweep(&|_| false, &mut Verifier { report: &mut report, doubts_max, fields })?;
    Ok(report)
}

/// Writes down what a sweep finds.
struct Verifier<'r> {
    report: &'r mut VerifyReport,
    doubts_max: usize,
    fields: Vec<Field>,
}

impl Inspect for Verifier<'_> {
    fn bad_block(&mut self, bad: &BadBlock) -> Result<()> {
        let what = format!("{}: {}", describe(bad.block, &bad.bytes, &bad.records), bad.why);
        let doubt = Doubt { offset: Some(bad.bytes.start), record: None, field: None, what };
        self.report.add(self.doubts_max, doubt);
        Ok(())
    }

    fn record(&mut self, id: u64, record: Swept<'_>) -> Result<()> {
        // What cannot be read was named with its block.
        let (Swept::Sound(bytes) | Swept::Doubtful(bytes)) = record else { return Ok(()) };
        for field in &self.fields {
            if let Some(what) = wrong_value(field, bytes) {
                let field = Some(field.name().to_owned());
                let doubt = Doubt { offset: None, record: Some(id), field, what };
                self.report.add(self.doubts_max, doubt);
            }
        }
        Ok(())
    }

    fn missing(&mut self, _: Range<u64>) -> Result<()> {
        Ok(()) // That the file is too short was the first doubt.
    }
}

/// Whether a failure to open is a finding about the file rather than about the attempt.
pub(super) fn is_doubt(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotAStore
            | ErrorKind::Corrupt
            | ErrorKind::Truncated
            | ErrorKind::InvalidSchema
            | ErrorKind::UnsupportedFormat
    )
}
