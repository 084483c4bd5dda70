//! The bytes of records in place, as long as they follow one another.

use std::ops::Range;

use super::copies::CopySource;
use super::exclusive_file::ExclusiveFile;
use crate::overlay::{ImagesWithin, Overlay};
use crate::txn::Row;

/// A handle that lends the bytes of all its records in place.
pub(crate) trait LendsStrides: CopySource {
    /// The images that replace records of the array; `None` if there are no images.
    fn images(&self) -> Option<&Overlay>;

    /// The strides of the first of the records `ids`, which exist, or of all of them, without
    /// regard to images.
    fn strides_beneath(&self, ids: Range<u64>) -> Option<&[u8]>;
}

impl<R: Row + ?Sized> LendsStrides for ExclusiveFile<R> {
    /// The view of the whole array shows the images of a log.
    fn images(&self) -> Option<&Overlay> {
        None
    }

    fn strides_beneath(&self, ids: Range<u64>) -> Option<&[u8]> {
        let in_file = self.array.whole().count().min(ids.end);
        if ids.start < in_file {
            return self.array.whole().strides(ids.start..in_file);
        }
        self.array.slot(ids.start) // still in a buffer
    }
}

/// The bytes of the records of a range in place, in order: whole strides, as many at a time as
/// follow one another.
#[derive(Clone)]
pub(crate) struct Strides<'a> {
    source: &'a dyn LendsStrides,
    images: Option<Box<ImagesWithin<'a>>>,
    /// The records that are still to come.
    ids: Range<u64>,
}

impl<'a> Strides<'a> {
    /// The strides of the records `ids`, which exist.
    pub(crate) fn new(source: &'a dyn LendsStrides, ids: Range<u64>) -> Self {
        let images = source.images().map(|overlay| Box::new(overlay.within(ids.clone())));
        Self { source, images, ids }
    }

    /// The strides of the next record and of those that follow it in memory, of at most
    /// `records_max` records, at least 1; `None` after the last.
    pub(crate) fn next_run(&mut self, records_max: u64) -> Option<&'a [u8]> {
        if self.ids.is_empty() {
            return None;
        }
        let image = self.images.as_mut().and_then(|images| images.first());
        if image == Some(self.ids.start) {
            self.ids.start += 1;
            return self.images.as_mut()?.take_first();
        }
        let end = image.unwrap_or(self.ids.end).min(self.ids.start.saturating_add(records_max));
        let strides = self.source.strides_beneath(self.ids.start..end)?;
        self.ids.start += (strides.len() / self.source.layout().stride) as u64;
        Some(strides)
    }
}
