//! [`VersionList`] and [`TokenLock`] over loom's threads, in every order and under loom's memory
//! model.
//!
//! Of the version list: the array is one cell, and loom notices a write while another thread may be
//! reading. Readers load the newest state and read the cell if that state has no image of its own.
//! The writer publishes a state with an image, and writes the cell once no thread holds an older
//! state.
//!
//! `ArcSwap` does not run in loom. A lock around an `Arc` replaces it, so the test assumes this of
//! `ArcSwap`: a load, or its end, and a swap happen one after the other, and a loaded value is
//! counted before the swap that removes it gives it up (`arc_swap::docs::internal`, "Protection of
//! reference counts": a writer pays the debts of all readers before it drops the old value). `Arc`
//! and `Weak` count in loom's atomics, with the memory orders of the standard library.
//!
//! Of the token lock: threads take the value by every way, and give it back, also in another thread
//! than the one that took it. Loom notices a thread that waits for ever.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use loom::cell::UnsafeCell;
use loom::thread;

use self::token_lock::{Holder, Patience, Refusal, Token, TokenLock};
use self::version_list::VersionList;
use parts::Arc;

mod parts {
    use std::ops::Deref;
    use std::sync::LockResult;
    pub(super) use std::sync::PoisonError;
    use std::time::Duration;

    use loom::sync::atomic::{AtomicUsize, Ordering, fence};
    pub(super) use loom::sync::{Mutex, MutexGuard};
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

    /// So few that a test of three threads goes past it.
    pub(super) const PASSES_MAX: u32 = 1;

    pub(super) use loom::thread::ThreadId;

    pub(super) fn this_thread() -> ThreadId {
        loom::thread::current().id()
    }

    /// A condition variable whose calls a test can leave out or weaken.
    pub(super) struct Condvar(loom::sync::Condvar);

    impl Condvar {
        pub(super) fn new() -> Self {
            Self(loom::sync::Condvar::new())
        }

        pub(super) fn wait<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
        ) -> LockResult<MutexGuard<'a, T>> {
            self.0.wait(guard)
        }

        pub(super) fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            at_most: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, loom::sync::WaitTimeoutResult)> {
            self.0.wait_timeout(guard, at_most)
        }

        pub(super) fn notify_one(&self) {
            if super::WAKING.get() != super::Waking::None {
                self.0.notify_one();
            }
        }

        pub(super) fn notify_all(&self) {
            match super::WAKING.get() {
                super::Waking::AsItIs => self.0.notify_all(),
                super::Waking::OnlyOne => self.0.notify_one(),
                super::Waking::None => {}
            }
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

#[path = "token_lock.rs"]
#[allow(clippy::duplicate_mod, reason = "this one is made of loom's parts")]
#[allow(dead_code, reason = "these tests have no engine, and loom no clock")]
mod token_lock;

/// Which waiting threads a release wakes.
#[derive(Clone, Copy, PartialEq)]
enum Waking {
    AsItIs,
    /// One, where it must be all.
    OnlyOne,
    None,
}

thread_local! {
    /// Whether a test leaves the fences out. Loom runs all its threads on one system thread.
    static UNFENCED: Cell<bool> = const { Cell::new(false) };
    static WAKING: Cell<Waking> = const { Cell::new(Waking::AsItIs) };
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

/// A record that loom watches, in a lock.
type Lock = loom::sync::Arc<TokenLock<UnsafeCell<()>>>;

impl token_lock::HasLock<UnsafeCell<()>> for Lock {
    fn token_lock(&self) -> &TokenLock<UnsafeCell<()>> {
        self
    }
}

fn lock() -> Lock {
    loom::sync::Arc::new(TokenLock::new(UnsafeCell::new(())))
}

fn take(
    lock: &Lock,
    holder: Holder,
    patience: Patience,
) -> Result<Token<Lock, UnsafeCell<()>>, Refusal> {
    Token::take(lock.clone(), holder, patience).map_err(|(_, refusal)| refusal)
}

/// Waits for the value, changes it and gives it back.
fn change(lock: &Lock) {
    take(lock, Holder::InAnyThread, Patience::FOREVER).expect("its turn").with_mut(|_| ());
}

/// Two threads wait for the value, while this one takes it twice more and passes them.
fn two_threads_wait_and_one_passes() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let lock = lock();
        let first = take(&lock, Holder::InAnyThread, Patience::FOREVER).expect("it is free");
        let waiting = [0, 1].map(|_| {
            let lock = lock.clone();
            thread::spawn(move || change(&lock))
        });
        first.with_mut(|_| ());
        drop(first);
        for _ in 0..2 {
            if let Ok(token) = take(&lock, Holder::InAnyThread, Patience::None) {
                token.with_mut(|_| ());
            }
        }
        waiting.into_iter().for_each(|thread| thread.join().expect("a thread panicked"));
        assert!(take(&lock, Holder::Engine, Patience::None).is_ok(), "all others have ended");
    });
}

