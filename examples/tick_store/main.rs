//! A tick store, such as a trading service has: feeds write packets of ticks from three threads, a
//! process follows them, old ticks are deleted, and a backup is made, all at once. Before that the
//! program brings a store up to date that an older version of it has left.
//!
//! Runs in a temporary directory, or in the given one, where it goes on with the store that it
//! finds there.
//!
//!     cargo run --release --example tick_store [DIRECTORY]

pub(crate) mod audit;
pub(crate) mod feed;
pub(crate) mod follower;
pub(crate) mod store;
pub(crate) mod tick;
pub(crate) mod upgrade;

use std::error::Error;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use flatrec::Database;

use audit::Audit;
use follower::Follower;
use store::{TickStore, between};
use tick::{Side, Tick};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The variables that tell a process to follow the store of this path, from a time on.
pub(crate) const FOLLOW: &str = "TICK_STORE_FOLLOW";
pub(crate) const AFTER: &str = "TICK_STORE_AFTER";

/// How many packets each feed sends.
const PACKETS: u64 = 100;
/// When the older program wrote its last tick, in microseconds since 1970.
const OLD_TIME: i64 = 1_700_000_000_000_000;

fn main() -> Result<()> {
    if let Some(path) = std::env::var_os(FOLLOW) {
        return follow(path.as_ref(), std::env::var(AFTER)?.parse()?);
    }
    let follower = Command::new(std::env::current_exe()?);
    match std::env::args_os().nth(1) {
        Some(directory) => run(directory.as_ref(), follower),
        None => run(tempfile::tempdir()?.path(), follower),
    }
}

/// Runs the service in a directory. `follower` is a command that comes to [`main`] or [`follow`].
pub(crate) fn run(directory: &Path, follower: Command) -> Result<()> {
    let path = directory.join("ticks.rec");
    if !path.try_exists()? {
        let left = upgrade::leave_old_store(&path, 200, OLD_TIME)?;
        println!("an older program left {left} ticks without venues");
    }
    let store = TickStore::open(&path)?;
    let before = store.snapshot()?;
    let fields = before.schema().fields().len();
    println!("opened {} ticks of {fields} fields", Audit::of(&before)?);

    let opened_at = before.iter().next_back().map_or(0, |(_, tick)| tick.at);
    let follower = Running::spawn(follower, &path, opened_at)?;
    let copy = directory.join("backup.rec");
    let written = serve(&store, opened_at, &copy)?;
    // The snapshot still has the ticks that have been deleted since.
    Audit::of(&before)?;
    drop(before);

    look_up(&store, written)?;
    store.close()?;
    follower.finish()?; // it ends when no program has the store open for writing

    let backup = Database::<Tick>::open_read_only(&copy)?.begin_read()?;
    println!("the backup has {} ticks, each packet whole", Audit::of(&backup)?);
    let left = upgrade::compact(&path)?;
    let store = TickStore::open(&path)?;
    assert_eq!(Audit::of(&store.snapshot()?)?, left);
    println!("the store has {left} ticks, and no places of deleted ones");
    store.close()
}

/// Lets all feeds send their packets, and beside them deletes old ticks and makes a backup. Returns
/// how many ticks were written.
fn serve(store: &TickStore, expire_before: i64, copy: &Path) -> Result<u64> {
    let begun = Instant::now();
    let start = store.snapshot()?;
    let ticks = std::thread::scope(|scope| -> Result<u64> {
        let feeds: Vec<_> = (0..feed::FEEDS)
            .map(|feed| scope.spawn(move || write_feed(store, feed, PACKETS, |_, _| {})))
            .collect();
        store.wait_for_change(&start)?; // the feeds are at work
        let expiry = scope.spawn(|| store.expire(expire_before));
        let backup = scope.spawn(|| store.backup(copy));
        let mut ticks = 0;
        for feed in feeds {
            ticks += feed.join().expect("a feed panicked")?;
        }
        println!("deleted {} ticks beside the feeds", expiry.join().expect("expiry panicked")?);
        backup.join().expect("the backup panicked")?;
        Ok(ticks)
    })?;
    let packets = u64::from(feed::FEEDS) * PACKETS;
    let took = begun.elapsed();
    println!("three feeds wrote {ticks} ticks in {packets} durable packets, in {took:.0?}");
    Ok(ticks)
}

/// Writes the next packets of a feed, and returns the number of their ticks. Calls `acknowledge`
/// with the number and the time of each packet that the store has durably.
pub(crate) fn write_feed(
    store: &TickStore,
    feed: u8,
    packets: u64,
    mut acknowledge: impl FnMut(u64, i64),
) -> Result<u64> {
    let first = store.next_packet(feed)?;
    let mut ticks = 0;
    for number in first..first + packets {
        let mut packet = store.begin_packet()?;
        for tick in feed::ticks(feed, number) {
            packet.add(&tick)?;
            ticks += 1;
        }
        acknowledge(number, packet.commit()?);
    }
    Ok(ticks)
}

/// Looks up the newer half of the ticks that the feeds have just written, by their times.
fn look_up(store: &TickStore, written: u64) -> Result<()> {
    let ticks = store.snapshot()?;
    let mut newest_first = ticks.iter().rev();
    let (_, newest) = newest_first.next().ok_or("the store is empty")?;
    let (_, middle) = newest_first.nth(usize::try_from(written / 2)?).ok_or("ticks are missing")?;
    let (mut bought, mut sold, mut count) = (0, 0, 0);
    for (_, tick) in between(&ticks, middle.at..newest.at + 1) {
        match tick.side.get()? {
            Side::Buy => bought += tick.deal.shares,
            Side::Sell => sold += tick.deal.shares,
        }
        count += 1;
    }
    let span = Duration::from_micros(u64::try_from(newest.at - middle.at)?);
    println!("the last {span:.0?} have {count} ticks: {bought} shares bought, {sold} sold");
    Ok(())
}

/// Follows the store at `path` until its service has closed it, and checks each packet.
pub(crate) fn follow(path: &Path, after: i64) -> Result<()> {
    /// How often the follower checks whether there still is a service.
    const LOOK_EVERY: Duration = Duration::from_millis(100);
    let mut follower = Follower::open(path, after)?;
    let (mut audit, mut looks) = (Audit::default(), 0);
    loop {
        // Asked first: if the service is gone, the next look sees everything.
        let is_over = !follower.has_writer()?;
        follower.read_new(|tick| audit.add(tick))?;
        looks += 1;
        if is_over {
            break;
        }
        follower.wait(LOOK_EVERY)?;
    }
    println!("another process followed {} ticks in {looks} looks", audit.finish()?);
    Ok(())
}

/// A follower in a process of its own, which ends with this value.
struct Running(Child);

impl Running {
    fn spawn(mut command: Command, path: &Path, after: i64) -> Result<Self> {
        Ok(Self(command.env(FOLLOW, path).env(AFTER, after.to_string()).spawn()?))
    }

    fn finish(mut self) -> Result<()> {
        let status = self.0.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the follower failed: {status}").into()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After an error the follower would wait for the service.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
