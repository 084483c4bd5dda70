//! How far a long job has come, and what it did on the way.

/// How far a load, an inference or an export has come.
///
/// ```
/// use flatrec::exchange::Progress;
/// let progress = Progress { done_bytes: 25, total_bytes: Some(100), rows: 3 };
/// assert_eq!(progress.fraction(), Some(0.25));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read of the input, as it lies on disk (compressed, if it is gzipped); for an export,
    /// bytes of records written out.
    pub done_bytes: u64,
    /// Of how many, where that is known.
    pub total_bytes: Option<u64>,
    /// Rows seen or written so far.
    pub rows: u64,
}

impl Progress {
    /// The share that is done, from 0 to 1, where the total is known.
    pub fn fraction(&self) -> Option<f64> {
        let total = self.total_bytes?;
        if total == 0 {
            return Some(1.0);
        }
        Some((self.done_bytes as f64 / total as f64).min(1.0))
    }
}

/// What a load did.
///
/// ```
/// use flatrec::exchange::{CsvOptions, CsvReader, Input, LoadReport};
/// let mut reader = CsvReader::new(Input::from_bytes("a,b\n1,x\n2,\n"), CsvOptions::new());
/// let schema = reader.infer(None)?.schema;
/// let mut records: Vec<u8> = Vec::new();
/// let report = reader.load(&schema, &mut records)?;
/// assert_eq!(report, LoadReport { loaded: 2, rejected: 0, nulls: 1, read_bytes: 11 });
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Rows that became records.
    pub loaded: u64,
    /// Rows that were set aside.
    pub rejected: u64,
    /// Values that were null, in the rows that became records.
    pub nulls: u64,
    /// Bytes read, as they lie on disk.
    pub read_bytes: u64,
}

/// How far a load has come: a place between two rows, and what was done up to there. A sink hears
/// of it ([`RecordSink::reached`]), and [`CsvReader::load_from`] goes on from it.
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
    /// Where in the text, unzipped, the next row begins.
    pub offset_bytes: u64,
    /// Line ends before that.
    pub lines: u64,
    /// What was done with the rows before that.
    pub report: LoadReport,
}
