//! What threads without the superblock see of it: a transaction may have it for long.

use std::sync::{Mutex, PoisonError};

use crate::format::{Header, Slot, SlotReport, SlotState};

/// The header of a store, as a handle last read or wrote it.
#[derive(Clone, Debug)]
pub(crate) struct SeenHeader {
    /// The header in force.
    pub(crate) header: Header,
    /// The content of both slots.
    pub(crate) slots: SlotReport,
    /// Whether the header that the handle read when it opened the store has the mark of an
    /// exclusive edit.
    pub(crate) found_editing: bool,
}

/// The header as other threads see it. They wait only while it is copied.
#[derive(Debug)]
pub(crate) struct HeaderWatch(Mutex<SeenHeader>);

impl HeaderWatch {
    pub(super) fn new(seen: SeenHeader) -> Self {
        Self(Mutex::new(seen))
    }

    pub(crate) fn seen(&self) -> SeenHeader {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows everything anew.
    pub(super) fn show(&self, seen: SeenHeader) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// Shows a header that was written to `slot`.
    pub(super) fn show_written(&self, header: &Header, slot: Slot) {
        let state = SlotState::Valid { sequence: header.sequence, count: header.counts.records };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.header.clone_from(header);
        match slot {
            Slot::A => seen.slots.a = state,
            Slot::B => seen.slots.b = state,
        }
    }
}
