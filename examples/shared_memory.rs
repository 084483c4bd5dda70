//! Two processes and one piece of named memory with typed records: a producer and a consumer,
//! without a file or a store.
//!
//! This process creates and initialises the memory, starts itself a second time, and fills a ring
//! with ticks. The second process finds the initialised memory by its name, and takes every tick
//! out of the ring, in order. Records are copied in and out, and a copy may contain a part of a
//! concurrent write: each record carries a seal that shows whether it is whole, and whose it is.
//!
//!     cargo run --release --example shared_memory

use std::error::Error;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use flatrec::map::{Mapping, TypedView};
use flatrec::zerocopy::{FromBytes, Immutable, IntoBytes};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const TICKS: u64 = 500_000;
const RING_LEN: u64 = 1024;
/// The consumer's position lies after the ring.
const CURSOR_OFFSET: u64 = RING_LEN * size_of::<Sealed>() as u64;
const LEN_BYTES: u64 = CURSOR_OFFSET + size_of::<Sealed>() as u64;
/// Longer than either side makes the other wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shared memory never leaves this machine, so the machine's own byte order suffices.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable)]
#[zerocopy(crate = "flatrec::zerocopy")]
#[repr(C)]
struct Sealed {
    number: u64,
    price: u64,
    seal: u64,
}

impl Sealed {
    fn new(number: u64, price: u64) -> Self {
        Self { number, price, seal: seal(number, price) }
    }

    /// The record, if it is whole.
    fn whole(self) -> Option<Self> {
        Some(self).filter(|seen| seen.seal == seal(seen.number, seen.price))
    }
}

fn seal(number: u64, price: u64) -> u64 {
    (number.rotate_left(32) ^ price).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x0123_4567_89ab_cdef
}

fn price_of(number: u64) -> u64 {
    10_000 + number % 97
}

fn main() -> Result<ExitCode> {
    match std::env::args().nth(1) {
        None => produce(),
        Some(name) => consume(&name),
    }
}

/// Creates the memory, starts the consumer, and gives it ticks.
fn produce() -> Result<ExitCode> {
    let name = format!("flatrec-ticks-{}", std::process::id());
    // If several processes ask for this name at the same time, one runs its initialiser, and the
    // others wait until it has returned. The name is removed when `memory` is dropped.
    let memory = Mapping::named(&name, LEN_BYTES, |memory| {
        let places = memory.typed::<Sealed>(0)?;
        (0..RING_LEN).try_for_each(|place| places.set(place, &Sealed::new(u64::MAX, 0)))?;
        places.set(RING_LEN, &Sealed::new(0, 0))
    })?;
    println!("producer: made {name}, a ring of {RING_LEN} places");

    let ring: TypedView<Sealed> = memory.typed(0)?;
    let cursor: TypedView<Sealed> = memory.typed(CURSOR_OFFSET)?;
    let mut consumer = Command::new(std::env::current_exe()?).arg(&name).spawn()?;
    let started = Instant::now();
    let mut taken = 0;
    for number in 0..TICKS {
        // A place is free again after its last tick was taken out.
        while number - taken >= RING_LEN {
            taken = wait_for_more(&cursor, taken, &mut consumer)?;
        }
        ring.set(number % RING_LEN, &Sealed::new(number, price_of(number)))?;
    }
    let status = consumer.wait()?;
    if !status.success() {
        return Err(format!("the consumer failed: {status}").into());
    }
    let each = started.elapsed() / u32::try_from(TICKS)?;
    println!("producer: {TICKS} ticks were taken, {each:?} each");
    assert_eq!(cursor.get(0)?.whole(), Some(Sealed::new(TICKS, 0)));

    drop((ring, cursor, memory));
    let gone = Mapping::open_named(&name, flatrec::map::Access::ReadOnly);
    assert!(gone.is_err(), "the name goes with the handle that made it");
    println!("producer: {name} is gone");
    Ok(ExitCode::SUCCESS)
}

/// Waits until the consumer has taken more than `taken` ticks, and returns how many.
fn wait_for_more(cursor: &TypedView<Sealed>, taken: u64, consumer: &mut Child) -> Result<u64> {
    loop {
        match cursor.get(0)?.whole() {
            Some(cursor) if cursor.number > taken => return Ok(cursor.number),
            _ => std::thread::yield_now(),
        }
        if let Some(status) = consumer.try_wait()? {
            return Err(
                format!("the consumer ended before it had taken all ticks: {status}").into()
            );
        }
    }
}

/// Finds the memory of the producer, and takes all ticks.
fn consume(name: &str) -> Result<ExitCode> {
    let mut initialised_here = false;
    let memory = Mapping::named(name, LEN_BYTES, |_| {
        initialised_here = true;
        Ok(())
    })?;
    assert!(!initialised_here, "the producer has initialised it already");

    let ring = memory.typed::<Sealed>(0)?;
    let cursor = memory.typed::<Sealed>(CURSOR_OFFSET)?;
    let (mut sum, mut looks) = (0, 0_u64);
    for number in 0..TICKS {
        let started = Instant::now();
        let tick = loop {
            looks += 1;
            match ring.get(number % RING_LEN)?.whole() {
                Some(tick) if tick.number == number => break tick,
                // An older tick, or one that is being written.
                _ => std::thread::yield_now(),
            }
            assert!(started.elapsed() < PATIENCE, "the producer is gone");
        };
        sum += tick.price;
        if (number + 1) % 64 == 0 || number + 1 == TICKS {
            cursor.set(0, &Sealed::new(number + 1, 0))?;
        }
    }
    assert_eq!(sum, (0..TICKS).map(price_of).sum::<u64>(), "every tick exactly once");
    println!("consumer: took {TICKS} ticks in {looks} looks, in order, none twice, none torn");
    Ok(ExitCode::SUCCESS)
}
