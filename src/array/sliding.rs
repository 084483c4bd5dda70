//! Reading through sliding windows with a budget of mapped bytes.
//!
//! Invariants: the views never map more than the budget; a pinned view (one that a guard holds) is
//! never unmapped; the least recently used unpinned view is unmapped first. Pins that fill the
//! budget are an error, not a wait: a thread that holds the pins itself would wait for ever.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::format::{Place, Windows, widen};
use crate::io::{Access, Backing, View};
use crate::os;

/// Counters of a store's sliding windows.
///
/// ```
/// use flatrec::{DataType, Field, Schema, WindowedStore};
/// # #[cfg(feature = "derive")] {
/// use flatrec::{Record, Store, zerocopy::*};
/// #[derive(Clone, Copy, Record, FromBytes, IntoBytes, Immutable, KnownLayout)]
/// #[zerocopy(crate = "flatrec::zerocopy")]
/// #[repr(C)]
/// struct Point { x: u32, y: u32 }
/// let directory = tempfile::tempdir().unwrap();
/// let path = directory.path().join("points.rec");
/// let mut store = Store::<Point>::create(&path).unwrap();
/// for i in 0..100_000 { store.append(&Point { x: i, y: i * 2 }).unwrap(); }
/// store.close().unwrap();
/// let options = WindowedStore::<Point>::options();
/// let options = options.max_mapped_bytes(256 << 10).window_bytes(64 << 10);
/// let windowed = options.open(&path).unwrap();
/// for i in 0..100_000 { assert_eq!(windowed.get(i).unwrap().unwrap().y, i as u32 * 2); }
/// let counters = windowed.view_counters();
/// assert!(counters.mapped_bytes <= 256 << 10 && counters.evictions > 0);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewCounters {
    /// Bytes that are mapped at the moment.
    pub mapped_bytes: u64,
    /// The most bytes that may be mapped.
    pub budget_bytes: u64,
    /// Bytes of one window's records.
    pub window_bytes: u64,
    /// Views that are mapped at the moment.
    pub views: u64,
    /// Reads that found their view mapped.
    pub hits: u64,
    /// Reads that had to map a view.
    pub remaps: u64,
    /// Views that were unmapped to make room.
    pub evictions: u64,
}

#[derive(Debug)]
struct Held {
    view: Arc<View>,
    /// The time of its last use, by `State::clock`; its key in `State::by_age`.
    used: u64,
}

#[derive(Debug, Default)]
struct State {
    held: HashMap<u64, Held>,
    by_age: BTreeMap<u64, u64>,
    clock: u64,
    mapped_bytes: u64,
}

/// Windows over the records of a backing, mapped as they are needed.
#[derive(Debug)]
pub(crate) struct Slider {
    backing: Arc<dyn Backing>,
    windows: Windows,
    budget_bytes: u64,
    state: Mutex<State>,
    hits: AtomicU64,
    remaps: AtomicU64,
    evictions: AtomicU64,
}

impl Slider {
    /// Windows over `backing` that together map at most `budget_bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if one window, widened to the granularity, does not fit.
    pub(crate) fn new(
        backing: Arc<dyn Backing>,
        windows: Windows,
        budget_bytes: u64,
    ) -> Result<Self> {
        let granularity = os::allocation_granularity_bytes() as u64;
        let records_bytes = windows.geometry.stride << windows.records_log2;
        let widest = records_bytes.saturating_add(2 * granularity);
        if widest > budget_bytes {
            return Err(Error::new(ErrorKind::InvalidArgument, "open windowed")
                .detail(format!(
                    "one window of {records_bytes} bytes takes up to {widest} bytes of views, more \
                 than the budget of {budget_bytes}"
                ))
                .advice("open the store with a larger budget or a smaller window"));
        }
        Ok(Self {
            backing,
            windows,
            budget_bytes,
            state: Mutex::default(),
            hits: AtomicU64::new(0),
            remaps: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
        })
    }

