//! The progress of a long job, and its result.

/// The progress of a load, an inference or an export.
///
/// ```
/// use flatrec::exchange::Progress;
/// let progress = Progress { done_bytes: 25, total_bytes: Some(100), rows: 3 };
/// assert_eq!(progress.fraction(), Some(0.25));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The bytes read of the input on disk (compressed, if the text is); for an export, the bytes
    /// of records written.
    pub done_bytes: u64,
    /// The total of these bytes, if known.
    pub total_bytes: Option<u64>,
    /// The rows read or written so far.
    pub rows: u64,
}

impl Progress {
    /// The share of the total, from 0 to 1, if the total is known.
    pub fn fraction(&self) -> Option<f64> {
        let total = self.total_bytes?;
        if total == 0 {
            return Some(1.0);
        }
        Some((self.done_bytes as f64 / total as f64).min(1.0))
    }
}

/// The result of a load.
///
/// ```
/// use flatrec::exchange::{CsvOptions, CsvReader, Input, LoadReport};
/// let mut reader = CsvReader::new(Input::from_bytes("a,b\n1,x\n2,\n"), CsvOptions::new());
/// let schema = reader.infer(None)?.schema;
/// let mut records: Vec<u8> = Vec::new();
/// let report = reader.load(&schema, &mut records)?;
/// assert_eq!(report, LoadReport { loaded: 2, nulls: 1, read_bytes: 11, ..LoadReport::default() });
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// The rows that became records.
    pub loaded: u64,
    /// The rows that were set aside.
    pub rejected: u64,
    /// The null values in rows that became records.
    pub nulls: u64,
    /// The numbers in these rows that their fields do not keep, and that the load has rounded
    /// ([`CsvOptions::round`](super::CsvOptions::round)).
    pub rounded: u64,
    /// The bytes read of the file on disk.
    pub read_bytes: u64,
}

/// A point in a load: a place between two rows, and the results up to there. A sink is told of it
/// ([`RecordSink::reached`]), and [`CsvReader::load_from`] continues from it.
///
/// [`RecordSink::reached`]: super::RecordSink::reached
/// [`CsvReader::load_from`]: super::CsvReader::load_from
///
/// ```
/// use flatrec::exchange::LoadPoint;
/// assert_eq!(LoadPoint::default().offset_bytes, 0); // the start
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadPoint {
    /// The place of the next row in the text, decompressed and in UTF-8.
    pub offset_bytes: u64,
    /// The line ends before that.
    pub lines: u64,
    /// The results for the rows before that.
    pub report: LoadReport,
}
