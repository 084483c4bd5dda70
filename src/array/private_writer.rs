//! The writer of a private (copy-on-write) store: its changes never reach the file.

use std::ops::Range;
use std::sync::Arc;

use super::write_back::Writer;
use crate::error::{Error, ErrorKind, Result};
use crate::io::View;

/// Changes records in one private view.
#[derive(Debug)]
pub(crate) struct PrivateWriter {
    view: Arc<View>,
}

impl PrivateWriter {
    /// A writer into `view`, which is private and starts at byte 0.
    ///
    /// # Safety
    /// Nothing changes or truncates the file below the view, and nothing reads bytes of the view
    /// while `edit` lends them.
    pub(crate) unsafe fn new(view: Arc<View>) -> Self {
        Self { view }
    }

    /// The place of these bytes of the file in the view.
    fn place(range: &Range<u64>) -> Result<Range<usize>> {
        let at = |offset| {
            usize::try_from(offset).map_err(|_| {
                Error::new(ErrorKind::OutOfRange, "edit")
                    .offset(range.start)
                    .detail("the record lies past the end of the address space")
            })
        };
        Ok(at(range.start)?..at(range.end)?)
    }

    fn refuse() -> Error {
        Error::new(ErrorKind::ReadOnly, "append")
            .detail("a private (copy-on-write) store changes records, but cannot grow")
            .advice("open the store for writing to append")
    }
}

impl Writer for PrivateWriter {
    fn reserve(&mut self, _len_bytes: u64) -> Result<()> {
        Err(Self::refuse())
    }

    fn append(&mut self, _offset: u64, _bytes: &[u8]) -> Result<()> {
        Err(Self::refuse())
    }

    fn pending(&self) -> (u64, &[u8]) {
        (0, &[])
    }

    fn edit(&mut self, range: Range<u64>) -> Result<&mut [u8]> {
        // SAFETY: the constructor's contract, and `&mut self` for exclusiveness.
        unsafe { self.view.bytes_mut(Self::place(&range)?) }
    }

    fn read(&mut self, range: Range<u64>) -> Result<&[u8]> {
        // SAFETY: the constructor's contract, and the borrow of `self`.
        unsafe { self.view.bytes(Self::place(&range)?) }
    }

    fn lend(&mut self, _range: &Range<u64>) -> Result<Option<Arc<View>>> {
        Ok(Some(Arc::clone(&self.view)))
    }

    fn flush(&mut self, _range: Range<u64>) -> Result<()> {
        Ok(())
    }

    fn release(&mut self) -> Result<()> {
        Ok(())
    }
}
