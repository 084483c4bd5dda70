//! A producer that appends ticks in transactions, and a consumer in another process that follows
//! them through snapshots: whole transactions, in order, each tick once.
//!
//! Runs in the given directory; by default in a temporary one on disk and, on Linux, in one on
//! /dev/shm, which is memory that looks like files: a sync there costs nothing and promises
//! nothing. Its commits survive the end of both programs, however they end, but not that of the
//! machine.
//!
//!     cargo run --release --example producer_consumer [DIRECTORY]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flatrec::{Database, Durability, Record, le};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const CONSUME: &str = "--consume";
const TICKS_A_COMMIT: u64 = 16;
/// The time for producing ticks with each kind of commit.
const PHASE: Duration = Duration::from_millis(700);
/// How often the consumer checks whether there still is a producer.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The field types mean the same on every machine, so any machine can open the store.
#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Tick {
    number: le::U64,
    /// In nanoseconds since 1970.
    made_at: le::U64,
    price: le::F64,
}

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    match (args.next(), args.next()) {
        (Some(first), Some(path)) if first == CONSUME => consume(path.as_ref()),
        (Some(directory), _) => produce_in(directory.as_ref()),
        (None, _) => {
            produce_in(&std::env::temp_dir())?;
            let memory = PathBuf::from("/dev/shm");
            if cfg!(target_os = "linux") && memory.is_dir() { produce_in(&memory) } else { Ok(()) }
        }
    }
}

/// Makes a store in a new directory below this one, and fills it beside a consumer.
fn produce_in(directory: &Path) -> Result<()> {
    let directory = tempfile::tempdir_in(directory)?;
    let path = directory.path().join("ticks.rec");
    println!("{}:", directory.path().display());
    let ticks = Database::<Tick>::create(&path)?;
    let consumer = Command::new(std::env::current_exe()?).arg(CONSUME).arg(&path).spawn()?;
    for durability in [Durability::Immediate, Durability::Eventual] {
        produce(&ticks, durability)?;
    }
    // The consumer ends when no program has the store open for writing.
    ticks.close()?;
    let output = consumer.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("the consumer failed: {}", output.status).into());
    }
    Ok(())
}

fn produce(ticks: &Database<Tick>, durability: Durability) -> Result<()> {
    let first = ticks.begin_read()?.count();
    let started = Instant::now();
    let (mut next, mut survives) = (first, None);
    while started.elapsed() < PHASE {
        let mut transaction = ticks.begin_write()?;
        let made_at = now().into();
        for number in next..next + TICKS_A_COMMIT {
            let (number, price) = (number.into(), price_of(number).into());
            transaction.append(&Tick { number, made_at, price })?;
        }
        survives = Some(transaction.commit(durability)?.survives());
        next += TICKS_A_COMMIT;
    }
    let seconds = started.elapsed().as_secs_f64();
    let survives = survives.map_or_else(String::new, |loss| format!("{loss:?}").to_lowercase());
    println!(
        "  producer, {durability:?}: {:.0} commits and {:.0} ticks a second, which survive a loss \
         of the {survives}",
        (next - first) as f64 / TICKS_A_COMMIT as f64 / seconds,
        (next - first) as f64 / seconds
    );
    Ok(())
}

/// Follows the store at `path` until its producer has closed it, and checks all that it gets.
fn consume(path: &Path) -> Result<()> {
    let reader = Database::<Tick>::open_read_only(path)?;
    let mut snapshot = reader.begin_read()?;
    let (mut next, mut looks, mut ages) = (0, 0_u64, Vec::new());
    loop {
        // Asked first: if the producer is gone, the next look sees everything.
        let is_over = !reader.has_writer()?;
        snapshot.refresh()?;
        let seen_at = now();
        assert_eq!(snapshot.count() % TICKS_A_COMMIT, 0, "a transaction is seen whole or not");
        for (id, tick) in snapshot.range(next..) {
            assert_eq!((tick.number.get(), tick.price.get()), (id, price_of(id)));
            ages.push(seen_at.saturating_sub(tick.made_at.get()));
        }
        (next, looks) = (snapshot.count(), looks + 1);
        if is_over {
            break;
        }
        // Sleeps until a commit. The snapshot held during the wait is the newest one; a reader that
        // works long with a snapshot keeps later commits in the log for that time.
        reader.wait(snapshot.commit_id(), LOOK_EVERY)?;
    }
    assert_eq!(ages.len() as u64, next, "every tick exactly once");
    ages.sort_unstable();
    let median = ages.get(ages.len() / 2).copied().unwrap_or(0);
    println!(
        "  consumer: {next} ticks in {looks} looks, half of them within {:?} of being made",
        Duration::from_nanos(median)
    );
    Ok(())
}

fn price_of(number: u64) -> f64 {
    100.0 + (number % 64) as f64 / 64.0
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