#[test]
fn loom_waiting_threads_get_their_turn_and_are_alone() {
    two_threads_wait_and_one_passes();
}

/// Whether threads of a test of this file wait for ever. Loom panics then, and again when its
/// objects are dropped, which ends the process: so the test runs in a process of its own.
fn hangs(test: &str) -> bool {
    let program = std::env::current_exe().expect("the path of this program");
    let name = format!("txn::in_loom::{test}");
    let run = Command::new(program)
        .args(["--exact", &name, "--include-ignored", "--nocapture"])
        .output()
        .expect("a process");
    !run.status.success() && String::from_utf8_lossy(&run.stderr).contains("deadlock")
}

#[test]
#[ignore = "is the other process of loom_notices_a_release_that_wakes_no_thread"]
fn no_thread_is_woken() {
    WAKING.set(Waking::None);
    two_threads_wait_and_one_passes();
}

#[test]
fn loom_notices_a_release_that_wakes_no_thread() {
    assert!(hangs("no_thread_is_woken"));
}

#[test]
#[ignore = "is the other process of loom_notices_a_release_that_wakes_only_one_thread"]
fn only_one_thread_is_woken() {
    WAKING.set(Waking::OnlyOne);
    two_threads_wait_and_one_passes();
}

/// One thread is woken, and it is not the one whose turn it is.
#[test]
fn loom_notices_a_release_that_wakes_only_one_thread() {
    assert!(hangs("only_one_thread_is_woken"));
}

/// A token moves to another thread, which gives it back. A thread waits for what ends by itself,
/// and not for a transaction.
#[test]
fn loom_tokens_move_between_threads() {
    loom::model(|| {
        let lock = lock();
        let token = take(&lock, Holder::InAnyThread, Patience::FOREVER).expect("it is free");
        let thread = thread::spawn(move || {
            token.with_mut(|_| ());
            drop(token);
        });
        match take(&lock, Holder::Engine, Patience::ForEngine) {
            Ok(token) => token.with_mut(|_| ()),
            Err(refusal) => {
                assert!(refusal == Refusal::Taken);
                change(&lock);
            }
        }
        thread.join().expect("a thread panicked");
        change(&lock);
    });
}

#[test]
fn loom_a_thread_does_not_wait_for_itself() {
    loom::model(|| {
        let lock = lock();
        let token = take(&lock, Holder::in_this_thread(), Patience::FOREVER).expect("it is free");
        let other = lock.clone();
        let other = thread::spawn(move || {
            let token = take(&other, Holder::in_this_thread(), Patience::FOREVER);
            token.expect("another thread's turn ends").with_mut(|_| ());
        });
        let again = take(&lock, Holder::in_this_thread(), Patience::FOREVER);
        assert!(again.is_err_and(|refusal| refusal == Refusal::TakenHere));
        token.with_mut(|_| ());
        drop(token);
        other.join().expect("a thread panicked");
    });
}
