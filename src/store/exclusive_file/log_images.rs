//! What the log holds of the records of a file that is open to read.

use std::ops::Range;

use super::ExclusiveFile;
use crate::txn::Row;

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// The image that a commit in the log has left of record `index`: a windowed store has none of
    /// them in its windows.
    pub(crate) fn image(&self, index: u64) -> Option<&[u8]> {
        self.image_slot(index)?.get(..self.slots.record_len())
    }

    /// As [`ExclusiveFile::image`], with the status byte.
    pub(crate) fn image_slot(&self, index: u64) -> Option<&[u8]> {
        self.mode.log()?.overlay.find(index)
    }

    /// Whether commits in the log have changed some of these records.
    pub(crate) fn has_images(&self, ids: Range<u64>) -> bool {
        let Some(log) = self.mode.log().filter(|log| !log.overlay.is_empty()) else {
            return false;
        };
        ids.into_iter().any(|id| log.overlay.find(id).is_some())
    }
}
