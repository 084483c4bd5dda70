//! The receiver of records.

use super::progress::LoadPoint;
use crate::error::Result;
use crate::store::DynStore;

/// Receives the records of a load: a store, or a vector of bytes.
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
    /// Takes consecutive records: a whole number of them, possibly zero.
    ///
    /// # Errors
    /// Every error of the sink; it ends the load.
    fn append_records(&mut self, records: &[u8]) -> Result<()>;

    /// Called between two batches of rows with the point that the load has reached: every row
    /// before it was taken or set aside, and no row after it. The default does nothing.
    ///
    /// # Errors
    /// Every error of the sink; it ends the load.
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
