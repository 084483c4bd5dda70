//! A sink of loads, for tests that continue one.

use flatrec::Result;
use flatrec::exchange::{LoadPoint, RecordSink};

/// The loaded records, and the points that the load reached with the number of bytes before each.
#[derive(Default)]
pub(crate) struct PointSink {
    pub(crate) bytes: Vec<u8>,
    pub(crate) points: Vec<(usize, LoadPoint)>,
}

impl RecordSink for PointSink {
    fn append_records(&mut self, records: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(records);
        Ok(())
    }

    fn reached(&mut self, point: &LoadPoint) -> Result<()> {
        self.points.push((self.bytes.len(), *point));
        Ok(())
    }
}
