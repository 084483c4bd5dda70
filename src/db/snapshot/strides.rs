//! The bytes of a snapshot's records in place.

use std::ops::Range;

use super::Snapshot;
use crate::overlay::Overlay;
use crate::store::LendsStrides;
use crate::txn::Row;

impl<R: Row + ?Sized> LendsStrides for Snapshot<R> {
    fn images(&self) -> Option<&Overlay> {
        let overlay = &self.state.overlay;
        (!overlay.is_empty()).then_some(overlay)
    }

    fn strides_beneath(&self, ids: Range<u64>) -> Option<&[u8]> {
        self.array.strides(ids)
    }
}
