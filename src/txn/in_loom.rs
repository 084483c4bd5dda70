//! [`VersionList`] over loom's threads, in every order and under loom's memory model.
//!
//! The array is one cell: loom notices a write while another thread may be reading. Readers load
//! the newest state and read the cell if that state has no image of its own. The writer publishes a
//! state with an image, and writes the cell once no thread holds an older state.
//!
//! `ArcSwap` does not run in loom. A lock around an `Arc` replaces it, so the test assumes this of
//! `ArcSwap`: a load, or its end, and a swap happen one after the other, and a loaded value is
//! counted before the swap that removes it gives it up (`arc_swap::docs::internal`, "Protection of
//! reference counts": a writer pays the debts of all readers before it drops the old value). `Arc`
//! and `Weak` count in loom's atomics, with the memory orders of the standard library.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use loom::cell::UnsafeCell;
use loom::thread;

use self::version_list::VersionList;
use parts::Arc;

mod parts {
    use std::ops::Deref;
    pub(super) use std::sync::PoisonError;

    pub(super) use loom::sync::Mutex;
    use loom::sync::atomic::{AtomicUsize, Ordering, fence};
    use loom::sync::{RwLock, RwLockReadGuard};

    struct Counted<T> {
        strong: AtomicUsize,
        value: T,
    }

    pub(super) struct Arc<T>(std::sync::Arc<Counted<T>>);
    pub(super) struct Weak<T>(std::sync::Arc<Counted<T>>);

    impl<T> Arc<T> {
        pub(super) fn new(value: T) -> Self {
            Self(std::sync::Arc::new(Counted { strong: AtomicUsize::new(1), value }))
        }

        pub(super) fn downgrade(this: &Self) -> Weak<T> {
            Weak(std::sync::Arc::clone(&this.0))
        }
    }

    impl<T> Deref for Arc<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0.value
        }
    }

    impl<T> Clone for Arc<T> {
        fn clone(&self) -> Self {
            self.0.strong.fetch_add(1, Ordering::Relaxed);
            Self(std::sync::Arc::clone(&self.0))
        }
    }

    impl<T> Drop for Arc<T> {
        fn drop(&mut self) {
            self.0.strong.fetch_sub(1, Ordering::Release);
        }
    }

    impl<T> Weak<T> {
        pub(super) fn upgrade(&self) -> Option<Arc<T>> {
            let more = |count: usize| (count > 0).then_some(count + 1);
            let counted = self.0.strong.fetch_update(Ordering::Acquire, Ordering::Relaxed, more);
            counted.ok().map(|_| Arc(std::sync::Arc::clone(&self.0)))
        }

        pub(super) fn strong_count(&self) -> usize {
            self.0.strong.load(Ordering::Relaxed)
        }
    }

    /// Stands in for `ArcSwap`.
    pub(super) struct Swap<T>(RwLock<Arc<T>>);

    impl<T> Swap<T> {
        pub(super) fn new(value: Arc<T>) -> Self {
            Self(RwLock::new(value))
        }

        pub(super) fn load(&self) -> RwLockReadGuard<'_, Arc<T>> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn load_full(&self) -> Arc<T> {
            self.load().clone()
        }

        pub(super) fn swap(&self, value: Arc<T>) -> Arc<T> {
            let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, value)
        }
    }

    pub(super) fn acquire_fence() {
        if !super::UNFENCED.get() {
            fence(Ordering::Acquire);
        }
    }
}

#[path = "version_list.rs"]
#[allow(clippy::duplicate_mod, reason = "this one is made of loom's parts")]
mod version_list;

thread_local! {
    /// Whether a test leaves the fences out. Loom runs all its threads on one system thread.
    static UNFENCED: Cell<bool> = const { Cell::new(false) };
}

struct State {
    commit: u64,
    /// Whether readers of this state find the record in the array.
    in_array: bool,
}

struct Store {
    newest: VersionList<State>,
    record: UnsafeCell<()>,
}

fn state(commit: u64, in_array: bool) -> Arc<State> {
    Arc::new(State { commit, in_array })
}

impl Store {
    fn new() -> loom::sync::Arc<Self> {
        let newest = VersionList::new(state(1, true));
        loom::sync::Arc::new(Self { newest, record: UnsafeCell::new(()) })
    }

    /// Takes a snapshot, reads it, and drops it.
    fn read(&self) {
        let state = self.newest.load();
        if state.in_array {
            self.record.with(|_| ());
        }
    }

    /// Commits, and checkpoints if `may_write` allows it for the oldest state.
    fn write(&self, may_write: impl Fn(&State) -> bool) {
        self.newest.publish(state(2, false), || ());
        assert_eq!(self.newest.look(|state| state.commit), 2);
        if may_write(&self.newest.oldest()) {
            self.record.with_mut(|_| ());
            self.newest.publish(state(2, true), || ());
        }
    }
}

fn readers_and_a_writer(readers: usize, may_write: fn(&State) -> bool) {
    let mut builder = loom::model::Builder::new();
    // Two readers have too many orders to try them all.
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let store = Store::new();
        let readers: Vec<_> = (0..readers)
            .map(|_| {
                let store = store.clone();
                thread::spawn(move || store.read())
            })
            .collect();
        store.write(may_write);
        readers.into_iter().for_each(|reader| reader.join().expect("a reader panicked"));
        assert_eq!(store.newest.oldest().commit, 2, "all readers have ended");
        let first = store.newest.find(|state| state.commit == 1);
        assert!(first.is_none(), "no reader holds commit 1");
    });
}

fn fails(check: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(check)).is_err()
}

#[test]
fn loom_held_states_do_not_change() {
    readers_and_a_writer(2, |oldest| oldest.commit == 2);
}

#[test]
fn loom_notices_a_checkpoint_past_a_held_state() {
    assert!(fails(|| readers_and_a_writer(1, |_| true)));
}

#[test]
fn loom_notices_a_look_at_holders_without_a_fence() {
    UNFENCED.set(true);
    let failed = fails(|| readers_and_a_writer(1, |oldest| oldest.commit == 2));
    UNFENCED.set(false);
    assert!(failed);
}
