//! Writes through a view that slides over the file.
//!
//! For systems that do not promise that views and write calls are coherent: there a writer must
//! write through views what readers see in views. A flush waits for the device, and on Windows also
//! walks the range. So writes gather in the window, and one flush writes them when the window
//! slides or the caller asks.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::io::{Access, Backing, Grown, View};
use crate::number::smaller;
use crate::os;

/// How much is mapped at a time.
const WINDOW_BYTES: u64 = 16 << 20;
/// How many zeros are written at a time.
const ZEROS_BYTES: usize = 256 << 10;

/// A view that slides over the file.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) backing: Arc<dyn Backing>,
    pub(super) access: Access,
    /// How much to map at a time; the whole file if `None`.
    pub(super) target_bytes: Option<u64>,
    pub(super) view: Option<Arc<View>>,
}

impl Window {
    pub(super) fn covers(&self, range: &Range<u64>) -> bool {
        self.view.as_ref().is_some_and(|view| {
            view.offset() <= range.start && range.end - view.offset() <= view.len_bytes() as u64
        })
    }

    /// Replaces the view by one that covers `range`.
    pub(super) fn slide(&mut self, range: &Range<u64>) -> Result<()> {
        self.view = None;
        let file_end = self.backing.len_bytes()?;
        let (start, end) = match self.target_bytes {
            None => (0, file_end),
            Some(target) => {
                let start = range.start - range.start % os::allocation_granularity_bytes() as u64;
                (start, start.saturating_add(target).max(range.end).min(file_end))
            }
        };
        let len = usize::try_from(end.saturating_sub(start)).map_err(|_| {
            Error::new(ErrorKind::OutOfRange, "map a window")
                .offset(start)
                .detail("the file is larger than the address space; open it with a budget of views")
        })?;
        self.view = Some(Arc::new(self.backing.view(start, len, self.access)?));
        Ok(())
    }

    /// The part of a range of whole pages that lies in the window, which may end within a page.
    pub(super) fn clip(&self, range: Range<u64>) -> Range<u64> {
        let Some(view) = &self.view else { return range };
        let end = view.offset().saturating_add(view.len_bytes() as u64);
        range.start.max(view.offset())..range.end.min(end)
    }

    /// The current view, and the place of `range` in it.
    pub(super) fn place(&self, range: &Range<u64>) -> Result<(&View, Range<usize>)> {
        let outside = || {
            Error::new(ErrorKind::OutOfRange, "reach into a window")
                .offset(range.start)
                .detail(format!("{range:?} is not in the file's window"))
        };
        let view = self.view.as_ref().ok_or_else(outside)?;
        let at = |offset: u64| usize::try_from(offset.checked_sub(view.offset())?).ok();
        let (Some(start), Some(end)) = (at(range.start), at(range.end)) else {
            return Err(outside());
        };
        Ok((view, start..end))
    }

    /// Flushes the range in one call: the system writes only dirty pages, and a call for each dirty
    /// range would wait for the device each time.
    pub(super) fn flush(&self, range: Range<u64>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let (view, place) = self.place(&range)?;
        self.backing.flush_view(view, place)
    }
}

/// Copies bytes into a read-write window, and remembers what to flush.
///
/// Invariant: `written` lies in the window, because a flush comes before the window slides.
#[derive(Debug)]
pub(crate) struct MappedWrites {
    window: Window,
    written: Range<u64>,
    /// Whether a flush has failed. The system may have dropped the bytes then, so a later success
    /// would mean nothing.
    failed: bool,
}

impl MappedWrites {
    /// Writes to `backing` through a window of at most `window_bytes`.
    pub(crate) fn new(backing: Arc<dyn Backing>, window_bytes: Option<u64>) -> Self {
        let target_bytes = Some(window_bytes.unwrap_or(WINDOW_BYTES).min(WINDOW_BYTES));
        let window = Window { backing, access: Access::ReadWrite, target_bytes, view: None };
        Self { window, written: 0..0, failed: false }
    }

    /// Makes the file at least `len_bytes` long. If the file system cannot reserve room, writes
    /// zeros, so that a full disk is an error here and not a fault when a byte is first stored.
    pub(crate) fn reserve(&mut self, len_bytes: u64) -> Result<()> {
        let backing = &self.window.backing;
        let old_len_bytes = backing.len_bytes()?;
        if backing.grow(len_bytes)? == Grown::LengthOnly {
            write_zeros(&**backing, old_len_bytes..len_bytes).inspect_err(|_| {
                // The next call would take the new length for reserved room.
                let _ = backing.trim(old_len_bytes);
            })?;
        }
        Ok(())
    }

    /// Copies bytes to their place. The file must be long enough. Ascending places are cheapest.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let range = offset..offset.saturating_add(bytes.len() as u64);
        if !self.window.covers(&range) {
            self.flush()?;
            self.window.slide(&range)?;
        }
        self.written = match self.written.is_empty() {
            true => range.clone(),
            false => self.written.start.min(range.start)..self.written.end.max(range.end),
        };
        let (view, place) = self.window.place(&range)?;
        view.write(place.start, bytes)
    }

    /// Hands the written bytes to the file; a sync of the file makes them durable.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error, and [`ErrorKind::Poisoned`] ever
    /// after.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.failed {
            return Err(Error::new(ErrorKind::Poisoned, "flush a view")
                .detail("an earlier flush failed, so written records may be lost")
                .advice("close the store and open it again"));
        }
        let range = std::mem::replace(&mut self.written, 0..0);
        self.window.flush(range).inspect_err(|_| self.failed = true)
    }

    /// As [`MappedWrites::flush`], but only if bytes in `range` were written.
    pub(crate) fn flush_within(&mut self, range: &Range<u64>) -> Result<()> {
        let meets = range.start < self.written.end && self.written.start < range.end;
        if meets || self.failed { self.flush() } else { Ok(()) }
    }

    /// Flushes, and drops the view: not every system can cut a mapped file.
    pub(crate) fn release(&mut self) -> Result<()> {
        self.flush()?;
        self.window.view = None;
        Ok(())
    }
}

fn write_zeros(backing: &dyn Backing, range: Range<u64>) -> Result<()> {
    let zeros = vec![0; ZEROS_BYTES];
    let mut at = range.start;
    while at < range.end {
        let step = smaller(range.end - at, zeros.len());
        backing.write_at(at, &zeros[..step])?;
        at += step as u64;
    }
    Ok(())
}
