//! Images of records in the log, for a handle that does not write.

use std::ops::Range;

use super::ExclusiveFile;
use crate::txn::Row;

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// The image of record `index` in the log, if there is one. The windows of a windowed store do
    /// not show images.
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
