//! Accounts between which threads move money: each transaction happens completely or not at all,
//! and snapshots always add up.
//!
//!     cargo run --release --example transactions

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use flatrec::{Database, Durability, Record, Result};

#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Account {
    cents: i64,
    transfers: u64,
}

const ACCOUNTS: u64 = 1000;
const THREADS: u64 = 4;
const TRANSFERS: u64 = 250;

fn main() -> Result<()> {
    let directory = tempfile::tempdir().expect("a directory for the example");
    let path = directory.path().join("accounts.rec");
    let accounts = Database::<Account>::create(&path)?;
    let mut opening = accounts.begin_write()?;
    opening.append_slice(&[Account { cents: 10_000, transfers: 0 }; ACCOUNTS as usize])?;
    let receipt = opening.commit(Durability::Immediate)?;
    println!("commit {} survives a loss of: {:?}", receipt.commit_id(), receipt.survives());

    // A snapshot from before stays the same during later commits.
    let before = accounts.begin_read()?;
    let over = AtomicBool::new(false);
    let started = Instant::now();
    let looks = std::thread::scope(|scope| {
        let auditor = scope.spawn(|| audit(&accounts, &over));
        let clerks: Vec<_> = (0..THREADS)
            .map(|thread| {
                let accounts = &accounts;
                scope.spawn(move || transfer(accounts, thread))
            })
            .collect();
        for clerk in clerks {
            clerk.join().expect("a clerk")?;
        }
        over.store(true, Ordering::Relaxed);
        auditor.join().expect("the auditor panicked")
    })?;
    let commits = THREADS * TRANSFERS;
    let each = started.elapsed() / u32::try_from(commits).expect("the count fits");
    println!(
        "{commits} durable commits by {THREADS} threads, {each:?} each; {looks} audits beside"
    );

    let after = accounts.begin_read()?;
    assert_eq!(total(before.iter().map(|(_, account)| account)), 10_000 * ACCOUNTS as i64);
    assert_eq!(after.iter().map(|(_, account)| account.transfers).sum::<u64>(), 2 * commits);
    assert!(before.iter().all(|(_, account)| account.transfers == 0));
    drop((before, after));

    let checkpoint = accounts.checkpoint()?;
    println!("{} records written from the log to the file", checkpoint.records());
    accounts.close()
}

/// Moves money; sometimes there is too little, and the transaction is rolled back.
fn transfer(accounts: &Database<Account>, thread: u64) -> Result<()> {
    let mut random = thread + 1;
    let mut draw = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % below
    };
    let mut done = 0;
    while done < TRANSFERS {
        let (from, by) = (draw(ACCOUNTS), 1 + draw(ACCOUNTS - 1));
        let (to, cents) = ((from + by) % ACCOUNTS, draw(12_000) as i64);
        let mut transaction = accounts.begin_write()?;
        for (id, change) in [(from, -cents), (to, cents)] {
            let account = transaction.get_mut(id)?.expect("an account");
            account.cents += change;
            account.transfers += 1;
        }
        if transaction.get(from).expect("an account").cents < 0 {
            transaction.rollback();
            continue;
        }
        transaction.commit(Durability::Immediate)?;
        done += 1;
    }
    Ok(())
}

/// Adds up all accounts repeatedly, until the others are done.
fn audit(accounts: &Database<Account>, over: &AtomicBool) -> flatrec::Result<u64> {
    let mut looks = 0;
    while !over.load(Ordering::Relaxed) {
        let snapshot = accounts.begin_read()?;
        let sum = total(snapshot.iter().map(|(_, account)| account));
        assert_eq!(sum, 10_000 * ACCOUNTS as i64, "in commit {}", snapshot.commit_id());
        looks += 1;
    }
    Ok(looks)
}

fn total<'a>(accounts: impl Iterator<Item = &'a Account>) -> i64 {
    accounts.map(|account| account.cents).sum()
}
