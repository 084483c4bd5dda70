//! Writes whole records to their places in the file, beside readers that have it mapped.

use std::sync::Arc;

use super::growth::Growth;
use super::mapped_writes::MappedWrites;
use crate::error::Result;
use crate::format::Geometry;
use crate::io::Backing;
use crate::trace;

/// Adjacent records are written in one call, up to this many bytes.
const RUN_BYTES_MAX: usize = 1 << 20;

/// Writes records to their places, and grows the file for them.
///
/// Uses positioned writes, or a view on systems that do not promise that views see what write calls
/// wrote (the design's rule for Windows).
#[derive(Debug)]
pub(crate) struct ArrayWriter {
    backing: Arc<dyn Backing>,
    mapped: Option<MappedWrites>,
    geometry: Geometry,
    growth: Growth,
    file_len_bytes: u64,
    /// How much of the file's length is durable: a process may have died after it grew the file and
    /// before it synced that.
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

    /// Makes the file long enough for `count` records. Returns `true` if that length is not known
    /// to be durable.
    pub(crate) fn reserve(&mut self, count: u64) -> Result<bool> {
        let need_bytes = self.geometry.offset_of(count)?;
        if need_bytes <= self.file_len_bytes {
            return Ok(need_bytes > self.durable_len_bytes);
        }
        let grow_to = |len_bytes| match &mut self.mapped {
            Some(mapped) => mapped.reserve(len_bytes),
            None => self.backing.grow(len_bytes).map(drop),
        };
        let grown = self.growth.grow(self.file_len_bytes, need_bytes, grow_to)?;
        trace::file_grew(&*self.backing, self.file_len_bytes, grown);
        self.file_len_bytes = grown;
        Ok(true)
    }

    /// Writes whole records from record `first` on. The file must be long enough.
    pub(crate) fn write(&mut self, first: u64, records: &[u8]) -> Result<()> {
        let offset = self.geometry.offset_of(first)?;
        match &mut self.mapped {
            Some(mapped) => mapped.write(offset, records),
            None => self.backing.write_at(offset, records),
        }
    }

    /// Writes single records in ascending order, adjacent ones in one call.
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

    /// A killed process may have grown the file and not synced that. If a reader kept the file from
    /// being cut, the next writer once took that length for durable.
    #[test]
    fn a_length_found_at_open_does_not_count_as_durable() {
        let file = Arc::new(FileBacking::temporary(1 << 16).unwrap());
        let mut writer = ArrayWriter::new(file, Geometry::new(0, 100).unwrap(), 10).unwrap();
        assert!(!writer.reserve(10).unwrap());
        assert!(writer.reserve(11).unwrap());
        assert!(writer.reserve(11).unwrap(), "the new length was not synced");
        writer.sync().unwrap();
        assert!(!writer.reserve(11).unwrap());
        writer.trim(20).unwrap();
        assert!(writer.reserve(30).unwrap());
    }
}
