//! Where records go.

use super::progress::LoadPoint;
use crate::error::Result;
use crate::store::DynStore;

/// What takes the records of a load: a store, or a vector of bytes.
///
/// ```
/// use flatrec::exchange::RecordSink;
/// use flatrec::Result;
///
/// struct Count(usize);
/// impl RecordSink for Count {
///     fn append_records(&mut self, records: &[u8]) -> Result<()> {
///         self.0 += records.len();
///         Ok(())
///     }
/// }
/// let mut count = Count(0);
/// count.append_records(b"12345678")?;
/// assert_eq!(count.0, 8);
/// # Ok::<(), flatrec::Error>(())
/// ```
pub trait RecordSink {
    /// Takes records, packed one after the other: a whole number of them, possibly none.
    ///
    /// # Errors
    /// Whatever keeps the records from being taken; it ends the load.
    fn append_records(&mut self, records: &[u8]) -> Result<()>;

    /// Hears, between two batches of rows, to where the load has come: every row before that place
    /// was taken or set aside, and none behind it. Nothing needs to be done about it.
    ///
    /// # Errors
    /// Whatever ends the load.
    fn reached(&mut self, point: &LoadPoint) -> Result<()> {
        let _ = point;
        Ok(())
    }
}

impl RecordSink for Vec<u8> {
    fn append_records(&mut self, records: &[u8]) -> Result<()> {
        self.extend_from_slice(records);
        Ok(())
    }
}

impl RecordSink for DynStore {
    fn append_records(&mut self, records: &[u8]) -> Result<()> {
        self.append_packed(records).map(drop)
    }
}
