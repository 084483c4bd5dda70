//! Copies records out of an array. If the fault guard is installed, a page that the system cannot
//! provide is an error that names the record.

use std::ops::Range;

use super::Array;
use crate::error::{Error, ErrorKind, Result};
use crate::number::{in_memory, smaller};

impl<T: Copy + Send + Sync> Array<T> {
    /// Copies whole strides from record `first` on until the records or the room in `into` end, and
    /// returns how many. May also write to the rest of `into`.
    ///
    /// A file that another process cut shows zeros, and no fault, up to the end of its last page.
    /// So this checks the length after each copy, and refuses records beyond it.
    pub(crate) fn copy_strides(&self, first: u64, into: &mut [u8]) -> Result<usize> {
        // A record lies in a view, and so its stride fits into the address space.
        let stride = in_memory(self.geometry.stride);
        let room = (into.len() / stride) as u64;
        let end = first.saturating_add(room).min(self.count);
        let in_file = self.in_file().min(end);
        let mut copied = 0;
        let mut id = first;
        while id < end {
            let rest = &mut into[copied * stride..];
            let records = if id < in_file {
                self.copy_run(id..in_file, rest).map_err(|error| self.in_record(error, id))?
            } else {
                let pending = self.pending(id).ok_or_else(|| {
                    Error::new(ErrorKind::OutOfRange, "read")
                        .record(id)
                        .detail("the store has no such record")
                })?;
                rest[..stride].copy_from_slice(pending);
                1
            };
            copied += records;
            id += records as u64;
        }
        if first < in_file {
            self.check_length(first..in_file)?;
        }
        Ok(copied)
    }

    /// Copies records of `ids`, which lie in the file, as many as one view holds and `into` has
    /// room for, at least one.
    fn copy_run(&self, ids: Range<u64>, into: &mut [u8]) -> Result<usize> {
        let (view, lead, shown) = match &self.slider {
            Some(slider) => {
                let (view, lead) = slider.pin(ids.start, self.in_file())?;
                (view, lead, slider.window_of(ids.start).end.min(ids.end) - ids.start)
            }
            None => {
                let view = self.whole.view();
                let lead = self.geometry.offset_of(ids.start)?.checked_sub(view.offset());
                let lead = lead.and_then(|lead| usize::try_from(lead).ok()).ok_or_else(|| {
                    Error::new(ErrorKind::OutOfRange, "read")
                        .detail("the view starts after the record")
                })?;
                (view.clone(), lead, ids.end - ids.start)
            }
        };
        let stride = in_memory(self.geometry.stride);
        // A view may end early because the file was cut, but it has the first record.
        let in_view = view.len_bytes().saturating_sub(lead) / stride;
        let records = smaller(shown, in_view).min(into.len() / stride).max(1);
        view.read(lead, &mut into[..records * stride])?;
        Ok(records)
    }

    /// Adds to an error of reading records from `first` on which record it was.
    fn in_record(&self, error: Error, first: u64) -> Error {
        let (record, _) = self.geometry.records_below(error.file_offset().unwrap_or(0));
        error.record(record.max(first))
    }

    /// An error if the file was cut below the end of these records.
    fn check_length(&self, ids: Range<u64>) -> Result<()> {
        let file_len_bytes = self.backing.len_bytes()?;
        if file_len_bytes >= self.geometry.offset_of(ids.end)? {
            return Ok(());
        }
        let offset = self.geometry.offset_of(ids.start)?;
        Err(self.in_record(Error::truncated("read", file_len_bytes, offset), ids.start))
    }
}
