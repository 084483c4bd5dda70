//! Whole records written to their places in the file, where readers have it mapped.

use std::sync::Arc;

use super::growth::Growth;
use super::mapped_writes::MappedWrites;
use crate::error::Result;
use crate::format::Geometry;
use crate::io::Backing;

/// A run of records is written at once up to this many bytes.
const RUN_BYTES_MAX: usize = 1 << 20;

/// Writes records to their places, and grows the file for them.
///
/// By positioned writes; through a view where the system does not promise that views see what write
/// calls wrote (the design's rule for Windows).
#[derive(Debug)]
pub(crate) struct ArrayWriter {
    backing: Arc<dyn Backing>,
    mapped: Option<MappedWrites>,
    geometry: Geometry,
    growth: Growth,
    file_len_bytes: u64,
    /// As much of its length is durable: a process that died may have grown it and not synced that.
    durable_len_bytes: u64,
}

impl ArrayWriter {
    /// A writer to a file that holds `count` records, durably.
    pub(crate) fn new(backing: Arc<dyn Backing>, geometry: Geometry, count: u64) -> Result<Self> {
        let file_len_bytes = backing.len_bytes()?;
        let durable_len_bytes = geometry.offset_of(count)?;
        let mapped = (!backing.properties().calls_see_views)
            .then(|| MappedWrites::new(Arc::clone(&backing), None));
        let growth = Growth::new();
        Ok(Self { backing, mapped, geometry, growth, file_len_bytes, durable_len_bytes })
    }

    pub(crate) fn file_len_bytes(&self) -> u64 {
        self.file_len_bytes
    }

    /// Makes the file long enough for `count` records; `true` if that length is not known to be
    /// durable yet.
    pub(crate) fn reserve(&mut self, count: u64) -> Result<bool> {
        let need_bytes = self.geometry.offset_of(count)?;
        if need_bytes <= self.file_len_bytes {
            return Ok(need_bytes > self.durable_len_bytes);
        }
        let grow_to = |len_bytes| match &mut self.mapped {
            Some(mapped) => mapped.reserve(len_bytes),
            None => self.backing.grow(len_bytes).map(drop),
        };
        self.file_len_bytes = self.growth.grow(self.file_len_bytes, need_bytes, grow_to)?;
        Ok(true)
    }

    /// Writes whole records, of which the first is record `first`; the file is long enough.
    pub(crate) fn write(&mut self, first: u64, records: &[u8]) -> Result<()> {
        let offset = self.geometry.offset_of(first)?;
        match &mut self.mapped {
            Some(mapped) => mapped.write(offset, records),
            None => self.backing.write_at(offset, records),
        }
    }

    /// Writes single records in ascending order; neighbours go out together.
    pub(crate) fn write_sorted(&mut self, images: &[(u64, &[u8])]) -> Result<()> {
        let mut run = Vec::new();
        let mut first = 0;
        let mut next = None;
        for &(id, image) in images {
            if next != Some(id) || run.len() + image.len() > RUN_BYTES_MAX {
                self.write(first, &run)?;
                run.clear();
                first = id;
            }
            run.extend_from_slice(image);
            next = id.checked_add(1);
        }
        self.write(first, &run)
    }

    /// Makes what was written, and the file's length, durable.
    pub(crate) fn sync(&mut self) -> Result<()> {
        if let Some(mapped) = &mut self.mapped {
            mapped.flush()?;
        }
        self.backing.sync_data()?;
        self.durable_len_bytes = self.file_len_bytes;
        Ok(())
    }

    /// Cuts the file to `count` records.
    pub(crate) fn trim(&mut self, count: u64) -> Result<()> {
        let end = self.geometry.offset_of(count)?;
        if self.file_len_bytes != end {
            if let Some(mapped) = &mut self.mapped {
                mapped.release()?;
            }
            self.backing.trim(end)?;
            self.file_len_bytes = end;
            self.durable_len_bytes = self.durable_len_bytes.min(end);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::FileBacking;

    /// A process that was killed may have grown the file and not synced that. Where a reader keeps
    /// the file from being cut, the next writer once took that length for durable.
    #[test]
    fn a_length_that_was_found_is_not_taken_for_durable() {
        let file = Arc::new(FileBacking::temporary(1 << 16).unwrap());
        let mut writer = ArrayWriter::new(file, Geometry::new(0, 100).unwrap(), 10).unwrap();
        assert!(!writer.reserve(10).unwrap());
        assert!(writer.reserve(11).unwrap());
        assert!(writer.reserve(11).unwrap(), "nothing has synced it");
        writer.sync().unwrap();
        assert!(!writer.reserve(11).unwrap());
        writer.trim(20).unwrap();
        assert!(writer.reserve(30).unwrap());
    }
}