    /// Pins the view that holds record `index` of `count`, and returns the record's place in the
    /// view. If the file was cut, and views may not pass its end, the view may hold fewer records
    /// than the window has, but always this one.
    pub(crate) fn pin(&self, index: u64, count: u64) -> Result<(Arc<View>, usize)> {
        let Place { window, .. } = self.windows.place(index);
        let start = self.windows.geometry.offset_of(index)?;
        let end = start.saturating_add(self.windows.geometry.stride);
        let mut state = self.lock();
        let view = match self.held(&mut state, window, end) {
            Some(view) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                view
            }
            None => self.map(&mut state, window, count, start..end)?,
        };
        let lead = usize::try_from(start - view.offset())
            .map_err(|_| Error::new(ErrorKind::OutOfRange, "pin a view").record(index))?;
        Ok((view, lead))
    }

    /// The records that share a window with record `index`.
    pub(crate) fn window_of(&self, index: u64) -> Range<u64> {
        let first = index - self.windows.place(index).slot;
        first..first.saturating_add(1 << self.windows.records_log2)
    }

    /// The counters at the moment.
    pub(crate) fn counters(&self) -> ViewCounters {
        let state = self.lock();
        ViewCounters {
            mapped_bytes: state.mapped_bytes,
            budget_bytes: self.budget_bytes,
            window_bytes: self.windows.geometry.stride << self.windows.records_log2,
            views: state.held.len() as u64,
            hits: self.hits.load(Ordering::Relaxed),
            remaps: self.remaps.load(Ordering::Relaxed),
            evictions: self.evictions.load(Ordering::Relaxed),
        }
    }

    /// Unmaps every view that no guard pins.
    pub(crate) fn release(&self) {
        let mut state = self.lock();
        while self.evict_oldest(&mut state) {}
    }

    /// The view of `window`, if it is mapped at least up to byte `end`. Marks it as used last.
    fn held(&self, state: &mut State, window: u64, end: u64) -> Option<Arc<View>> {
        let newest = state.clock;
        let held = state.held.get_mut(&window)?;
        if held.view.offset() + (held.view.len_bytes() as u64) < end {
            return None;
        }
        if held.used != newest {
            state.by_age.remove(&held.used);
            state.clock += 1;
            held.used = state.clock;
            state.by_age.insert(held.used, window);
        }
        Some(Arc::clone(&held.view))
    }

    /// Maps `window`, for the record at `record`. Unmaps other windows if the budget requires it.
    fn map(
        &self,
        state: &mut State,
        window: u64,
        count: u64,
        record: Range<u64>,
    ) -> Result<Arc<View>> {
        let granularity = os::allocation_granularity_bytes() as u64;
        let bytes = self.windows.bytes(window, count)?;
        let mut range = widen(bytes.clone(), granularity);
        if !self.backing.properties().views_pass_end {
            let file_len_bytes = self.backing.len_bytes()?;
            if file_len_bytes < record.end {
                return Err(Error::truncated("read", file_len_bytes, record.start));
            }
            range.end = range.end.min(file_len_bytes);
        }
        let len_bytes = range.end - range.start;
        // A window that was mapped before the array grew is too short: replace it.
        if let Some(short) = state.held.get(&window) {
            if Arc::strong_count(&short.view) > 1 {
                return Err(self.exhausted(
                    state,
                    len_bytes,
                    "the window is pinned at its old end",
                ));
            }
            let used = short.used;
            self.unmap(state, used);
        }
        while state.mapped_bytes.saturating_add(len_bytes) > self.budget_bytes {
            if !self.evict_oldest(state) {
                return Err(self.exhausted(state, len_bytes, "every mapped view is pinned"));
            }
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
        let len = usize::try_from(len_bytes)
            .map_err(|_| Error::new(ErrorKind::OutOfRange, "map a window").offset(range.start))?;
        let view = Arc::new(self.backing.view(range.start, len, Access::ReadOnly)?);
        self.remaps.fetch_add(1, Ordering::Relaxed);
        state.clock += 1;
        state.mapped_bytes += len_bytes;
        state.by_age.insert(state.clock, window);
        state.held.insert(window, Held { view: Arc::clone(&view), used: state.clock });
        Ok(view)
    }

    fn evict_oldest(&self, state: &mut State) -> bool {
        let unpinned = state.by_age.iter().find_map(|(&used, window)| {
            let held = state.held.get(window)?;
            (Arc::strong_count(&held.view) == 1).then_some(used)
        });
        unpinned.is_some_and(|used| {
            self.unmap(state, used);
            true
        })
    }

    fn unmap(&self, state: &mut State, used: u64) {
        if let Some(window) = state.by_age.remove(&used) {
            if let Some(held) = state.held.remove(&window) {
                state.mapped_bytes -= held.view.len_bytes() as u64;
            }
        }
    }

    fn exhausted(&self, state: &State, len_bytes: u64, why: &'static str) -> Error {
        Error::new(ErrorKind::BudgetExhausted, "map a window")
            .detail(format!(
                "{why}: {} of {} bytes are mapped, and {len_bytes} more are needed",
                state.mapped_bytes, self.budget_bytes
            ))
            .advice("drop unused guards, or open the store with a larger budget")
    }

    /// The state. A thread that panicked with the lock left at worst a mapped view that is not
    /// counted as used.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
