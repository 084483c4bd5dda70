//! Two processes, one piece of named memory with typed records in it.
//!
//! This process makes and initialises the memory, then starts itself a second time. The second
//! finds the memory by its name, initialised, changes a record and ends; the first sees the change.
//!
//!     cargo run --example shared_memory

use std::error::Error;
use std::process::{Command, ExitCode};

use flatrec::map::{Mapping, TypedView};
use flatrec::zerocopy::{FromBytes, Immutable, IntoBytes};

const PLAYERS: u64 = 1000;
const LEN_BYTES: u64 = PLAYERS * size_of::<Player>() as u64;

/// Shared memory never leaves this machine, so the machine's own byte order will do.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable)]
#[zerocopy(crate = "flatrec::zerocopy")]
#[repr(C)]
struct Player {
    id: u32,
    score: u32,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    match std::env::args().nth(1) {
        None => first(),
        Some(name) => second(&name),
    }
}

/// Makes the memory, and lets a second process change it.
fn first() -> Result<ExitCode, Box<dyn Error>> {
    let name = format!("flatrec-players-{}", std::process::id());
    // However many processes ask for this name at the same time, one runs its initialiser, and the
    // others wait until it has returned. The name goes when `memory` is dropped.
    let memory = Mapping::named(&name, LEN_BYTES, |memory| {
        let players = memory.typed::<Player>(0)?;
        for id in 0..PLAYERS {
            players.set(id, &Player { id: id as u32, score: 100 })?;
        }
        Ok(())
    })?;
    println!("first:  made {name} with {PLAYERS} players");

    let players: TypedView<Player> = memory.typed(0)?;
    let status = Command::new(std::env::current_exe()?).arg(&name).status()?;
    if !status.success() {
        return Err(format!("the second process failed: {status}").into());
    }

    // Records are copied in and out, since another process may write them at any time.
    let seen = players.get(42)?;
    println!("first:  player 42 is now {seen:?}");
    assert_eq!(seen, Player { id: 42, score: 1100 }, "what the second process wrote");
    assert_eq!(players.get(41)?.score, 100, "nothing else changed");

    drop((players, memory));
    let gone = Mapping::open_named(&name, flatrec::map::Access::ReadOnly);
    assert!(gone.is_err(), "the name goes with the handle that made it");
    println!("first:  {name} is gone");
    Ok(ExitCode::SUCCESS)
}

/// Finds the memory made by the first process, and changes one record.
fn second(name: &str) -> Result<ExitCode, Box<dyn Error>> {
    let mut initialised_here = false;
    let memory = Mapping::named(name, LEN_BYTES, |_| {
        initialised_here = true;
        Ok(())
    })?;
    assert!(!initialised_here, "the first process has initialised it already");

    let players = memory.typed::<Player>(0)?;
    let mut player = players.get(42)?;
    println!("second: found {} players, among them {player:?}", players.len());
    assert_eq!(player, Player { id: 42, score: 100 }, "what the first process wrote");
    player.score += 1000;
    players.set(42, &player)?;
    Ok(ExitCode::SUCCESS)
}
