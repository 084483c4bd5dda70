//! One thread that follows a store and does other work: a task waits for commits, as it would for a
//! socket, while a writer in another thread commits (it could be any process).
//!
//! On Unix the task waits for a descriptor (tokio's `AsyncFd`). tokio has no such type for the
//! event handles of Windows, so there a thread of tokio's pool waits for the task. (A program that
//! follows many stores there would use `RegisterWaitForSingleObject` or `WaitForMultipleObjects`.)
//!
//!     cargo run --release --example async_follower

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use flatrec::{Database, Durability, ReadOnlyDatabase, Record, le};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const COMMITS: u64 = 40;
const TICKS_A_COMMIT: u64 = 16;

/// The field types mean the same on every machine, so any machine can open the store.
#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Tick {
    number: le::U64,
    price: le::F64,
}

fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("ticks.rec");
    let ticks = Database::<Tick>::create(&path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (seen, wakes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let beats = std::thread::scope(|scope| {
        let writer = scope.spawn(|| produce(&ticks));
        let beats = runtime.block_on(follow_beside_other_work(&path, &seen, &wakes))?;
        writer.join().expect("the writer panicked")?;
        Ok::<u64, Box<dyn Error + Send + Sync>>(beats)
    })?;
    let wakes = wakes.load(Relaxed);
    println!("{} ticks of {COMMITS} commits in {wakes} wakes", seen.load(Relaxed));
    println!("the same thread did other work {beats} times");
    assert!(wakes <= COMMITS + 2, "the task was woken without a commit");
    assert!(ticks.readers()?.is_empty(), "the cancelled task has dropped its reader");
    ticks.close()?;
    Ok(())
}

/// Commits every few milliseconds.
fn produce(ticks: &Database<Tick>) -> Result<()> {
    let mut number = 0;
    for _ in 0..COMMITS {
        let mut transaction = ticks.begin_write()?;
        for _ in 0..TICKS_A_COMMIT {
            let price = price_of(number).into();
            transaction.append(&Tick { number: number.into(), price })?;
            number += 1;
        }
        transaction.commit(Durability::Eventual)?;
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Starts a task that follows the store, works until that task has seen everything, and cancels it.
async fn follow_beside_other_work(
    path: &Path,
    seen: &Arc<AtomicU64>,
    wakes: &Arc<AtomicU64>,
) -> Result<u64> {
    let reader = Database::<Tick>::open_read_only(path)?;
    let follower = tokio::spawn(follow(reader, Arc::clone(seen), Arc::clone(wakes)));
    let mut timer = tokio::time::interval(Duration::from_millis(3));
    let (started, mut beats) = (Instant::now(), 0);
    while seen.load(Relaxed) < COMMITS * TICKS_A_COMMIT {
        timer.tick().await;
        beats += 1;
        if follower.is_finished() || started.elapsed() > Duration::from_secs(60) {
            follower.abort();
            return Err(format!("the follower failed: {:?}", follower.await).into());
        }
    }
    // The task waits for a commit that will not come. Cancelling drops its snapshot and its events.
    follower.abort();
    match follower.await {
        Err(ended) if ended.is_cancelled() => Ok(beats),
        other => Err(format!("the follower did more than wait: {other:?}").into()),
    }
}

/// Follows the store for ever.
async fn follow(
    reader: ReadOnlyDatabase<Tick>,
    seen: Arc<AtomicU64>,
    wakes: Arc<AtomicU64>,
) -> Result<()> {
    let events = Commits::of(&reader)?;
    let mut snapshot = reader.begin_read()?;
    let mut next = 0;
    loop {
        for (id, tick) in snapshot.range(next..) {
            assert_eq!((tick.number.get(), tick.price.get()), (id, price_of(id)));
        }
        next = snapshot.count();
        seen.store(next, Relaxed);
        // A commit after the refresh makes this return at once.
        events.after(&snapshot).await?;
        wakes.fetch_add(1, Relaxed);
        snapshot.refresh()?;
    }
}

/// Commit events as a task waits for them.
#[cfg(unix)]
struct Commits(tokio::io::unix::AsyncFd<flatrec::CommitEvents>);

#[cfg(unix)]
impl Commits {
    #[allow(unsafe_code, reason = "tokio asks for a promise about the descriptor")]
    fn of(reader: &ReadOnlyDatabase<Tick>) -> Result<Self> {
        use tokio::io::{Interest, unix::AsyncFd};
        let events = reader.commit_events()?;
        // SAFETY: commit events own their descriptor and never replace it, and nothing closes it
        // before `AsyncFd` drops them. (Before tokio 1.54: `AsyncFd::with_interest`, a safe call.)
        Ok(Self(unsafe { AsyncFd::register_with_interest(events, Interest::READABLE) }?))
    }

    /// Waits until there may be a newer commit than that of the snapshot.
    async fn after(&self, snapshot: &flatrec::Snapshot<Tick>) -> Result<()> {
        self.0.get_ref().acknowledge(snapshot)?;
        loop {
            let mut guard = self.0.readable().await?;
            // tokio remembers that the descriptor was readable before.
            if self.0.get_ref().wait(Duration::ZERO)? {
                return Ok(());
            }
            guard.clear_ready();
        }
    }
}

/// Commit events as a task waits for them.
#[cfg(not(unix))]
struct Commits(Arc<flatrec::CommitEvents>);

#[cfg(not(unix))]
impl Commits {
    fn of(reader: &ReadOnlyDatabase<Tick>) -> Result<Self> {
        Ok(Self(Arc::new(reader.commit_events()?)))
    }

    /// Waits until there may be a newer commit than that of the snapshot.
    async fn after(&self, snapshot: &flatrec::Snapshot<Tick>) -> Result<()> {
        self.0.acknowledge(snapshot)?;
        loop {
            // A thread of the pool cannot be cancelled, so it waits for a short time only.
            let events = Arc::clone(&self.0);
            let waited =
                tokio::task::spawn_blocking(move || events.wait(Duration::from_millis(100)));
            if waited.await?? {
                return Ok(());
            }
        }
    }
}

fn price_of(number: u64) -> f64 {
    100.0 + (number % 64) as f64 / 64.0
}
